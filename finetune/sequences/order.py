"""In which order documents enter training: shuffled passes over each source, mixed by weight."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.sequences.draws import shuffled


@dataclass(frozen=True, slots=True)
class Turn:
    """One document at one pass over its source."""

    document: int
    """Position in the corpus."""
    epoch: int


@dataclass
class DocumentOrder:
    """An endless (or, with `epochs`, finite) deterministic sequence of turns.

    The source that lies furthest behind its share of the tokens handed out so far comes next,
    so a mixture is exact at every moment and not only on average. Four bytes of memory per
    document for the members of a source, and four for their order.
    """

    sizes: NDArray[Any]
    """Tokens by document."""
    sources: NDArray[Any]
    """Source by document."""
    shares: dict[int, float]
    """Share of the tokens by source; sources without documents are left out."""
    seed: int
    epochs: int | None = None
    _members: dict[int, NDArray[np.uint32]] = field(init=False)
    _orders: dict[int, NDArray[np.uint32]] = field(init=False, default_factory=dict)
    _epoch: dict[int, int] = field(init=False)
    _position: dict[int, int] = field(init=False)
    _handed: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._members = {
            source: np.flatnonzero(self.sources == source).astype(np.uint32)
            for source in self.shares
        }
        self._epoch = dict.fromkeys(self.shares, 0)
        self._position = dict.fromkeys(self.shares, 0)
        self._handed = dict.fromkeys(self.shares, 0)

    def next(self) -> Turn | None:
        """The next turn, or None after the last epoch of every source."""
        source = self._furthest_behind()
        if source is None:
            return None
        members, epoch = self._members[source], self._epoch[source]
        if source not in self._orders:
            self._orders[source] = shuffled(self.seed, epoch, source, len(members))
        document = int(members[self._orders[source][self._position[source]]])
        self._handed[source] += int(self.sizes[document]) + 1
        self._position[source] += 1
        if self._position[source] == len(members):
            self._position[source] = 0
            self._epoch[source] += 1
            del self._orders[source]
        return Turn(document, epoch)

    def _furthest_behind(self) -> int | None:
        best, least = None, 0.0
        for source, share in self.shares.items():  # in ascending order: the first of equals
            if self.epochs is not None and self._epoch[source] >= self.epochs:
                continue
            progress = self._handed[source] / share
            if best is None or progress < least:
                best, least = source, progress
        return best

    @property
    def passes(self) -> dict[int, float]:
        """How often each source was handed out so far, parts of a pass included."""
        return self.passes_at(self.state())

    def passes_at(self, state: dict[str, dict[str, int]]) -> dict[int, float]:
        """The same where `state` was taken."""
        return {
            int(source): epoch + state["position"][source] / len(self._members[int(source)])
            for source, epoch in state["epoch"].items()
        }

    @property
    def handed(self) -> dict[int, int]:
        """Tokens handed out of each source so far, an end for each document included."""
        return dict(self._handed)

    def state(self) -> dict[str, dict[str, int]]:
        """JSON that `restore` continues from."""
        return {
            name: {str(source): value for source, value in values.items()}
            for name, values in self._fields().items()
        }

    def restore(self, state: dict[str, dict[str, int]]) -> None:
        """Continue where `state` was taken, over the same documents and shares."""
        for name, values in self._fields().items():
            values.update({int(source): value for source, value in state[name].items()})
        self._orders.clear()

    def _fields(self) -> dict[str, dict[int, int]]:
        return {"epoch": self._epoch, "position": self._position, "handed": self._handed}


def shares_of(
    sizes: NDArray[Any], sources: NDArray[Any], weights: Sequence[float | None]
) -> dict[int, float]:
    """Share of the tokens by source.

    A source with a weight has exactly that share (weights that sum to more than 1 are scaled
    down, to less than 1 with no other source scaled up); the rest is split by size.
    """
    totals = np.bincount(sources, weights=sizes.astype(np.float64) + 1, minlength=len(weights))
    present = {source: int(total) for source, total in enumerate(totals) if total}
    weighted = {s: w for s, w in enumerate(weights) if w and s in present}
    free = {s: size for s, size in present.items() if weights[s] is None}
    given = sum(weighted.values())
    if not free or given > 1.0:
        weighted = {s: w / given for s, w in weighted.items()}
        given = min(given, 1.0) if free else 1.0
    rest = max(0.0, 1.0 - given)
    shares = {s: rest * size / sum(free.values()) for s, size in free.items()} if rest else {}
    return dict(sorted({**weighted, **shares}.items()))
