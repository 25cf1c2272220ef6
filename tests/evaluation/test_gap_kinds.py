"""Gaps of every kind: they restore the file, and the files alone decide which they are."""

import ast

import pytest

from data_formats.document import Document
from finetune.evaluation.gap_kinds import KINDS, LONGEST_SPAN, problems_of_kind, without_parser

SOURCE = '''\
import os


def first(x):
    """What it does."""
    total = x + 1  # é🙂

    return total


class Box:
    @property
    def inner(self): return self._inner

    async def outer(self):
        @decorated
        def nested():
            return 42
        return nested
'''


def document(text, path="a.py", language="python"):
    return Document(text=text, path=path, repo="r", language=language)


FILES = [document(SOURCE.replace("first", f"first_{n}"), f"{n}.py") for n in range(6)]


def truths(text, language="python", kind="function_body"):
    made = problems_of_kind([document(text, "a", language)], kind, 100)
    return sorted(problem.truth for problem in made)


@pytest.mark.parametrize("kind", KINDS)
def test_prefix_truth_and_suffix_are_the_file(kind):
    made = problems_of_kind(FILES, kind, 1000)
    assert len(made) >= 24
    texts = {file.path: file.text for file in FILES}
    for problem in made:
        assert problem.gap.prefix + problem.truth + problem.gap.suffix == texts[problem.path]
        assert problem.truth.strip()


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_alone_decide(kind):
    made = problems_of_kind(FILES, kind, 12)
    assert problems_of_kind(FILES[::-1], kind, 12) == made
    assert problems_of_kind(FILES, kind, 5) == made[:5]
    assert len({problem.path for problem in made}) > 3


def test_several_lines_are_two_to_eight_without_outer_blank_space():
    for truth in truths(SOURCE, kind="lines"):
        assert truth == truth.strip()
        assert 2 <= len(truth.split("\n")) <= 8


def test_short_lines_between_two_that_say_something_count_as_lines():
    """Only where the draw takes the next line that says something is there a gap to look at."""

    def gaps(between):
        texts = [f"first line {n}\n" + "x\n" * between + "second line\n" for n in range(40)]
        return [gap.count("\n") + 1 for text in texts for gap in truths(text, kind="lines")]

    assert set(gaps(6)) == {8}
    assert gaps(7) == []


def test_spans_vary_in_length_and_begin_inside_lines():
    made = problems_of_kind(FILES, "span", 1000)
    lengths = {len(problem.truth) for problem in made}
    assert max(lengths) <= LONGEST_SPAN
    assert len(lengths) > 20
    assert any(problem.gap.prefix[-1:].isalnum() for problem in made)


def test_bodies_of_python_leave_head_doc_string_and_decorators_of_their_own():
    assert truths(SOURCE) == [
        "@decorated\n        def nested():\n            return 42\n        return nested",
        "return 42",
        "return self._inner",
        "total = x + 1  # é🙂\n\n    return total",
    ]


def test_a_function_of_a_doc_string_alone_has_no_body():
    assert truths('def f():\n    """Only this."""\n') == []


@pytest.mark.parametrize(
    ("language", "text", "bodies"),
    [
        ("c", "int f(int é) {\n  return é + 1;\n}\n", ["return é + 1;"]),
        ("cpp", "struct A { int g() { return 1; } };\n", ["return 1;"]),
        ("go", "package a\nfunc (b B) f() int {\n\treturn 1\n}\n", ["return 1"]),
        ("java", "class A { A() { a = 1; } int f() { return 1; } }", ["a = 1;", "return 1;"]),
        ("javascript", "const f = (x) => { return x; }; g = y => y + 1;", ["return x;"]),
        ("rust", "fn f() -> i32 {\n    41 + 1\n}\n", ["41 + 1"]),
        ("typescript", "class A { f(): number { return 1 } }", ["return 1"]),
    ],
)
def test_bodies_of_other_languages_stand_in_brackets(language, text, bodies):
    pytest.importorskip("tree_sitter", reason="pip install 'finetune-code[syntax]'")
    assert truths(text, language) == bodies


@pytest.mark.parametrize("text", ["def f(:\n    return 1\n", "\x00", "", "((((("])
def test_what_does_not_parse_has_no_bodies(text):
    assert truths(text) == []


def test_a_body_may_be_put_back_and_parses():
    for problem in problems_of_kind(FILES, "function_body", 100):
        ast.parse(problem.gap.prefix + problem.truth + problem.gap.suffix)
        ast.parse(problem.gap.prefix + "pass" + problem.gap.suffix)


def test_languages_without_a_parser_are_counted():
    files = [document("x", "a", "haskell"), document("y", "b", "haskell"), document("z")]
    assert without_parser(files) == {"haskell": 2}
