"""Locality-sensitive hashing: the pairs of a corpus whose signatures look similar.

Signatures are cut into bands, and two documents meet in a bucket where a band of theirs is equal.
Memory: a hash for each document, of one band at a time, and the pairs found. Signatures are read
where they are, once for each band.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.corpus.minhash import PERMUTATIONS, mixed

MISSED_WEIGHT = 0.99
"""A pair missed counts 99 times a pair compared in vain, which only costs the comparison."""
MARGIN = 0.1
"""A pair may look that much less similar than asked for: over three standard deviations of the
estimate."""
MOST_LEADERS = 32
"""In a bucket every document is compared with this many, the most preferred ones. A bucket of n
then takes fewer than 32 n comparisons, not n squared; a smaller one takes them all."""
CHUNK = 8192
"""Pairs whose signatures are in memory at once: 16 MiB."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Bands:
    """How signatures are cut."""

    num_bands: int
    num_rows: int
    """Slots in a band."""

    def caught(self, similarity: float) -> float:
        """The probability that two documents of this similarity meet in some band."""
        return float(1 - (1 - similarity**self.num_rows) ** self.num_bands)


@dataclass(frozen=True)
class Pairs:
    """Who looks similar to whom."""

    pairs: NDArray[np.int64]
    """Each one number: the lower position times the number of documents, plus the higher one.
    They ascend."""
    num_skipped: int
    """Meetings behind the leaders of a bucket, which led to no comparison."""


def best_bands(threshold: float) -> Bands:
    """The cut with the least weighted error around `threshold`.

    The error is the area under the probability of meeting below the threshold, and of not meeting
    above it, weighted 0.01 and 0.99; the minimum that `MinHashLSH` of datasketch takes too.
    """
    below, above = np.linspace(0, threshold, 1001), np.linspace(threshold, 1, 1001)

    def error(bands: Bands) -> float:
        met = np.trapezoid(1 - (1 - below**bands.num_rows) ** bands.num_bands, below)
        missed = np.trapezoid((1 - above**bands.num_rows) ** bands.num_bands, above)
        return float((1 - MISSED_WEIGHT) * met + MISSED_WEIGHT * missed)

    cuts = (
        Bands(num_bands, num_rows)
        for num_bands in range(1, PERMUTATIONS + 1)
        for num_rows in range(1, PERMUTATIONS // num_bands + 1)
    )
    return min(cuts, key=error)


def similar_pairs(shards: Sequence[NDArray[np.void]], order: Indices, threshold: float) -> Pairs:
    """The pairs of documents of one kind whose estimated similarity is `threshold` less MARGIN,
    or more.

    `shards` are arrays of SKETCH, `order` the documents to compare, the most preferred first; a
    pair holds positions in `order`.
    """
    bands = best_bands(threshold)
    signatures = _Signatures(shards, np.cumsum([0, *map(len, shards)]))
    pairs, num_skipped = np.empty(0, np.int64), 0
    for band in range(bands.num_bands):
        first = band * bands.num_rows
        members, places = _buckets(signatures.hashes(first, first + bands.num_rows)[order])
        num_skipped += int(np.maximum(places - MOST_LEADERS, 0).sum())
        found = [pairs]
        for ones, others in _meetings(members, places):
            met = ones * len(order) + others
            met = met[~_contains(pairs, met)]
            estimate = signatures.similarity(*(order[one] for one in np.divmod(met, len(order))))
            found.append(met[estimate >= threshold - MARGIN])
        pairs = np.sort(np.concatenate(found))
    return Pairs(pairs, num_skipped)


@dataclass(frozen=True)
class _Signatures:
    shards: Sequence[NDArray[np.void]]
    starts: Indices
    """Index of each shard's first document."""

    def hashes(self, first: int, last: int) -> NDArray[np.uint64]:
        """A hash of slots `first` to `last` - 1 of every document, and of its kind."""
        result = [np.empty(0, np.uint64)]
        for shard in self.shards:
            hashes = shard["kind"].copy()
            for slots in shard["signature"][:, first:last].T:
                hashes = mixed(hashes, slots.astype(np.uint64))
            result.append(hashes)
        return np.concatenate(result)

    def of(self, indices: Indices) -> NDArray[np.uint32]:
        result = np.empty((len(indices), PERMUTATIONS), np.uint32)
        numbers = np.searchsorted(self.starts, indices, side="right") - 1
        for number in np.unique(numbers):
            here = numbers == number
            result[here] = self.shards[number]["signature"][indices[here] - self.starts[number]]
        return result

    def similarity(self, ones: Indices, others: Indices) -> NDArray[np.float64]:
        """Estimated similarity of each pair: the share of equal slots."""
        result = np.empty(len(ones))
        for at in range(0, len(ones), CHUNK):
            part = slice(at, at + CHUNK)
            result[part] = (self.of(ones[part]) == self.of(others[part])).mean(axis=1)
        return result


def _buckets(hashes: NDArray[np.uint64]) -> tuple[Indices, Indices]:
    """Positions sorted by hash and then by preference, and each one's place in its bucket."""
    members = np.argsort(hashes, kind="stable")
    hashes, numbers = hashes[members], np.arange(len(hashes))
    starts = np.ones(len(hashes), np.bool_)
    starts[1:] = hashes[1:] != hashes[:-1]
    return members, numbers - np.maximum.accumulate(np.where(starts, numbers, 0))


def _meetings(members: Indices, places: Indices) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of positions to compare: who is first in a bucket and all behind, who is second, ..."""
    for place in range(min(MOST_LEADERS, int(places.max(initial=0)))):
        behind = np.flatnonzero(places > place)
        yield members[behind - places[behind] + place], members[behind]


def _contains(ascending: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.bool_]:
    at = np.searchsorted(ascending, values)
    inside = at < len(ascending)
    inside[inside] = ascending[at[inside]] == values[inside]
    return inside
