"""Documents compared with each other: duplicates, of which one stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finetune.corpus.minhash import Sketches
from finetune.corpus.near_duplicates import near_duplicates
from finetune.corpus.pipeline import DIGEST, shard_file, shard_stem

EXACT = "exact duplicate of one that is kept"
NEAR = "near-duplicate of one that is kept"
CROWDED = "pairs that met among too many documents at once"


@dataclass(frozen=True)
class Chosen:
    """What stands for each document of the shards, numbered through all of them."""

    kept_for: NDArray[np.int64]
    """Its own number where it is kept."""
    is_exact: NDArray[np.bool_]
    """Whether its text is that of the document that stands for it."""
    starts: Sequence[int]
    """Number of the first document of each shard."""
    not_compared: Mapping[str, int]
    """Pairs that could be near-duplicates and were left uncompared: reason -> number."""

    @property
    def dropped(self) -> NDArray[np.int64]:
        """Numbers of the documents for which another one stands."""
        return np.flatnonzero(self.kept_for != np.arange(len(self.kept_for)))

    def reason(self, number: int) -> str | None:
        """Why a document is dropped, or None."""
        if self.kept_for[number] == number:
            return None
        return EXACT if self.is_exact[number] else NEAR


def choose(folder: Path, num_shards: int, near: float | None) -> Chosen:
    """Which documents stay. `near` is the similarity from which two are near-duplicates."""
    digests = [np.load(shard_file(folder, shard, "digests.npy")) for shard in range(num_shards)]
    starts = [0, *np.cumsum([len(one) for one in digests]).tolist()]
    texts = np.concatenate([np.zeros(0, DIGEST), *digests])["sha256"]
    kept_for, not_compared = np.arange(len(texts)), {}
    if near is not None:
        sketches = [Sketches.open(shard_stem(folder, shard)) for shard in range(num_shards)]
        found = near_duplicates(sketches, near)
        kept_for, not_compared = found.kept_for.copy(), {CROWDED: found.num_pairs_skipped}
    _drop_equal(kept_for, texts)
    not_compared = {reason: count for reason, count in not_compared.items() if count}
    return Chosen(kept_for, texts == texts[kept_for], starts[:-1], not_compared)


def _drop_equal(kept_for: NDArray[np.int64], texts: NDArray[np.void]) -> None:
    """Of the same text only the first stays; those for which another stood follow it."""
    kept = np.flatnonzero(kept_for == np.arange(len(kept_for)))
    _, firsts, positions = np.unique(texts[kept], return_index=True, return_inverse=True)
    leader = np.arange(len(kept_for))
    leader[kept] = kept[firsts[positions]]
    kept_for[:] = leader[kept_for]
