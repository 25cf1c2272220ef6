"""Patterns over relative paths."""

import random
from collections import Counter

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


def plainly(pattern, path):
    """The same by trying everything, folder by folder."""
    if not pattern:
        return not path
    first, *rest = pattern
    if first == "**":
        low = 0 if rest else 1
        return any(plainly(rest, path[at:]) for at in range(low, len(path) + 1))
    return bool(path) and within(first, path[0]) and plainly(rest, path[1:])


def within(pattern, name):
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(within(pattern[1:], name[at:]) for at in range(len(name) + 1))
    return bool(name) and pattern[0] in (name[0], "?") and within(pattern[1:], name[1:])


def test_patterns_match_what_trying_everything_finds():
    draw = random.Random(0)
    found = Counter()
    for _ in range(4000):
        parts = [
            draw.choice(["**", "".join(draw.choices("ab*?", k=draw.randint(1, 4)))])
            for _ in range(draw.randint(1, 5))
        ]
        parts = [one for one in parts if one == "**" or "**" not in one] or ["a"]
        path = [
            "".join(draw.choices("ab", k=draw.randint(1, 4))) for _ in range(draw.randint(1, 5))
        ]
        expected = plainly(parts, path)
        assert matcher(["/".join(parts)])("/".join(path)) is expected, (parts, path)
        found[expected] += 1
    assert min(found.values()) > 500


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/" * 30 + "zz", "a/" * 60 + "a"),
        ("**/a/" * 30 + "zz", "a/" * 60 + "a"),
        ("*a" * 30 + "z", "a" * 200 + ".py"),
        ("**/*a*a*a*a/" * 10 + "z", "aaaaaaaaaaaaaaaa/" * 30 + "y"),
    ],
)
def test_a_pattern_of_many_wildcards_is_answered(pattern, path):
    assert not matcher([pattern])(path)


def test_a_range_that_is_none_stands_for_its_characters():
    assert matcher(["[z-a].py"])("[z-a].py")
    assert not matcher(["[z-a].py"])("z.py")
