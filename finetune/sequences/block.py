"""A window as the arrays a model is given: exactly `length` ids, labels and positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.sequences.order import Turn
from finetune.sequences.packing import Segment
from finetune.sequences.segment import IGNORED, Cut
from finetune.sequences.tokenised import TokenisedCorpus


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a segment, or a part of one, stands in a block, sentinels and end included."""

    turn: Turn
    segment: tuple[int, int]
    """First and last but one code point of its text in its document."""
    cut: Cut | None
    roles: Sequence[tuple[str, int]]
    """The parts in the order of writing, and how many tokens each has."""
    start: int
    end: int


@dataclass(frozen=True)
class Block:
    """One training sequence. Labels are aligned with ids; the model shifts them."""

    input_ids: NDArray[np.int64]  # (L,)
    labels: NDArray[np.int64]  # (L,)
    position_ids: NDArray[np.int64]  # (L,)
    placed: tuple[Placed, ...]


def make_block(window: Sequence[Segment], *, length: int, isolate: bool, pad: int) -> Block:
    """Lay the segments of `window` one behind the other and pad to `length`.

    With `isolate`, positions restart at every segment and its first label is masked: the token
    before it belongs to another document. Padding is masked by position, whatever id it has, and
    is a document of its own.
    """
    pieces = [piece for segment in window for part in segment.written for piece in part.pieces]
    size = sum(segment.length for segment in window)
    assert size <= length, "the packer never hands out more than fits"
    input_ids = np.empty(length, dtype=np.int64)  # (L,)
    np.concatenate(pieces, out=input_ids[:size])
    input_ids[size:] = pad
    labels = input_ids.copy()  # (L,)
    labels[size:] = IGNORED
    position_ids = np.arange(length, dtype=np.int64)  # (L,)
    placed, start = [], 0
    for segment in window:
        if isolate:
            position_ids[start : start + segment.length] -= start
            labels[start] = IGNORED
        _mask(labels[start : start + segment.length], segment)
        for part in segment.written:
            bounds, end = (part.start, part.end), start + part.length
            placed.append(Placed(segment.turn, bounds, part.cut, part.roles, start, end))
            start = end
    if isolate:
        position_ids[size:] -= size
    return Block(input_ids, labels, position_ids, tuple(placed))


def _mask(labels: NDArray[np.int64], segment: Segment) -> None:
    """Take the labels of what carries no loss, in the part of a block that a segment fills.

    With labels `middle`, a segment with cuts keeps those of its middles and of what ends each: the
    end, or the sentinel of the next file.
    """
    only_middles = segment.rule.labels == "middle" and any(p.cut for p in segment.written)
    at = first = 0
    for part in segment.written:
        end = at + part.length
        if only_middles:
            labels[at + first : at + part.num_context if part.cut else end] = IGNORED
            first = int(part.cut is not None and not part.has_end)
        if part.learned is not None:
            labels[at:end][~part.learned] = IGNORED
        at = end


def segment_text(placed: Placed, corpus: TokenisedCorpus) -> str:
    """The original text of a segment."""
    start, end = placed.segment
    return corpus.read(placed.turn.document).text[start:end]


def _marks(
    placed: Placed, following: Placed | None, corpus: TokenisedCorpus
) -> list[tuple[int, str]]:
    """Sentinels among a segment's text: before which of its code points, and which."""
    tokens, (start, end) = corpus.read(placed.turn.document), placed.segment
    if tokens.outline is None or placed.cut:
        return []
    is_before_a_cut = (
        following is not None
        and following.cut is not None
        and (following.turn, following.segment[0]) == (placed.turn, end)
    )
    last = end if is_before_a_cut or end == len(tokens.text) else end - 1
    marks = (mark for mark in tokens.outline.marks if mark.token)
    return [(mark.at - start, mark.token) for mark in marks if start <= mark.at <= last]


def as_json(block: Block, corpus: TokenisedCorpus) -> dict[str, Any]:
    """What `finetune preview --json` prints for a block."""
    described = []
    for placed, following in zip_longest(block.placed, block.placed[1:]):
        cut, marks = placed.cut, _marks(placed, following, corpus)
        described.append(
            {
                "id": corpus.id_of(placed.turn.document),
                "path": corpus.describe(placed.turn.document).path,
                "start": placed.start,
                "end": placed.end,
                "layout": cut.layout if cut else None,
                "prefix_end": cut.prefix_end if cut else None,
                "middle_end": cut.middle_end if cut else None,
                "segment": segment_text(placed, corpus),
                **({"marks": marks} if marks else {}),
            }
        )
    return {
        "input_ids": block.input_ids.tolist(),
        "labels": block.labels.tolist(),
        "position_ids": block.position_ids.tolist(),
        "documents": described,
    }
