"""What is known of a document beside its text: sentinels, what may be cut, what is learned.

Most documents are plain and have none; those of commits, issues, notebooks and repositories do.
"""

import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from data_formats.document import Document, Mark, Span


@dataclass(frozen=True)
class Outline:
    """Places are code points of the document's text."""

    marks: tuple[Mark, ...] = ()
    bodies: tuple[Span, ...] | None = None
    """What may be cut; None: the whole text."""
    learned: tuple[Span, ...] | None = None
    """What carries loss; None: the whole text."""

    @cached_property
    def breaks(self) -> list[int]:
        """Where the text is parted before it is tokenised, ascending, each once."""
        learned = [place for span in self.learned or () for place in span]
        return sorted({mark.at for mark in self.marks} | {*learned})

    @cached_property
    def _counts(self) -> Counter[int]:
        return Counter(mark.at for mark in self.marks if mark.token)

    def num_tokens_at(self, place: int) -> int:
        """Sentinels that stand before code point `place`."""
        return self._counts[place]

    def is_break(self, place: int) -> bool:
        at = bisect_left(self.breaks, place)
        return at < len(self.breaks) and self.breaks[at] == place

    def runs(self, start: int, end: int) -> list[Span]:
        """`start` to `end`, parted at the breaks inside."""
        points = [start, *(place for place in self.breaks if start < place < end), end]
        return list(pairwise(points))

    def parts(self, start: int, end: int, size: int) -> list[tuple[int, int, bool]]:
        """`start` to `end` of a text of `size`, as what may be cut and what stands between."""
        bodies = ((0, size),) if self.bodies is None else self.bodies
        parts, at = [], start
        for low, high in bodies:
            low, high = max(low, start), min(high, end)
            if low >= high:
                continue
            if at < low:
                parts.append((at, low, False))
            parts.append((low, high, True))
            at = high
        if at < end or not parts:
            parts.append((at, end, False))
        return parts

    def body_at(self, place: int, size: int) -> Span:
        """The body in which code point `place` of a text of `size` lies."""
        if self.bodies is None:
            return 0, size
        return self.bodies[bisect_right(self.bodies, (place, size)) - 1]

    def learns_text(self, start: int, end: int) -> bool:
        """Whether a run of text carries loss; it lies inside a learned span or outside all."""
        return self.learned is None or any(a <= start and end <= b for a, b in self.learned)

    def learns_token(self, place: int) -> bool:
        """Whether a sentinel before `place` carries loss: one that ends what is learned does, one
        that opens it does not."""
        return self.learned is None or any(a < place <= b for a, b in self.learned)

    def to_json(self) -> str:
        marks = [[mark.at, mark.token] for mark in self.marks]
        return json.dumps([marks, self.bodies, self.learned])

    @staticmethod
    def from_json(text: str) -> "Outline":
        marks, bodies, learned = json.loads(text)
        return Outline(tuple(Mark(*mark) for mark in marks), _spans(bodies), _spans(learned))


def _spans(spans: Sequence[Sequence[int]] | None) -> tuple[Span, ...] | None:
    return None if spans is None else tuple((start, end) for start, end in spans)


def outline_of(document: Document) -> Outline | None:
    """The outline of a document, or None where it is plain.

    A sentinel inside what may be cut could end up on the wrong side of it: no reader makes one.
    """
    outline = Outline(document.marks, document.bodies, document.learned)
    if outline == Outline():
        return None
    for start, end in ((0, len(document.text)),) if document.bodies is None else document.bodies:
        inside = [mark for mark in document.marks if start < mark.at < end]
        assert not inside, f"{document.path}: {inside} stand inside what may be cut"
    assert not (document.learned and document.bodies != ()), "a document is cut, or masked"
    return outline
