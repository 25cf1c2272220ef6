"""The one stream of blocks that training, validation and preview read.

Every rank runs the same packer over the same documents and keeps the blocks that are its own, so
block N is the same for any number of ranks; the packer's state is what a checkpoint stores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from data_formats.document import Document
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences.block import Block, make_block
from finetune.sequences.order import DocumentOrder, shares_of
from finetune.sequences.packing import Counts, Packer
from finetune.tokenizer import CodeTokenizer


@dataclass
class BlockStream:
    """An iterator of blocks whose position can be stored and restored."""

    packer: Packer
    isolate: bool

    def __iter__(self) -> Iterator[Block]:
        return self

    def __next__(self) -> Block:
        window = self.packer.next_window()
        if window is None:
            raise StopIteration
        packer = self.packer
        return make_block(
            window, length=packer.length, isolate=self.isolate, pad=packer.tokenizer.pad
        )

    @property
    def documents(self) -> Sequence[Document]:
        """What the segments of blocks point into."""
        return self.packer.documents

    @property
    def counts(self) -> Counts:
        """What was packed so far."""
        return self.packer.counts

    def state(self) -> dict[str, Any]:
        """JSON from which `restore` gives the identical next block."""
        return self.packer.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where `state` was taken; the recipe and documents must be the same."""
        self.packer.restore(state)


def block_stream(
    documents: Sequence[Document],
    tokenizer: CodeTokenizer,
    fim: Fim,
    sequences: Sequences,
    *,
    seed: int,
    weights: Sequence[float | None],
    epochs: int | None = None,
) -> BlockStream:
    """Blocks of `documents`, endless or for a number of passes.

    `weights` has one entry per source of the recipe (see `shares_of`).
    """
    order = DocumentOrder(documents, shares_of(documents, weights), seed, epochs)
    packer = Packer(documents, order, tokenizer, fim, sequences.labels, sequences.length, seed)
    return BlockStream(packer, sequences.isolate_documents)
