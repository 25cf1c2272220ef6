import unicodedata

import pytest

from finetune.report.inert import excerpt, inert, inert_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("a\rb\x00\x7f", "a␍b␀␡"),
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
        ("\u2066if\u2069", "⟨U+2066⟩if⟨U+2069⟩"),
        ("a\u200bb\ufeff", "a⟨U+200B⟩b⟨U+FEFF⟩"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("half\ud83d", "half⟨U+D83D⟩"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("a\n\tb é 漢 🙂", "a\n\tb é 漢 🙂"),
    ],
)
def test_what_no_eye_would_see_is_named(text, shown):
    assert inert(text) == shown


def test_no_character_that_acts_is_left_of_all_there_are():
    everything = "".join(map(chr, range(0x110000)))
    left = {unicodedata.category(character) for character in inert(everything)} - {"Cc"}
    assert not left & {"Cf", "Cs", "Zl", "Zp"}
    assert {c for c in inert(everything) if unicodedata.category(c) == "Cc"} == {"\n", "\t"}


def test_a_huge_line_is_cut_with_a_count():
    assert excerpt("x" * 1000) == "x" * 240 + "… (760 more characters)"


def test_many_lines_are_cut_with_a_count():
    shown = excerpt("\n".join(map(str, range(100)))).split("\n")
    assert shown == [*map(str, range(40)), "… (60 more lines)"]


def test_a_prompt_keeps_its_end():
    shown = excerpt("\n".join(map(str, range(41))), end=True).split("\n")
    assert shown == ["… (1 more line)", *map(str, range(1, 41))]


def test_a_name_is_one_line():
    assert inert_line("a\nb\x1b", 40) == "a b␛"
