"""Characters and words, with the places they have in the text as it stands."""

import re

import pytest

from finetune.trace.places import num_covered, place_in
from finetune.trace.units import characters_of, words_of


def test_characters_are_code_points_of_any_plane():
    assert characters_of("aé漢😀").values.tolist() == [0x61, 0xE9, 0x6F22, 0x1F600]


def test_a_carriage_return_goes_only_before_a_line_feed():
    units = characters_of("a\r\nb\rc\r")
    assert units.values.tolist() == [*b"a\nb\rc\r"]
    assert units.starts.tolist() == [0, 2, 3, 4, 5, 6]


def test_a_place_behind_a_dropped_character_counts_it():
    assert characters_of("a\r\nbc").place(1, 3) == (2, 4)


@pytest.mark.parametrize(
    "text", ["", "x", "def f(self, a_1):\n\treturn a_1+0x1F", "é1é", "漢字 a😀b", "a" * 300, "  "]
)
def test_words_are_those_of_the_regular_expression(text):
    units = words_of(text)
    found = list(zip(units.starts.tolist(), units.ends.tolist(), strict=True))
    assert found == [match.span() for match in re.finditer(r"[A-Za-z0-9_]+", text)]


def test_equal_words_are_equal_numbers_and_others_are_not():
    one, two, three, four = words_of("item items (item) Item").values.tolist()
    assert one == three
    assert len({one, two, four}) == 3


def test_lines_of_a_passage_include_that_of_its_last_character():
    place = place_in("a\nbc\nd\n", 2, 5)
    assert (place.first_line, place.last_line) == (2, 2)
    assert place_in("a\nbc\nd\n", 3, 6).last_line == 3


def test_code_points_under_several_spans_count_once():
    assert num_covered([(5, 8), (0, 4), (2, 6), (10, 11)]) == 9
