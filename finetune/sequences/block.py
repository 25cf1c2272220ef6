"""A window as the arrays a model is given: exactly `length` ids, labels and positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.sequences.order import Turn
from finetune.sequences.packing import Segment
from finetune.sequences.segment import IGNORED, Cut
from finetune.sequences.tokenised import TokenisedCorpus


@dataclass(frozen=True, slots=True)
class Placed:
    """Where one segment stands in a block, sentinels and end included."""

    turn: Turn
    segment: tuple[int, int]
    """First and last but one code point of the segment in its document."""
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
    pieces = [piece for segment in window for piece in segment.written.pieces]
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
        written, end = segment.written, start + segment.length
        if isolate:
            position_ids[start:end] -= start
        masked = written.num_context if segment.rule.labels == "middle" else 0
        labels[start : start + max(masked, int(isolate))] = IGNORED
        bounds = (segment.start, segment.end)
        placed.append(Placed(segment.turn, bounds, written.cut, written.roles, start, end))
        start = end
    if isolate:
        position_ids[size:] -= size
    return Block(input_ids, labels, position_ids, tuple(placed))


def segment_text(placed: Placed, corpus: TokenisedCorpus) -> str:
    """The original text of a segment."""
    start, end = placed.segment
    return corpus.read(placed.turn.document).text[start:end]


def as_json(block: Block, corpus: TokenisedCorpus) -> dict[str, Any]:
    """What `finetune preview --json` prints for a block."""
    described = []
    for placed in block.placed:
        cut = placed.cut
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
            }
        )
    return {
        "input_ids": block.input_ids.tolist(),
        "labels": block.labels.tolist(),
        "position_ids": block.position_ids.tolist(),
        "documents": described,
    }
