"""Documents -> windows of exactly `length` tokens, nothing lost and nothing cut after writing.

Each candidate is written first, sentinels and end included, so its length is known before it is
placed. The oldest candidate opens a window, then the longest that still fits follows, and when
none fits, one document is split at a line so that its head fills the room. Both halves of a
split are segments of their own, with their own draw. The tail goes to the end of the queue: a long
document is dealt out among the others, for blocks of one file in a row make a noisy gradient.

Writing costs little (`encoder.py`), and the ids themselves are copied only where a window becomes
a block: a rank that plans the windows of all ranks pays for its own.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, islice
from typing import Any

from finetune.errors import UserError
from finetune.recipe.schema import Fim, Labels
from finetune.sequences.counts import Counts
from finetune.sequences.draws import Draws, draws, happens
from finetune.sequences.encoder import Tokens
from finetune.sequences.order import DocumentOrder, Turn
from finetune.sequences.segment import (
    OVERHEAD,
    Cut,
    Written,
    choose_cut,
    write_parts,
    write_segment,
)
from finetune.sequences.tokenised import TokenisedCorpus

LOOK_AHEAD = 256
"""Candidates held at once: memory does not grow with the corpus."""
SMALLEST_LOOK_AHEAD = 16
"""Of a corpus of few documents."""
SMALLEST_SPLIT = 16
"""Room in tokens below which a window is padded rather than given a document's first lines."""
TRIED = 8
"""Documents whose first lines are tried where a room is to be filled."""
FULL_ENOUGH = 4
"""Tokens of room that end the trying."""
GROWTH = 2
"""Tokens by which cutting inside tokens lengthens a segment, about (1.8 on average)."""


@dataclass(frozen=True)
class Rule:
    """How the documents of one source are written."""

    fim: Fim
    labels: Labels = "all"
    weight: float | None = None
    """Share of the tokens; None for a share by size."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of one document at one pass, and how it is written."""

    turn: Turn
    start: int
    """First code point of the segment in its document."""
    end: int
    written: tuple[Written, ...]
    """Its parts; a plain document's segment has one."""
    rule: Rule
    length: int
    """Tokens, sentinels and end included."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is left of one document at one pass, waiting for its place."""

    turn: Turn
    start: int
    """First code point that is still to be placed."""
    drawn: Draws
    """Of the segment that starts there, however long it will be."""
    whole: Segment | None
    """All that is left; None where it is longer than a window and will be split."""


