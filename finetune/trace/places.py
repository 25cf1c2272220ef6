"""Passages of a text: code points for programs, lines for people."""

from collections.abc import Iterable
from dataclasses import dataclass

from data_formats.document import Span
from finetune.errors import UserError


@dataclass(frozen=True)
class Place:
    """A passage of a text: code points from 0, and lines from 1, the last one included."""

    start: int
    end: int
    first_line: int
    last_line: int


def place_in(text: str, start: int, end: int) -> Place:
    """A span with its lines."""
    first = text.count("\n", 0, start) + 1
    return Place(start, end, first, first + text.count("\n", start, end - 1))


def num_covered(spans: Iterable[Span]) -> int:
    """Code points in at least one of the spans."""
    covered = reached = 0
    for start, end in sorted(spans):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered


def is_long_enough(text: str, least: int) -> bool:
    """Whether `text` may hold a passage of `least` characters."""
    return _length(text) >= least


def require_length(text: str, least: int) -> None:
    """Raise UserError for a text that holds no passage long enough to be found."""
    if not is_long_enough(text, least):
        raise UserError(
            f"the text to trace has {_length(text)} characters, and no passage of fewer than "
            f"{least} can be told from chance; give more of the file"
        )


def _length(text: str) -> int:
    return len(text.replace("\r\n", "\n"))  # as `units.characters_of` counts
