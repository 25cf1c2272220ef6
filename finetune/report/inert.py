"""Text that a model wrote, made fit to be looked at.

It may hold anything: terminal escapes, marks that turn the direction of writing, half a character,
a line of a megabyte. Jinja keeps it from being HTML; here what no eye would see becomes visible,
and what is too long is cut with a count.
"""

import unicodedata

MOST_LINES = 40
MOST_CHARACTERS = 240
"""Of a line."""

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def inert(text: str) -> str:
    """Every character that shows nothing, or changes how others are shown, by its name."""
    return "".join(character if _is_seen(character) else _named(character) for character in text)


def inert_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """The same on one line: for names and messages."""
    return inert(cut_line(" ".join(text.split("\n")), most))


def short(name: str, most: int) -> str:
    """A name where there is no room for a count of what was cut."""
    line = inert(name[:most].replace("\n", " "))
    return f"{line}…" if len(name) > most else line


def excerpt(text: str, *, end: bool = False) -> str:
    """The first lines, or the last ones with `end`, each cut; what is left out is counted."""
    lines = text.split("\n")
    rest = len(lines) - MOST_LINES
    kept = lines if rest <= 0 else lines[-MOST_LINES:] if end else lines[:MOST_LINES]
    shown = "\n".join(inert(cut_line(line)) for line in kept)
    if rest <= 0:
        return shown
    words = f"… ({rest:,} more {'line' if rest == 1 else 'lines'})"
    return f"{words}\n{shown}" if end else f"{shown}\n{words}"


def cut_line(line: str, most: int = MOST_CHARACTERS) -> str:
    """With a count of what was cut."""
    rest = len(line) - most
    return f"{line[:most]}… ({rest:,} more characters)" if rest > 0 else line


def _is_seen(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in _UNSEEN


def _named(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode has a picture of each: ␛ for an escape
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"
