"""Documents -> windows of exactly `length` tokens, nothing lost and nothing cut after writing.

Each candidate is written first, sentinels and end included, so its length is known before it is
placed. The oldest candidate opens a window, then the longest that still fits follows, and when
none fits, one document is split at a line so that its head fills the room. Both halves of a
split are segments of their own, with their own draw. The tail goes to the end of the queue: a long
document is dealt out among the others, for blocks of one file in a row make a noisy gradient.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from data_formats.document import Document
from finetune.errors import UserError
from finetune.recipe.schema import Fim
from finetune.sequences.draws import draws
from finetune.sequences.order import DocumentOrder, Turn
from finetune.sequences.segment import WrittenSegment, choose_cut, write_segment
from finetune.tokenizer import CodeTokenizer

LOOK_AHEAD = 64
"""Candidates held at once: memory does not grow with the corpus."""
SMALLEST_SPLIT = 32
"""Room in tokens below which a window is padded rather than given a document's first lines."""


@dataclass(frozen=True)
class Segment:
    """A written part of one document at one pass."""

    turn: Turn
    start: int
    """First code point of the segment in its document."""
    end: int
    written: WrittenSegment

    @property
    def length(self) -> int:
        """Tokens, sentinels and end included."""
        return len(self.written.ids)


@dataclass(frozen=True)
class Candidate:
    """What is left of one document at one pass, waiting for its place."""

    turn: Turn
    start: int
    """First code point that is still to be placed."""
    starts: Sequence[int]
    """Code point at which each token of the document starts; empty where it surely fits."""
    written: Segment | None
    """None where it is longer than a window and will be split."""


@dataclass
class Counts:
    """What the packer did, for the report: nothing is split, padded or left out uncounted."""

    documents: int = 0
    """Placed to their end; counted again at every pass."""
    segments: int = 0
    psm: int = 0
    spm: int = 0
    splits: int = 0
    windows: int = 0
    tokens: int = 0
    padding: int = 0

    @property
    def effective_rate(self) -> float:
        """Share of segments that were transformed."""
        return (self.psm + self.spm) / self.segments if self.segments else 0.0

    @property
    def fill(self) -> float:
        """Share of positions that hold a token of a document."""
        return self.tokens / (self.tokens + self.padding) if self.tokens else 0.0


@dataclass
class Packer:
    """An iterator of windows with a small JSON state."""

    documents: Sequence[Document]
    order: DocumentOrder
    tokenizer: CodeTokenizer
    fim: Fim
    labels: str
    length: int
    seed: int
    counts: Counts = field(default_factory=Counts)
    _pending: list[Candidate] = field(default_factory=list)

    def next_window(self) -> list[Segment] | None:
        """Segments of at most `length` tokens in all, or None when the order is exhausted."""
        self._refill()
        if not self._pending:
            return None
        window: list[Segment] = []
        room = self.length
        while room and self._pending:
            position = self._best(room, first=not window)
            if position is None:
                if not window or room >= SMALLEST_SPLIT:
                    head = self._split(room, first=not window)
                    window += [head] if head else []
                break
            placed = self._pending.pop(position).written
            assert placed is not None, "only a written candidate fits"
            window.append(placed)
            room -= placed.length
            self._refill()
        self._count(window)
        return window

    def _refill(self) -> None:
        while len(self._pending) < LOOK_AHEAD:
            turn = self.order.next()
            if turn is None:
                return
            self._pending.append(self._candidate(turn, 0))

    def _candidate(self, turn: Turn, start: int, starts: Sequence[int] = ()) -> Candidate:
        """What follows code point `start`, written where it can fit a window as a whole."""
        text = self.documents[turn.document].text
        if not starts and (len(text) - start) * 4 > self.length:  # 4 bytes, so 4 ids, at most
            starts = array("I", self.tokenizer.starts(text))
        if len(starts) - bisect_left(starts, start) > self.length:
            return Candidate(turn, start, starts, None)
        written = self._write(turn, start, len(text))
        return Candidate(turn, start, starts, written if written.length <= self.length else None)

    def _write(self, turn: Turn, start: int, end: int) -> Segment:
        document = self.documents[turn.document]
        text = document.text[start:end]
        drawn = draws(self.seed, turn.epoch, document.id, start)
        written = write_segment(
            text,
            choose_cut(text, self.fim, drawn),
            ends=end == len(document.text),
            labels=self.labels,
            tokenizer=self.tokenizer,
        )
        return Segment(turn, start, end, written)

    def _best(self, room: int, *, first: bool) -> int | None:
        """The oldest candidate opens a window; then the longest that fits, oldest of equals."""
        candidates = self._pending[:1] if first else self._pending
        fitting = [
            (candidate.written.length, -position)
            for position, candidate in enumerate(candidates)
            if candidate.written and candidate.written.length <= room
        ]
        return -max(fitting)[1] if fitting else None

    def _split(self, room: int, *, first: bool) -> Segment | None:
        """Cut a candidate so that its head fills `room`; the tail queues up behind the others."""
        longer = (i for i, candidate in enumerate(self._pending) if candidate.written is None)
        position = 0 if first else next(longer, 0)
        whole = self._pending[position]
        head = self._head(whole, room)
        if head is None and first:
            raise UserError(
                f"sequences.length: {self.length} tokens are too few for a document's first "
                "characters and the sentinels around them; make it longer"
            )
        if head is None:
            return None
        self.counts.splits += 1
        del self._pending[position]
        self._pending.append(self._candidate(whole.turn, head.end, whole.starts))
        return head

    def _head(self, whole: Candidate, room: int) -> Segment | None:
        """The longest run of whole lines that fits once written.

        Where an empty block cannot hold one line, the longest run of characters.
        """
        text = self.documents[whole.turn.document].text
        starts = whole.starts or self.tokenizer.starts(text)
        first = bisect_left(starts, whole.start)
        for by_line in (True, False) if room == self.length else (True,):
            wanted = min(room, len(starts) - first - 1)
            while wanted > 0:
                end = _boundary(text, starts[first + wanted], by_line=by_line)
                if end <= whole.start:
                    break
                head = self._write(whole.turn, whole.start, end)
                if head.length <= room:
                    return head
                inside = bisect_left(starts, end) - first
                wanted = min(wanted, inside) - (head.length - room)
        return None

    def _count(self, window: list[Segment]) -> None:
        counts = self.counts
        counts.windows += 1
        counts.segments += len(window)
        for segment in window:
            text = self.documents[segment.turn.document].text
            counts.documents += segment.end == len(text)
            cut = segment.written.cut
            counts.psm += cut is not None and cut.layout == "psm"
            counts.spm += cut is not None and cut.layout == "spm"
            counts.tokens += segment.length
        counts.padding += self.length - sum(segment.length for segment in window)

    def state(self) -> dict[str, Any]:
        """JSON: where the order stands and which segments wait. Small whatever the corpus."""
        pending = [[c.turn.document, c.turn.epoch, c.start] for c in self._pending]
        return {"order": self.order.state(), "pending": pending, "counts": vars(self.counts).copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where `state` was taken."""
        self.order.restore(state["order"])
        self.counts = Counts(**state["counts"])
        self._pending = [
            self._candidate(Turn(document, epoch), start)
            for document, epoch, start in state["pending"]
        ]


def _boundary(text: str, limit: int, *, by_line: bool) -> int:
    """The last line start at or before code point `limit`, or `limit` itself."""
    return text.rfind("\n", 0, limit) + 1 if by_line else limit
