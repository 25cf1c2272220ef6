"""Cuts around whole nodes of syntax, checked by hand and against other ways to find the nodes."""

import ast
import warnings

import pytest

from finetune import grammars
from finetune.grammars import languages
from finetune.sequences import syntax
from finetune.sequences.cuts import cut_points
from finetune.sequences.draws import RANGE, below
from finetune.sequences.syntax import MAX_DEPTH, tree_of
from tests.sequences.samples import CPP, JAVASCRIPT, TWO_METHODS


def drawing(point, bound):
    """The least draw that gives `point` below `bound`."""
    draw = -(-point * RANGE // bound)
    assert below(draw, bound) == point
    return draw


def middle(text, span, language="python", segment=None):
    """The middle that the span of characters gives; both in code points of the document."""
    start, end = segment or (0, len(text))
    first, second = (drawing(point - start, end - start + 1) for point in span)
    points = cut_points("syntax", text, start, end, language, first, second)
    return points and text[start + points[0] : start + points[1]]


def around(text, part):
    """The span of `part`, which occurs once."""
    assert text.count(part) == 1
    at = text.index(part)
    return at, at + len(part)


def nodes(text, language="python"):
    """The texts of all nodes but the whole, in level order."""
    tree = tree_of(text, language)
    return [text[a:b] for a, b in zip(tree.starts, tree.ends, strict=True)][1:]


FUNCTION = "def f(x):\n    return x + 1\n"
"""The parameter is 6:7, the return 14:26, its sum 21:26 with 21:22 and 25:26."""


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((20, 24), "x + 1"),  # in the return, whose only child is the sum
        ((21, 22), "x"),
        ((22, 26), "x + 1"),  # the sum itself, 4 of 5 shared; 1 of 4 with "1" alone
        ((24, 26), "1"),  # 1 of 2; 2 of 5 with the whole sum
        ((7, 20), "def f(x):\n    return x + 1"),  # 13 of 26; 6 of 19 with the return alone
        ((0, 3), "def f(x):\n    return x + 1"),  # 3 of 26; no child shares anything
        ((9, 27), "def f(x):\n    return x + 1"),  # beyond the function: the text's only child
    ],
)
def test_the_middle_of_a_small_function_by_hand(span, expected):
    assert middle(FUNCTION, span) == expected


def test_the_points_count_from_the_start_of_the_segment():
    text = "import os\n" + FUNCTION
    start, end = 10, len(text)
    draws = [drawing(point, end - start + 1) for point in (22, 26)]
    assert cut_points("syntax", text, start, end, "python", *draws) == (21, 26)


def test_siblings_may_be_a_middle_together():
    assert middle("a = 1\nb = 2\nc = 3\n", (1, 10)) == "a = 1\nb = 2"


def test_characters_beyond_ascii_before_a_node_do_not_move_it():
    text = 'naïve = "日本 👩‍👩‍👧"; größe = f(naïve)\n'
    assert middle(text, around(text, "f(")) == "f"
    assert "größe = f(naïve)" in nodes(text)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_of_python_is_one(line_end):
    text = line_end.join(["if a:", "    b = 1", "    c = 2", ""])
    assert nodes(text)[2:4] == ["b = 1", "c = 2"]


def test_what_python_takes_for_no_line_end_is_none():
    text = 'a = "\u2028\x0b\x1c\x85"\n\x0cb = 2\n\x0c\nc = 3\n'
    assert nodes(text)[1:3] == ["b = 2", "c = 3"]


def test_a_byte_order_mark_is_no_part_of_a_node():
    assert nodes("\ufeffa = 1\n")[0] == "a = 1"


def test_a_definition_begins_with_its_first_decorator():
    text = "x = a @ b\n@ d.e(\n  1)\n@f\nclass A:\n    @(\n      g)\n    async def h(self): pass\n"
    assert nodes(text)[1] == text[10:-1]
    assert text[text.index("@(") : -1] in nodes(text)


def test_an_f_string_is_one_node_with_all_that_stands_in_it():
    text = "a = 'é' f'{b + 1:>{c}}' + d\n"
    assert nodes(text)[-2:] == ["'é' f'{b + 1:>{c}}'", "d"]


def test_parameters_and_their_defaults_are_children_of_the_function():
    assert nodes("def f(a, b=1, *c, d: int = 2): pass\n")[1:-1] == [
        "a", "b", "1", "*c"[1:], "d: int", "2", "pass",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["def f(:\n", "print 'two'\n", "a\0b", "(" * 10_000 + ")" * 10_000, "-" * 100_000 + "1",
     "+".join("1" * 10_000), "9" * 10_000, "'\ud800'"],
)  # fmt: skip
def test_a_text_that_python_cannot_parse_gives_no_cut(text):
    assert middle(text, (0, 1)) is None


@pytest.mark.parametrize(("terms", "parsed"), [(MAX_DEPTH - 1, True), (MAX_DEPTH, False)])
def test_whether_a_deep_tree_is_taken_depends_on_its_depth_alone(terms, parsed):
    text = "+".join("1" * terms)  # `terms` levels: the statement, terms - 1 sums, a number

    def deeper(calls):
        return deeper(calls - 1) if calls else syntax.tree_of.__wrapped__(text + "\n", "python")

    assert [tree is not None for tree in (deeper(0), deeper(300))] == [parsed] * 2


