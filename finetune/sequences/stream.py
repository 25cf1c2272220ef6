"""The one stream of blocks that training, validation and preview read.

Every rank runs the same packer over the same documents and keeps the blocks that are its own, so
block N is the same for any number of ranks; the packer's state is what a checkpoint stores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from finetune.recipe.schema import Data, Fim, Sequences
from finetune.sequences.block import Block, make_block
from finetune.sequences.counts import Counts
from finetune.sequences.order import DocumentOrder, shares_of
from finetune.sequences.packing import Packer, Rule
from finetune.sequences.tokenised import TokenisedCorpus


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
        pad = self.corpus.tokenizer.pad
        return make_block(window, length=self.packer.length, isolate=self.isolate, pad=pad)

    def skip_to(self, block: int) -> bool:
        """Plan, and do not lay out, the blocks before number `block`; False where they end."""
        while self.position < block:
            if self.packer.next_window() is None:
                return False
        return True

    @property
    def position(self) -> int:
        """Number of the next block, the first being 0."""
        return self.counts.windows

    @property
    def corpus(self) -> TokenisedCorpus:
        """What the segments of blocks point into."""
        return self.packer.corpus

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
    corpus: TokenisedCorpus,
    rules: Sequence[Rule],
    sequences: Sequences,
    *,
    seed: int,
    epochs: int | None = None,
) -> BlockStream:
    """Blocks of a corpus, endless or for a number of passes.

    `rules` has one entry per source of the recipe.
    """
    sizes, sources = corpus.rows["tokens"], corpus.rows["source"]
    shares = shares_of(sizes, sources, [rule.weight for rule in rules])
    order = DocumentOrder(sizes, sources, shares, seed, epochs)
    packer = Packer(corpus, order, rules, sequences.length, seed)
    return BlockStream(packer, sequences.isolate_documents)


def rules_of(data: Data, fim: Fim, sequences: Sequences) -> list[Rule]:
    """How each source of a recipe is written: the recipe's way, but for what the source says."""
    return [
        Rule(fim.changed_by(source.fim), source.labels or sequences.labels, source.weight)
        for source in data.sources
    ]
