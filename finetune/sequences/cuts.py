"""Where a segment is cut for fill-in-the-middle: a function of the text and of two draws."""

import re
from collections.abc import Callable

from finetune.sequences.draws import below
from finetune.sequences.syntax import aligned, tree_of

Points = tuple[int, int]
"""Where the prefix ends and where the middle ends: code points from the segment's start."""

_INDENTATION = re.compile("[ \t]*")
_NEWLINE = re.compile("\n")
_DRAW_BITS = 64


def cut_points(
    kind: str, text: str, start: int, end: int, language: str, first: int, second: int
) -> Points | None:
    """Where the segment text[start:end] of a document, not empty, is cut.

    `kind`: a key of `CUTS`. `text`: the whole document. `first`, `second`: independent draws,
    uniform over 64 bits. Returns 0 <= prefix end <= middle end <= end - start, or None where this
    kind cannot be applied: `syntax`, where there is no tree or no node inside the segment.
    """
    return CUTS[kind](text, start, end, language, first, second)


def _character(text: str, start: int, end: int, language: str, first: int, second: int) -> Points:
    """Two points uniform over the code points, both ends included."""
    return _ordered(below(first, end - start + 1), below(second, end - start + 1))


def _line(text: str, start: int, end: int, language: str, first: int, second: int) -> Points:
    """Two points uniform over the starts of lines, the segment's own start and end included."""
    starts = [match.end() - start for match in _NEWLINE.finditer(text, start, end)]
    points = sorted({0, *starts, end - start})
    return _ordered(points[below(first, len(points))], points[below(second, len(points))])


def _cursor(text: str, start: int, end: int, language: str, first: int, second: int) -> Points:
    """What an editor sends: the text up to the cursor, and the rest of the line or of a few.

    The prefix ends at a uniform code point, or behind the indentation (spaces and tabs) of its
    line where it falls into that; a blank line is all indentation. The middle runs to the end of
    that line with probability 1/2, of the next with 1/4, and so on, or of the segment's last. It
    leaves out the line end, be it \\n or \\r\\n. Where the segment ends, its last line does.
    """
    point = start + below(first, end - start)
    line = text.rfind("\n", 0, point) + 1
    line_end = _line_end(text, max(line, start), end)
    indented = _INDENTATION.match(text, line, line_end)
    typed = indented.end() if indented else start
    cursor = max(start, min(max(point, typed), line_end))
    for _ in range(_DRAW_BITS - second.bit_length()):  # leading zeros: none for half of all draws
        following = text.find("\n", line_end, end) + 1
        if not following:
            break
        line_end = _line_end(text, following, end)
    return cursor - start, line_end - start


def _syntax(
    text: str, start: int, end: int, language: str, first: int, second: int
) -> Points | None:
    """The run of whole nodes of syntax that agrees best with a span drawn by character."""
    tree = tree_of(text, language)
    if tree is None:
        return None
    span = _character(text, start, end, language, first, second)
    found = aligned(tree, (start, end), (start + span[0], start + span[1]))
    return found and (found[0] - start, found[1] - start)


def _ordered(one: int, other: int) -> Points:
    return min(one, other), max(one, other)


def _line_end(text: str, at: int, end: int) -> int:
    """Where the line around `at` ends, before its \\n or \\r\\n; `end` where it goes on there."""
    newline = text.find("\n", at, end + 1)  # one more: "\r" may be the segment's last
    if newline < 0:
        return end
    return newline - 1 if text[at:newline].endswith("\r") else newline


CUTS: dict[str, Callable[[str, int, int, str, int, int], Points | None]] = {
    "character": _character,
    "line": _line,
    "syntax": _syntax,
    "cursor": _cursor,
}
