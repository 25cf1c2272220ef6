"""Sketches of a whole corpus -> which documents stand for which.

Locality-sensitive hashing finds the pairs that are worth a look: signatures are cut into bands,
and two documents meet where a band of theirs is equal (Leskovec, Rajaraman, Ullman, Mining of
Massive Datasets, chapter 3). Pairs that meet are sifted by their whole signatures, and none leads
to a drop before its grams themselves have been compared: likeness is exact, only meeting is left
to chance.

Documents are settled in order of preference: the best documented first, then those whose licence
is known, the longer, the earlier. One is dropped only where it is a near-duplicate of one that is
kept, never for its likeness to another that is dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.corpus.lsh import Indices, similar_pairs
from finetune.corpus.minhash import SKETCH, Grams, Sketches, jaccard
from finetune.errors import UserError


@dataclass(frozen=True)
class Clusters:
    """Every document's representative; a cluster is what shares one."""

    kept_for: Indices
    """Index of the kept document that stands for each document: its own where it is kept."""
    similarity: NDArray[np.float64]
    """Jaccard similarity with that one."""
    num_too_short: int
    """Documents of under five tokens; they are kept, and compared with nothing."""
    num_pairs_skipped: int
    """Meetings among too many documents at once, which led to no comparison. The same two may have
    been compared where they met in another band."""

    @property
    def dropped(self) -> Indices:
        """Indices of the documents that another one stands for, ascending."""
        return np.flatnonzero(self.kept_for != np.arange(len(self.kept_for)))


def near_duplicates(shards: Sequence[Sketches], threshold: float) -> Clusters:
    """Which documents to keep, so that two of similarity `threshold` or more hardly ever remain.

    Documents are numbered through all shards; where one shard ends makes no difference. Memory:
    some 200 bytes for a document and 8 for a pair that looks similar. Raises UserError where the
    threshold is no similarity, or a shard holds something else.
    """
    if not 0 < threshold <= 1:
        raise UserError(f"near_duplicates: {threshold:g}: give a similarity over 0 and up to 1")
    _check(shards)
    corpus = _Corpus.of(shards)
    order = corpus.by_preference()
    leader = _twins(corpus, order)
    alone = np.flatnonzero(leader == np.arange(len(order)))
    found = similar_pairs([shard.rows for shard in shards], order[alone], threshold)
    kept, similarity = _settled(corpus, order[alone], found.pairs, threshold)
    place = np.searchsorted(alone, leader)
    kept_for, likeness = np.arange(len(corpus)), np.ones(len(corpus))
    kept_for[order] = order[alone[kept[place]]]
    likeness[order] = similarity[place]
    return Clusters(
        kept_for=kept_for,
        similarity=likeness,
        num_too_short=len(corpus) - len(order),
        num_pairs_skipped=found.num_skipped,
    )


@dataclass(frozen=True)
class _Corpus:
    """What settling looks at: a few columns in memory, and the grams where they are."""

    columns: NDArray[np.void]
    """Without the signatures."""
    shards: Sequence[Sketches]
    starts: Indices
    """Index of each shard's first document."""
    grams_before: NDArray[np.int64]
    """Grams of the same shard that stand before a document's own."""

    @classmethod
    def of(cls, shards: Sequence[Sketches]) -> "_Corpus":
        names = [name for name in SKETCH.names or () if name != "signature"]
        dtype = np.dtype([(name, SKETCH[name]) for name in names])
        columns = np.empty(sum(len(shard.rows) for shard in shards), dtype)
        before = np.empty(len(columns), np.int64)
        starts = np.cumsum([0, *(len(shard.rows) for shard in shards)])
        for shard, start in zip(shards, starts, strict=False):
            part = slice(start, start + len(shard.rows))
            for name in names:
                columns[name][part] = shard.rows[name]
            sizes = shard.rows["grams"].astype(np.int64)
            before[part] = np.cumsum(sizes) - sizes
        return cls(columns, shards, starts, before)

    def __len__(self) -> int:
        return len(self.columns)

    def by_preference(self) -> Indices:
        """The documents that are long enough to be compared, the most preferred first."""
        comparable = np.flatnonzero(self.columns["grams"])
        names = ("length", "is_licensed", "documentation")  # the last is the first to count
        keys = (-self.columns[name][comparable].astype(np.int64) for name in names)
        return comparable[np.lexsort((comparable, *keys))]

    def grams(self, index: int) -> Grams:
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        before = self.grams_before[index]
        return self.shards[number].grams[before : before + self.columns["grams"][index]]


def _check(shards: Sequence[Sketches]) -> None:
    for number, shard in enumerate(shards):
        if shard.rows.dtype != SKETCH or int(shard.rows["grams"].sum()) != len(shard.grams):
            raise UserError(
                f"near_duplicates: shard {number}: these are no sketches, or another version's; "
                "remove them and have them made again"
            )


def _twins(corpus: _Corpus, order: Indices) -> Indices:
    """For each position in `order` the first one with the same kind and the same grams.

    Twins have the same near-duplicates, so that one of them can be settled for all: thousands of
    copies of one licence or one generated class need not be compared with one another.
    """
    contents = corpus.columns["content"][order]
    _, first, group = np.unique(contents, return_index=True, return_inverse=True)
    leader: Indices = first[group]
    return leader


def _settled(
    corpus: _Corpus, order: Indices, pairs: NDArray[np.int64], threshold: float
) -> tuple[Indices, NDArray[np.float64]]:
    """For each position in `order` the one that stands for it, and their similarity.

    In order of preference whoever is still free is kept, and stands for all its near-duplicates
    that are free. Only these are compared: what is dropped already, or met one that is, need not
    be.
    """
    kept, similarity = np.full(len(order), -1), np.ones(len(order))
    ones, others = np.divmod(pairs, max(len(order), 1))
    preferred, starts = np.unique(ones, return_index=True)
    for one, met in zip(preferred, np.split(others, starts[1:]), strict=False):
        if kept[one] >= 0:
            continue
        own = corpus.grams(order[one])
        for other in met[kept[met] < 0]:
            exact = jaccard(own, corpus.grams(order[other]))
            if exact >= threshold:
                kept[other], similarity[other] = one, exact
    return np.where(kept < 0, np.arange(len(order)), kept), similarity
