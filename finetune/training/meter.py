"""What a step learned and what it cost: losses by layout, speed, memory, waiting for data."""

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finetune.models.measure import LAYOUTS
from finetune.sequences import Block
from finetune.sequences.segment import IGNORED

_NUMBERS = {name: number for number, name in enumerate(LAYOUTS)}


def layout_numbers(blocks: Sequence[Block]) -> NDArray[np.int64]:
    """Which of LAYOUTS the token is written in that each place predicts. (B, L - 1)"""
    numbers = np.zeros((len(blocks), len(blocks[0].input_ids)), dtype=np.int64)  # (B, L)
    for row, block in zip(numbers, blocks, strict=True):
        for placed in block.placed:
            if placed.cut is not None:
                row[placed.start : placed.end] = _NUMBERS[placed.cut.layout.partition("_")[0]]
    return numbers[:, 1:]


@dataclass
class Tally:
    """Sums over one rank's share of a step. Nothing waits for the device before `vector`."""

    device: Any
    nats: Tensor = field(init=False)
    """By layout, in double precision."""
    labels: NDArray[np.int64] = field(init=False)
    """By layout."""
    pairs: int = 0
    """Of a token and one that it attends to, itself included."""

    def __post_init__(self) -> None:
        self.nats = torch.zeros(len(LAYOUTS), dtype=torch.float64, device=self.device)  # (3,)
        self.labels = np.zeros(len(LAYOUTS), dtype=np.int64)  # (3,)

    def add(self, blocks: Sequence[Block], losses: Tensor) -> None:
        """Count `losses` (B, L - 1) of `blocks`."""
        numbers = layout_numbers(blocks)  # (B, L - 1)
        has_label = np.stack([block.labels[1:] != IGNORED for block in blocks])  # (B, L - 1)
        self.labels += np.bincount(numbers[has_label], minlength=len(LAYOUTS))
        self.pairs += sum(int((block.position_ids + 1).sum()) for block in blocks)
        where = torch.from_numpy(numbers.ravel()).to(self.nats.device)  # (B * (L - 1),)
        self.nats.index_add_(0, where, losses.detach().flatten().double())

    def vector(self) -> Tensor:
        """All sums as one tensor that ranks can add up. (7,)"""
        counts = torch.tensor([*self.labels.tolist(), self.pairs], dtype=torch.float64)
        return torch.cat((self.nats, counts.to(self.nats.device)))


@dataclass(frozen=True)
class Totals:
    """The sums of all ranks."""

    nats: dict[str, float]
    labels: dict[str, int]
    pairs: int

    @classmethod
    def of(cls, vector: Sequence[float]) -> "Totals":
        """From the added-up vectors of all tallies."""
        size = len(LAYOUTS)
        nats, labels = vector[:size], map(int, vector[size : 2 * size])
        return cls(
            dict(zip(LAYOUTS, nats, strict=True)),
            dict(zip(LAYOUTS, labels, strict=True)),
            int(vector[2 * size]),
        )

    @property
    def loss(self) -> float:
        """Nats per label; 0 where a step holds none."""
        return sum(self.nats.values()) / max(1, sum(self.labels.values()))

    def losses(self) -> dict[str, float]:
        """The same by layout, of those that occurred."""
        return {name: self.nats[name] / count for name, count in self.labels.items() if count}


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What training comes to in floating-point operations, forward and backward."""

    per_token: float
    """In matrices."""
    per_pair: float
    """In attention, for a token and one that it attends to."""
    peak: float | None
    """Of all processes together, per second; None where the device's is not known."""

    def utilisation(self, tokens: int, pairs: int, seconds: float) -> float | None:
        """Model FLOPs utilisation (MFU, arXiv 2204.02311, appendix B): what is computed again for
        checkpointed activations does not count, nor does attention that the mask leaves out."""
        if self.peak is None:
            return None
        return (tokens * self.per_token + pairs * self.per_pair) / (seconds * self.peak)


def peak_memory() -> int:
    """The most bytes that this process has held at once so far: of its GPU, else of the host."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
