"""One rank's share of the stream of blocks, and a position from which any other share goes on.

Of the blocks from the position on, a rank takes every `ranks`-th, and of those each worker every
`workers`-th; all of them plan the same windows and lay out their own alone. With each block comes
the packer's state behind it, so the position is known whoever built the block.
"""

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from finetune.errors import Failed
from finetune.sequences import Block, BlockStream
from finetune.sequences.counts import Counts

State = dict[str, Any]
AHEAD = 8
"""Blocks that each worker builds ahead."""


@dataclass
class Share(IterableDataset):
    """What a worker of a rank reads, from `first` on: each block, and the state behind it."""

    stream: BlockStream
    first: int
    rank: int
    ranks: int

    def __iter__(self) -> Iterator[tuple[Block, State]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        wanted = self.first + self.rank + self.ranks * worker
        while self.stream.skip_to(wanted):
            block = next(self.stream, None)
            if block is None:
                return
            yield block, self.stream.state()
            wanted += self.ranks * workers


@dataclass
class Feed:
    """Hands out a rank's blocks. `stream` stands at its beginning until `start`."""

    stream: BlockStream
    rank: int = 0
    ranks: int = 1
    workers: int = 0
    _position: int = field(init=False, default=0)
    """Number of the next block of all ranks together."""
    _packer: State = field(init=False)
    """Of the packer, somewhere at or before that block."""
    _blocks: Iterator[tuple[Block, State]] = field(init=False)

    def start(self, state: State | None = None) -> None:
        """Begin at the first block, or where `state` was taken by any number of ranks."""
        if state is not None:
            self.stream.restore(state["packer"])
        self._position = state["next_block"] if state else 0
        self._packer = self.stream.state()
        share = Share(self.stream, self._position, self.rank, self.ranks)
        if self.workers == 0:
            self._blocks = iter(share)
            return
        loader = DataLoader(
            share,
            batch_size=None,
            num_workers=self.workers,
            collate_fn=_as_it_is,
            prefetch_factor=AHEAD,
            multiprocessing_context="fork",  # the stream and its open files are inherited
            generator=torch.Generator(),  # dropout's own must not move with the workers
            worker_init_fn=_outlive_sigterm,
        )
        self._blocks = iter(loader)

    def take(self, count: int) -> list[Block]:
        """This rank's next blocks. Raises Failed where the stream has ended."""
        blocks = []
        for _ in range(count):
            found = next(self._blocks, None)
            if found is None:
                raise Failed("the corpus ended before the training did")
            block, self._packer = found
            blocks.append(block)
            self._position += self.ranks
        return blocks

    def state(self) -> State:
        """JSON for `start`, in this or any other division into ranks and workers."""
        return {"next_block": self._position, "packer": self._packer}

    @property
    def counts(self) -> Counts:
        """What was packed up to this rank's last block, for all ranks."""
        return Counts.of(self._packer["counts"])

    @property
    def passes(self) -> dict[int, float]:
        """How often each source was read up to there, the packer's look-ahead included."""
        return self.stream.packer.order.passes_at(self._packer["order"])


def _as_it_is(item: Any) -> Any:
    return item


def _outlive_sigterm(_: int) -> None:
    """The rank saves after SIGTERM and ends its workers itself."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