def test_a_warning_about_the_text_is_not_shown():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nodes("a = '\\d'\nb = 1 is 1\n")


@pytest.mark.parametrize("text", ["# a comment\n", "\n\n", " "])
def test_a_text_without_nodes_gives_no_cut(text):
    assert middle(text, (0, 1)) is None


def test_a_language_without_a_parser_gives_no_cut():
    assert middle("a = 1\n", (0, 1), language="cobol") is None
    assert "cobol" not in languages()


def test_python_needs_nothing_installed(monkeypatch):
    monkeypatch.setattr(grammars, "find_spec", lambda name: None)
    assert [language for language, here in languages().items() if here] == ["python"]


def test_a_grammar_that_is_not_installed_gives_no_cut(monkeypatch):
    monkeypatch.setattr(grammars, "find_spec", lambda name: None)
    syntax._grammars.cache_clear()
    assert middle("int not_installed;\n", (0, 1), language="cpp") is None
    syntax._grammars.cache_clear()


def test_a_node_that_the_segment_cuts_is_no_middle():
    segment = (TWO_METHODS.index("a = 1"), len(TWO_METHODS))
    assert middle(TWO_METHODS, around(TWO_METHODS, "= 1\n        b"), segment=segment) == (
        "a = 1\n        b = 2"
    )


def test_where_the_smallest_node_is_cut_the_largest_whole_ones_stand_for_it():
    start, end = TWO_METHODS.index("a = 1"), TWO_METHODS.index("        c")
    span = (start, end)  # of the class, none of whose children is whole
    assert middle(TWO_METHODS, span, segment=span) == "a = 1\n        b = 2"


def test_a_segment_inside_a_node_without_children_gives_no_cut():
    assert middle("a = 'a long string'\n", (8, 12), segment=(6, 14)) is None


needs_grammars = pytest.mark.skipif(
    not all(languages().values()), reason="the extra `syntax` is not installed"
)


@needs_grammars
def test_a_member_of_a_class_in_cpp_by_hand():
    assert middle(CPP, around(CPP, "x_ = T"), "cpp") == "x_ = T{}"
    assert middle(CPP, around(CPP, "run(é, 2)"), "cpp") == "run(é, 2)"
    assert middle(CPP, around(CPP, "if (é > 1) { run(é, 2); }"), "cpp") == (
        "if (é > 1) { run(é, 2); }"
    )


@needs_grammars
def test_a_function_of_javascript_by_hand():
    assert middle(JAVASCRIPT, around(JAVASCRIPT, "a.map"), "javascript") == "a.map"
    assert middle(JAVASCRIPT, around(JAVASCRIPT, "a, {b, c}"), "javascript") == "a, {b, c} = {}"


@needs_grammars
@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("c", "int f(void) { return 1; }\n"),
        ("cpp", "struct A { int f() { return 1; } };\n"),
        ("go", "package a\nfunc f() int { return 1 }\n"),
        ("java", "class A { int f() { return 1; } }\n"),
        ("javascript", "function f() { return 1; }\n"),
        ("rust", "fn f() -> i32 { return 1; }\n"),
        ("typescript", "function f(): number { return 1; }\n"),
    ],
)
def test_every_grammar_finds_the_number_that_is_returned(language, text):
    assert middle(text, around(text, "1"), language) == "1"


@needs_grammars
def test_a_header_of_cpp_that_counts_as_c_is_parsed_as_cpp():
    text = "namespace a { template <class T> struct B : C<T> { T x = T(1); }; }\n"
    assert nodes(text, "c") == nodes(text, "cpp")


@needs_grammars
def test_jsx_in_typescript_is_parsed():
    text = "const f = (a: number): string => <b c={a}>text {a} <i/></b>;\n"
    assert "<i/>" in nodes(text, "typescript")


@needs_grammars
def test_a_tree_with_a_mistake_serves_and_a_root_that_is_one_does_not():
    assert "int b = 1;" in nodes("int a = = 2;\nint b = 1;\n", "cpp")
    assert tree_of(")]} ({[" * 20, "cpp") is None


@needs_grammars
def test_ten_thousand_nested_brackets_have_a_tree():
    depth = 10_000
    text = "a = " + "[" * depth + "]" * depth
    assert tree_of(text, "javascript").depth() > depth
    at = 4 + depth
    assert middle(text, (at - 1, at + 1), "javascript") == "[]"


@needs_grammars
def test_a_text_that_asks_for_too_much_work_has_no_tree(monkeypatch):
    text = "".join(f"a{index} = {{ b: [{index}] }};\n" for index in range(20_000))
    monkeypatch.setattr(syntax, "MAX_STEPS_PER_BYTE", 0)
    assert tree_of(text, "javascript") is None


@needs_grammars
def test_nul_is_a_character_like_any_other_for_tree_sitter():
    text = 'int a = 1; // \0\nint b = "é\0";\n'
    assert "int a = 1;" in nodes(text, "cpp")


def test_a_document_is_parsed_once_for_all_its_segments(monkeypatch):
    calls = []
    monkeypatch.setattr(syntax.ast, "parse", lambda text: calls.append(text) or ast.Module([], []))
    text = "once = 1\n"
    for start in range(5):
        cut_points("syntax", text, start, len(text), "python", 0, 0)
    tree_of.cache_clear()
    assert calls == [text]