@dataclass
class Packer:
    """An iterator of windows with a small JSON state."""

    corpus: TokenisedCorpus
    order: DocumentOrder
    rules: Sequence[Rule]
    """By source."""
    length: int
    seed: int
    counts: Counts = field(default_factory=Counts)
    _waiting: dict[int, Candidate] = field(init=False, default_factory=dict)
    """By serial number, the oldest first."""
    _fitting: list[tuple[int, int]] = field(init=False, default_factory=list)
    """(length, -serial) of those that fit a window whole, ascending."""
    _serials: Iterator[int] = field(init=False, default_factory=count)

    @property
    def look_ahead(self) -> int:
        """Candidates held at once: of a small corpus a quarter, so that passes follow each other
        instead of being mixed."""
        return min(LOOK_AHEAD, max(SMALLEST_LOOK_AHEAD, len(self.corpus) // 4))

    def next_window(self) -> list[Segment] | None:
        """Segments of at most `length` tokens in all, or None when the order is exhausted."""
        self._refill()
        if not self._waiting:
            return None
        window: list[Segment] = []
        room = self.length
        while room and self._waiting:
            placed = self._whole(room, first=not window) or self._head(room, first=not window)
            if placed is None:
                break
            window.append(placed)
            room -= placed.length
            self._refill()
        self.counts.add(window, room)
        return window

    def _refill(self) -> None:
        while len(self._waiting) < self.look_ahead:
            turn = self.order.next()
            if turn is None:
                return
            self._wait(self._candidate(turn, 0))

    def _wait(self, candidate: Candidate) -> None:
        """Queue up behind all others."""
        serial = next(self._serials)
        self._waiting[serial] = candidate
        if candidate.whole:
            insort(self._fitting, (candidate.whole.length, -serial))

    def _leave(self, serial: int) -> Candidate:
        candidate = self._waiting.pop(serial)
        if candidate.whole:
            key = (candidate.whole.length, -serial)
            del self._fitting[bisect_right(self._fitting, key) - 1]
        return candidate

    def _candidate(self, turn: Turn, start: int) -> Candidate:
        """What follows code point `start`, written where it can fit a window as a whole."""
        drawn = draws(self.seed, turn.epoch, self.corpus.id_of(turn.document), start)
        waiting = Candidate(turn, start, drawn, None)
        if start == 0 and int(self.corpus.rows["tokens"][turn.document]) > self.length:
            return waiting
        tokens = self.corpus.read(turn.document)
        if len(tokens.ids) - tokens.index(start) > self.length:
            return waiting
        whole = self._write(waiting, tokens, len(tokens.text))
        if whole.length > self.length:
            return waiting
        if start > 0:  # a view would keep the ids of all the document while this waits
            copies = tuple(part.copied() for part in whole.written)
            whole = replace(whole, written=copies)
        return replace(waiting, whole=whole)

    def _write(self, candidate: Candidate, tokens: Tokens, end: int) -> Segment:
        turn, start, rule = candidate.turn, candidate.start, self._rule(candidate.turn)
        text, encoder = tokens.text, self.corpus.encoder
        language = self.corpus.language(turn.document)
        outline = tokens.outline
        if outline is None:
            cut = choose_cut(text, start, end, language, rule.fim, candidate.drawn)
            one = write_segment(tokens, start, end, cut, encoder)
            return Segment(turn, start, end, (one,), rule, one.length)

        def cut_of(low: int, high: int) -> Cut | None:
            drawn = draws(self.seed, turn.epoch, self.corpus.id_of(turn.document), low)
            first, last = outline.body_at(low, len(text))
            # What stands around a body is not its language: a tree is of the body alone.
            body = text[first:last]
            return choose_cut(body, low - first, high - first, language, rule.fim, drawn)

        written = write_parts(tokens, start, end, cut_of, encoder)
        return Segment(turn, start, end, written, rule, sum(part.length for part in written))

    def _rule(self, turn: Turn) -> Rule:
        return self.rules[int(self.corpus.rows["source"][turn.document])]

    def _whole(self, room: int, *, first: bool) -> Segment | None:
        """The oldest candidate opens a window; then the longest that fits, oldest of equals."""
        if first:
            serial = next(iter(self._waiting))
            return self._leave(serial).whole if self._waiting[serial].whole else None
        at = bisect_right(self._fitting, (room, 1)) - 1
        return self._leave(-self._fitting[at][1]).whole if at >= 0 else None

    def _head(self, room: int, *, first: bool) -> Segment | None:
        """The first lines of a candidate, to fill the room; the tail queues up anew."""
        if first:
            (serial,) = islice(self._waiting, 1)
            head = self._longest(serial, room)
            if head is None:
                head = self._longest(serial, room, by_line=False)
                self.counts.splits_in_lines += 1
            if head is None:
                raise UserError(
                    f"sequences.length: {self.length} tokens are too few for a document's first "
                    "characters and the sentinels around them; make it longer"
                )
            return self._split(serial, head)
        if room < SMALLEST_SPLIT:
            return None
        best: tuple[int, Segment] | None = None
        for serial in self._splittable():
            head = self._longest(serial, room)
            if head and (best is None or head.length > best[1].length):
                best = serial, head
                if room - head.length < FULL_ENOUGH:
                    break
        return self._split(*best) if best else None

    def _splittable(self) -> list[int]:
        """A few of the oldest that must be split anyhow, else of the others."""
        long = (s for s, candidate in self._waiting.items() if candidate.whole is None)
        return list(islice(long, TRIED)) or list(islice(self._waiting, TRIED))

    def _split(self, serial: int, head: Segment) -> Segment:
        self.counts.splits += 1
        self._leave(serial)
        self._wait(self._candidate(head.turn, head.end))
        return head

    def _longest(self, serial: int, room: int, *, by_line: bool = True) -> Segment | None:
        """The longest run of whole lines that fits once written, as far as can be told.

        Not `by_line`, of characters: for a line that is longer than a window.
        """
        candidate = self._waiting[serial]
        start, tokens = candidate.start, self.corpus.read(candidate.turn.document)
        first = tokens.index(start)
        is_cut = happens(candidate.drawn.transform, self._rule(candidate.turn).fim.rate)
        overhead = OVERHEAD + GROWTH if is_cut else 0
        wanted = min(room - overhead, len(tokens.ids) - first - 1)
        while wanted > 0:
            end = int(tokens.starts[first + wanted])
            if by_line:
                end = tokens.text.rfind("\n", start, end) + 1
            if end <= start:
                return None
            head = self._write(candidate, tokens, end)
            if head.length <= room:
                return head
            wanted = min(wanted, tokens.index(end) - first) - (head.length - room)
        return None

    def state(self) -> dict[str, Any]:
        """JSON: where the order stands and which segments wait. Small whatever the corpus."""
        waiting = [[c.turn.document, c.turn.epoch, c.start] for c in self._waiting.values()]
        return {"order": self.order.state(), "waiting": waiting, "counts": self.counts.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where `state` was taken."""
        self.order.restore(state["order"])
        self.counts = Counts.of(state["counts"])
        self._waiting.clear()
        self._fitting.clear()
        for document, epoch, start in state["waiting"]:
            self._wait(self._candidate(Turn(document, epoch), start))
