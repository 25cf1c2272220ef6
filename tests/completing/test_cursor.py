"""FILE:LINE:COL, and every place that is none."""

import pytest

from finetune.completing.cursor import parse_cursor
from finetune.errors import UserError


@pytest.fixture
def at(tmp_path):
    """`at("2:3", content)`: where the cursor stands in a file of this content."""

    def parse(place, content="ab\ncdef\n"):
        file = tmp_path / "a:1.py"  # a colon in the name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return parse_cursor(f"{file}:{place}")

    return parse


@pytest.mark.parametrize(
    ("place", "prefix", "suffix"),
    [
        ("1", "ab", "\ncdef\n"),
        ("1:1", "", "ab\ncdef\n"),
        ("2:3", "ab\ncd", "ef\n"),
        ("2:5", "ab\ncdef", "\n"),
        ("3", "ab\ncdef\n", ""),
    ],
)
def test_a_cursor_stands_before_the_character_of_its_column(at, place, prefix, suffix):
    cursor = at(place)
    assert (cursor.prefix, cursor.suffix) == (prefix, suffix)


def test_a_line_that_ends_in_crlf_ends_before_it(at):
    cursor = at("1", "ab\r\ncd\r\n")
    assert (cursor.prefix, cursor.suffix, cursor.line_behind) == ("ab", "\r\ncd\r\n", "")


def test_columns_count_characters_and_not_bytes(at):
    assert at("1:3", "é日x\n").prefix == "é日"


@pytest.mark.parametrize(
    ("place", "content", "words"),
    [
        ("4", "ab\ncdef\n", "has lines 1 to 3"),
        ("0", "ab\n", "has lines 1 to 2"),
        ("1:4", "ab\n", "has columns 1 to 3, its end included"),
        ("1:0", "ab\n", "has columns 1 to 3"),
        ("1", b"\xff\xfe", "not UTF-8"),
        ("1", b"\x7fELF\x00\x01", "a binary file"),
    ],
)
def test_what_is_no_place_is_told(at, place, content, words):
    with pytest.raises(UserError, match=words):
        at(place, content)


def test_a_file_that_is_not_there_and_a_place_without_a_line_are_told(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        parse_cursor(f"{tmp_path}/none.py:1")
    with pytest.raises(UserError, match="not FILE:LINE or FILE:LINE:COL"):
        parse_cursor("a.py")
