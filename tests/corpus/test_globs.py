"""Patterns over relative paths."""

import pytest

from finetune.corpus.globs import matcher, may_match_below


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("**", "a.py", True),
        ("**", "a/b/c.py", True),
        ("*.py", "a.py", True),
        ("*.py", "a/b.py", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "a/b/c.py", True),
        ("a/**", "a/b/c.py", True),
        ("a/**", "ab/c.py", False),
        ("a/", "a/b/c.py", True),
        ("./a/*.py", "a/b.py", True),
        ("a/**/z.py", "a/z.py", True),
        ("a/**/z.py", "a/b/c/z.py", True),
        ("a/**/z.py", "a/bz.py", False),
        ("**/tests/**", "tests/a.py", True),
        ("**/tests/**", "x/tests/y/a.py", True),
        ("**/tests/**", "x/mytests/a.py", False),
        ("?.py", "a.py", True),
        ("?.py", "ab.py", False),
        ("[ab].py", "b.py", True),
        ("[!ab].py", "b.py", False),
        ("[!ab].py", "c.py", True),
        ("a[", "a[", True),
        ("a.py", "axpy", False),
        ("a+b (1).py", "a+b (1).py", True),
        ("A.py", "a.py", False),
        ("**", "new\nline.py", True),
    ],
)
def test_a_pattern_matches_the_whole_path(pattern, path, matches):
    assert matcher([pattern])(path) is matches


def test_one_match_among_several_patterns_is_enough():
    assert matcher(["*.c", "*.py"])("a.py")


def test_no_pattern_matches_nothing():
    assert not matcher([])("a.py")


@pytest.mark.parametrize(
    ("pattern", "folder", "may"),
    [
        ("**", "a", True),
        ("*.py", "a", False),
        ("a/*.py", "a", True),
        ("a/*.py", "a/b", False),
        ("a/b/**", "a", True),
        ("a/b/**", "a/b/c", True),
        ("a/b/**", "a/c", False),
        ("a/", "a/b", True),
        ("./a/**", "a", True),
        ("a/*/c.py", "a/b", True),
    ],
)
def test_a_folder_is_entered_where_a_pattern_may_match_below(pattern, folder, may):
    assert may_match_below([pattern], folder) is may
