"""Mean losses of a model over held-out code, one per layout, on the same cuts every time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from finetune.models.forward import collate, num_labels, token_losses
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Block, Rule, TokenisedCorpus, block_stream
from finetune.sequences.block import Placed, segment_text
from finetune.sequences.segment import IGNORED

LAYOUTS = {
    "left_to_right": Fim(rate=0.0),
    "psm": Fim(rate=1.0, spm=0.0),
    "spm": Fim(rate=1.0, spm=1.0),
}
"""What is measured. In `psm` and `spm` the loss is that of the middle and its end alone."""

CUTS_SEED = 1_000_003
"""Of the cuts of held-out code: the same for every run, base and tuned, whatever they train on."""


@dataclass(frozen=True)
class Measured:
    """A sum of losses and what it was taken over."""

    nats: float
    tokens: int
    bytes: int

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def bits_per_byte(self) -> float:
        """Comparable between tokenizers."""
        return self.nats / math.log(2) / self.bytes if self.bytes else math.nan

    def __add__(self, other: "Measured") -> "Measured":
        return Measured(
            self.nats + other.nats, self.tokens + other.tokens, self.bytes + other.bytes
        )


@dataclass(frozen=True)
class MeasuringSet:
    """Blocks of held-out code in one layout."""

    blocks: tuple[Block, ...]
    bytes: int
    """UTF-8 bytes of the text whose tokens have a loss."""


def measuring_set(
    corpus: TokenisedCorpus,
    layout: str,
    length: int,
    max_tokens: int,
) -> MeasuringSet:
    """Whole blocks of at most `max_tokens` tokens (always at least one), each document once."""
    if LAYOUTS[layout].rate:
        corpus = corpus.only([at for at in range(len(corpus)) if _can_be_cut(corpus, at)])
    num_sources = 1 + int(max(corpus.rows["source"], default=0))
    stream = block_stream(
        corpus,
        [Rule(LAYOUTS[layout], "middle")] * num_sources,
        Sequences(length=length),
        seed=CUTS_SEED,
        epochs=1,
    )
    blocks = tuple(_at_most(stream, max(1, max_tokens // length)))
    scored = sum(_scored_bytes(block, corpus) for block in blocks)
    return MeasuringSet(blocks, scored)


def _can_be_cut(corpus: TokenisedCorpus, document: int) -> bool:
    outline = corpus.read(document).outline
    return outline is None or outline.bodies != ()


def _at_most(stream: Iterator[Block], limit: int) -> Iterator[Block]:
    for _, block in zip(range(limit), stream, strict=False):
        yield block


def _scored_bytes(block: Block, corpus: TokenisedCorpus) -> int:
    """Bytes of the text whose tokens have a label.

    Nothing precedes the first token of a segment, so left to right it has none.
    """
    total = 0
    for placed in block.placed:
        cut, text = placed.cut, segment_text(placed, corpus)
        labels = block.labels[placed.start : placed.end]
        if cut:
            total += len(text[cut.prefix_end : cut.middle_end].encode())
            continue
        first = [int(block.input_ids[placed.start])] if labels[0] == IGNORED else []
        passed_over = len(corpus.tokenizer.decode(first))
        if (labels[1:] != IGNORED).all():
            total += len(text[passed_over:].encode())
        else:
            total += len(_learned_text(placed, passed_over, corpus).encode())
    return total


def _learned_text(placed: Placed, passed_over: int, corpus: TokenisedCorpus) -> str:
    """What a part of a segment without cuts holds of the text that is learned, without so many of
    its first characters."""
    tokens, (start, end) = corpus.read(placed.turn.document), placed.segment
    start += passed_over
    spans = tokens.outline.learned if tokens.outline else None
    inside = [(max(low, start), min(high, end)) for low, high in spans or ()]
    return "".join(tokens.text[low:high] for low, high in inside if low < high)


@torch.inference_mode()
def measure(model: Any, measured: MeasuringSet, micro_batch: int) -> Measured:
    """Losses of one process over all blocks."""
    nats, tokens = sum_losses(model, measured.blocks, micro_batch)
    return Measured(nats, tokens, measured.bytes)


def sum_losses(model: Any, blocks: Sequence[Block], micro_batch: int) -> tuple[float, int]:
    """Sum of nats and number of labels over `blocks`."""
    device = next(model.parameters()).device
    nats = 0.0
    for at in range(0, len(blocks), micro_batch):
        batch = collate(blocks[at : at + micro_batch], device)
        nats += float(token_losses(model, batch).double().sum())
    return nats, sum(num_labels(block) for block in blocks)


def blank(block: Block) -> Block:
    """The same block without any label: fills up a rank that has fewer blocks than others."""
    import numpy as np

    return Block(block.input_ids, np.full_like(block.labels, IGNORED), block.position_ids, ())
