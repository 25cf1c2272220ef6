"""How the two cuts of a segment are chosen: by character, by line, and as an editor does."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.sequences.cuts import CUTS, cut_points
from finetune.sequences.draws import RANGE, below

CHI_SQUARE_9 = 27.88
"""Exceeded once in a thousand times with nine degrees of freedom."""

ANY, LOW, HIGH = RANGE // 2, 0, RANGE - 1
SAME_LINE, NEXT_LINE, SECOND_NEXT = RANGE // 2, RANGE // 4, RANGE // 8
"""The least second draw with no, one and two leading zero bits."""


def drawing(point, bound):
    """The least draw that gives `point` below `bound`."""
    draw = -(-point * RANGE // bound)
    assert below(draw, bound) == point
    return draw


def cut(kind, text, first, second, start=0, end=None, language="python"):
    end = len(text) if end is None else end
    return cut_points(kind, text, start, end, language, first, second)


def cursor(text, point, second=SAME_LINE, start=0, end=None):
    """Prefix and middle where the first draw gives `point` of the segment."""
    end = len(text) if end is None else end
    a, b = cut("cursor", text, drawing(point, end - start), second, start, end)
    segment = text[start:end]
    return segment[:a], segment[a:b]


def random_cuts(kind, text, count, seed=0, **where):
    source = random.Random(seed)
    return [
        cut(kind, text, source.getrandbits(64), source.getrandbits(64), **where)
        for _ in range(count)
    ]


def chi_square(counts):
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts)


def test_there_are_four_kinds():
    assert set(CUTS) == {"character", "line", "syntax", "cursor"}


@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_by_character_the_extreme_draws_take_the_whole_segment(first, second):
    assert cut("character", "__abcd__", first, second, start=2, end=6) == (0, 4)


def test_by_character_a_point_is_the_draw_s_share_of_one_position_more_than_there_are_characters():
    assert cut("character", "abcd", 3 * RANGE // 5 + 1, RANGE // 5 + 1) == (1, 3)


def test_by_character_points_are_uniform_with_both_ends():
    points = [point for pair in random_cuts("character", "x" * 9, 3000) for point in pair]
    assert chi_square([points.count(point) for point in range(10)]) < CHI_SQUARE_9


LINES = "a\n  bb\r\nc\rd\n\ne"
"""Lines start at 0, 2, 8, 12 and 13: a lone \\r ends none. The end is 14."""


@pytest.mark.parametrize(("index", "point"), list(enumerate([0, 2, 8, 12, 13, 14])))
def test_by_line_a_point_is_a_line_start_or_the_end(index, point):
    assert cut("line", LINES, drawing(index, 6), HIGH) == (point, 14)
    assert cut("line", LINES, LOW, drawing(index, 6)) == (0, point)


def test_by_line_the_start_of_a_segment_counts_in_the_middle_of_a_line_too():
    found = {point for pair in random_cuts("line", LINES, 200, start=3, end=10) for point in pair}
    assert found == {0, 5, 7}


def test_by_line_the_end_behind_a_line_end_is_one_point_and_not_two():
    points = Counter(point for pair in random_cuts("line", "a\nb\n", 3000) for point in pair)
    assert set(points) == {0, 2, 4}
    assert all(abs(count - 2000) <= 4 * math.sqrt(6000 * 2 / 9) for count in points.values())


def test_by_line_points_are_uniform_over_lines_of_any_length():
    text = "".join("x" * 3**index + "\n" for index in range(9))
    points = [point for pair in random_cuts("line", text, 3000) for point in pair]
    starts = [0, *(index + 1 for index, char in enumerate(text) if char == "\n")]
    assert chi_square([points.count(start) for start in starts]) < CHI_SQUARE_9
    assert set(points) == set(starts)


def test_a_cursor_stands_where_the_first_draw_falls_and_the_middle_ends_its_line():
    assert cursor("x = foo(1)\ny\n", 4) == ("x = ", "foo(1)")


@pytest.mark.parametrize("point", [5, 6, 7, 8])
def test_a_cursor_in_the_indentation_moves_behind_it(point):
    assert cursor("if x:\n \t a\n", point + 1) == ("if x:\n \t ", "a")


def test_a_cursor_before_a_line_end_has_an_empty_middle():
    assert cursor("ab\ncd", 2) == ("ab", "")


@pytest.mark.parametrize("point", [2, 3, 4])
def test_a_cursor_in_a_blank_line_stands_behind_its_blanks(point):
    assert cursor("a\n  \nb", point) == ("a\n  ", "")


@pytest.mark.parametrize(
    ("second", "middle"),
    [(SAME_LINE, "b"), (SAME_LINE - 1, "b\n cd"), (NEXT_LINE, "b\n cd"), (SECOND_NEXT, "b\n cd\n")],
)
def test_each_leading_zero_of_the_second_draw_is_one_line_more(second, middle):
    assert cursor("ab\n cd\n\ne", 1, second) == ("a", middle)


def test_a_middle_ends_with_the_segment_where_no_line_is_left():
    assert cursor("ab\ncd\nef", 1, second=0, end=4) == ("a", "b\nc")


def test_a_middle_ends_before_a_carriage_return_that_belongs_to_the_line_end():
    assert cursor("ab\r\ncd\r\n", 1) == ("a", "b")
    assert cursor("ab\r\ncd\r\n", 1, NEXT_LINE) == ("a", "b\r\ncd")


def test_a_cursor_never_stands_inside_a_line_end():
    assert cursor("ab\r\ncd", 3) == ("ab", "")


def test_a_segment_that_ends_inside_a_line_end_ends_its_middle_before_it():
    assert cursor("ab\r\ncd", 1, end=3) == ("a", "b")


def test_a_lone_carriage_return_is_a_character_of_its_line():
    assert cursor("ab\rcd\n", 1) == ("a", "b\rcd")


def test_indentation_that_began_before_the_segment_is_indentation_still():
    assert cursor("c\n    ab\n", 0, start=4) == ("  ", "ab")


def test_blanks_inside_a_line_are_no_indentation_though_the_segment_starts_with_them():
    assert cursor("a    b\n", 1, start=1) == (" ", "   b")


CODE = "def f(x):\n    if x:\r\n        return 1\n\n    \n\ty = 2  \n" * 4


def test_a_cursor_is_never_inside_indentation_and_its_middle_ends_a_line():
    for a, b in random_cuts("cursor", CODE, 2000):
        line = CODE[CODE.rfind("\n", 0, a) + 1 : a]
        rest = CODE[a:].partition("\n")[0].rstrip("\r")
        assert line.strip(" \t") or not rest.startswith((" ", "\t"))
        assert CODE[b : b + 1] in ("", "\n") or CODE[b : b + 2] == "\r\n"
        assert CODE[b - 1 : b] != "\r"


def test_a_cursor_is_uniform_over_a_line_without_indentation():
    points = [a for a, _ in random_cuts("cursor", "x" * 10, 3000)]
    assert chi_square([points.count(point) for point in range(10)]) < CHI_SQUARE_9


def test_lines_of_a_cursor_s_middle_are_geometric_within_four_deviations():
    text, count = "word\n" * 4000, 4000
    middles = [text[a:b] for a, b in random_cuts("cursor", text, count)]
    for further in range(6):
        share = 0.5 ** (further + 1)
        num_found = sum(middle.count("\n") == further for middle in middles)
        assert abs(num_found - share * count) <= 4 * math.sqrt(count * share * (1 - share))


fragments = st.sampled_from(
    ["👩‍👩‍👧", "e\u0301", "\r\n", "\n", "\r", "\0", "\ufeff", "\u2028", "\x0c", "日本", "    ",
     "\t", "def f(é):", "return 'ü'", "x = 1", "@d", "(", ")", "{", "}",
     "f'{a}'", "class A", ";", "#"]
)  # fmt: skip
characters = st.characters(exclude_categories=["Cs"])
texts = st.lists(fragments | st.text(characters, max_size=4), min_size=1, max_size=12).map("".join)
seeds = st.integers(0, RANGE - 1)


@st.composite
def segments(draw):
    text = draw(texts.filter(bool))
    start = draw(st.integers(0, len(text) - 1))
    return text, start, draw(st.integers(start + 1, len(text)))


@pytest.mark.parametrize("kind", sorted(CUTS))
@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    segment=segments(), language=st.sampled_from(["python", "cpp", "?"]), first=seeds, second=seeds
)
def test_points_are_ordered_and_inside_the_segment(kind, segment, language, first, second):
    text, start, end = segment
    points = cut_points(kind, text, start, end, language, first, second)
    assert points is not None or kind == "syntax"
    if points is not None:
        assert 0 <= points[0] <= points[1] <= end - start
