"""What programs print cannot steer a terminal or hide its meaning."""

import pytest

from finetune.jail.text import MOST, harmless

LOST = "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("plain\ttext\nÄ 数", "plain\ttext\nÄ 数"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdevice\x1b\\after", "after"),
        ("\x1b]52;c;never closed", ""),
        ("\x1bc", ""),
        ("\x9b31m", LOST + "31m"),
        ("a\rb\bc\x00", f"a{LOST}b{LOST}c{LOST}"),
        ("abc\u202egpj.exe", f"abc{LOST}gpj.exe"),
        ("in\u200bvisible\ufeff", f"in{LOST}visible{LOST}"),
        ("\ud800", LOST),
    ],
)
def test_escapes_go_and_unseen_characters_are_shown(printed, shown):
    assert harmless(printed) == shown


def test_long_texts_are_cut_short():
    assert harmless("x" * 10_000) == "x" * MOST + " ..."
