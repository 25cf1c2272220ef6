"""A window as the arrays a model is given: exactly `length` ids, labels and positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_formats.document import Document
from finetune.sequences.packing import Segment
from finetune.sequences.segment import IGNORED


@dataclass(frozen=True)
class Placed:
    """Where one segment stands in a block, sentinels and end included."""

    segment: Segment
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
    input_ids = np.full(length, pad, dtype=np.int64)  # (L,)
    labels = np.full(length, IGNORED, dtype=np.int64)  # (L,)
    position_ids = np.arange(length, dtype=np.int64)  # (L,)
    placed, at = [], 0
    for segment in window:
        end = at + segment.length
        assert end <= length, "the packer never hands out more than fits"
        input_ids[at:end] = segment.written.ids
        labels[at:end] = segment.written.labels
        if isolate:
            position_ids[at:end] = np.arange(segment.length)
            labels[at] = IGNORED
        placed.append(Placed(segment, at, end))
        at = end
    if isolate:
        position_ids[at:] = np.arange(length - at)
    return Block(input_ids, labels, position_ids, tuple(placed))


def as_json(block: Block, documents: Sequence[Document]) -> dict[str, Any]:
    """What `finetune preview --json` prints for a block."""
    described = []
    for placed in block.placed:
        segment, cut = placed.segment, placed.segment.written.cut
        document = documents[segment.turn.document]
        described.append(
            {
                "id": document.id,
                "path": document.path,
                "start": placed.start,
                "end": placed.end,
                "layout": cut.layout if cut else None,
                "prefix_end": cut.prefix_end if cut else None,
                "middle_end": cut.middle_end if cut else None,
                "segment": document.text[segment.start : segment.end],
            }
        )
    return {
        "input_ids": block.input_ids.tolist(),
        "labels": block.labels.tolist(),
        "position_ids": block.position_ids.tolist(),
        "documents": described,
    }
