"""In which order documents enter training: shuffled passes over each source, mixed by weight."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from data_formats.document import Document
from finetune.sequences.draws import shuffled


@dataclass(frozen=True)
class Turn:
    """One document at one pass over its source."""

    document: int
    """Position in the list of documents."""
    epoch: int


@dataclass
class DocumentOrder:
    """An endless (or, with `epochs`, finite) deterministic sequence of turns.

    The source that lies furthest behind its share of the characters handed out so far comes next,
    so a mixture is exact at every moment and not only on average.
    """

    documents: Sequence[Document]
    shares: dict[int, float]
    """Share of the characters by source; sources without documents are left out."""
    seed: int
    epochs: int | None = None
    _members: dict[int, list[int]] = field(init=False)
    _orders: dict[int, list[int]] = field(init=False, default_factory=dict)
    _epoch: dict[int, int] = field(init=False)
    _position: dict[int, int] = field(init=False)
    _handed: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self._members = {source: [] for source in self.shares}
        for index, document in enumerate(self.documents):
            if document.source in self._members:
                self._members[document.source].append(index)
        self._epoch = dict.fromkeys(self.shares, 0)
        self._position = dict.fromkeys(self.shares, 0)
        self._handed = dict.fromkeys(self.shares, 0)

    def next(self) -> Turn | None:
        """The next turn, or None after the last epoch of every source."""
        open_sources = [
            s for s in self.shares if self.epochs is None or self._epoch[s] < self.epochs
        ]
        if not open_sources:
            return None
        source = min(open_sources, key=lambda s: (self._handed[s] / self.shares[s], s))
        members, epoch = self._members[source], self._epoch[source]
        if source not in self._orders:
            self._orders[source] = shuffled(self.seed, epoch, source, len(members))
        turn = Turn(members[self._orders[source][self._position[source]]], epoch)
        self._handed[source] += len(self.documents[turn.document].text) + 1
        self._position[source] += 1
        if self._position[source] == len(members):
            self._position[source] = 0
            self._epoch[source] += 1
            del self._orders[source]
        return turn

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


def shares_of(documents: Sequence[Document], weights: Sequence[float | None]) -> dict[int, float]:
    """Share of the characters by source.

    A source with a weight has exactly that share (weights that sum to more than 1 are scaled
    down, to less than 1 with no other source scaled up); the rest is split by size.
    """
    sizes: dict[int, int] = {}
    for document in documents:
        sizes[document.source] = sizes.get(document.source, 0) + len(document.text) + 1
    weighted = {s: w for s, w in enumerate(weights) if w and s in sizes}
    free = {s: size for s, size in sizes.items() if weights[s] is None}
    given = sum(weighted.values())
    if not free or given > 1.0:
        weighted = {s: w / given for s, w in weighted.items()}
        given = min(given, 1.0) if free else 1.0
    rest = max(0.0, 1.0 - given)
    shares = {s: rest * size / sum(free.values()) for s, size in free.items()} if rest else {}
    return dict(sorted({**weighted, **shares}.items()))
