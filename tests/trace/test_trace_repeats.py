"""Passages of a completion in a corpus: what counts as the same, and from which length on."""

import random
import string

import pytest

from finetune.trace.repeats import find_repeats
from tests.trace.made_up import document

TEXT = "".join(random.Random(3).choices(string.ascii_letters, k=400))


@pytest.fixture
def repeats(indexed):
    """`repeats(text, *training)`: the passages of `text` in documents of these texts."""

    def find(text, *training):
        documents = [document(f"{n}.py", content) for n, content in enumerate(training)]
        return find_repeats(indexed(documents).file, text)

    return find


@pytest.mark.parametrize("offset", range(0, 26, 5))
def test_fifty_characters_are_found_wherever_they_begin_and_forty_nine_are_not(repeats, offset):
    ours = "#" * offset + TEXT[100:150] + "!?"
    (found,) = repeats(ours, "$" + TEXT)
    assert (found.text.start, found.text.end) == (offset, offset + 50)
    assert (found.document.start, found.document.end) == (101, 151)


def test_forty_nine_characters_are_not_a_passage(repeats):
    assert repeats("#" * 30 + TEXT[100:149] + "!?" * 30, TEXT) == []


def test_white_space_counts_as_one_blank_whatever_its_amount(repeats):
    theirs = "def f(a, b):\r\n\tfirst = a + b\r\n\treturn first * second_argument\r\n"
    ours = "x\n\n    def f(a,  b):\n        first = a + b\n        return first * second_argument"
    (found,) = repeats(ours, "#!\n" + theirs)
    assert ours[found.text.start : found.text.end] == ours[7:]
    assert (found.document.first_line, found.document.last_line) == (2, 4)


def test_indentation_alone_makes_no_passage_longer(repeats):
    assert repeats("a = 1" + " " * 80 + "b = 2", "a = 1" + " " * 80 + "b = 2") == []


def test_a_rule_of_dashes_says_nothing(repeats):
    assert repeats("# " + "-" * 70 + "\n", "# " + "-" * 70 + "\nx = 1\n") == []


def test_each_document_is_named_once_for_a_passage_it_repeats(repeats):
    found = repeats(TEXT[:80], TEXT[:80] + "\n" + TEXT[:80], "none", TEXT[:90])
    assert [(one.path, one.licence) for one in found] == [("0.py", "MIT"), ("2.py", "MIT")]


@pytest.mark.parametrize("offset", [0, 7, 24])
def test_a_passage_is_found_behind_hundreds_that_begin_like_it(repeats, offset):
    halves = "".join(TEXT[100 + n : 125 + n] + "\x01" for n in range(26)) * 100
    ours = "#" * offset + TEXT[100:150]
    (found,) = repeats(ours, halves + TEXT)
    assert (found.text.start, found.text.end) == (offset, offset + 50)
    assert found.document.start == len(halves) + 100
