"""Winnowing: few fingerprints of a text, such that no long shared passage goes without one.

Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting", SIGMOD
2003. Of every `window` neighbouring k-grams the one with the smallest hash is a fingerprint. The
choice depends on nothing but those k-grams, so that two texts that share `k + window - 1` units in
a row choose the same one there. About 2 in `window + 1` k-grams are chosen.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.trace.hashing import Hashes, hash_windows

DISTINCT = 6
"""A k-gram of fewer different units says nothing: `# -----`, `0, 0, 0, 0`, a run of blanks. Units
are told apart by their lowest six bits, so that a few k-grams of more are set aside as well."""

_NEVER = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class Scheme:
    """How a sequence of units is fingerprinted."""

    k: int
    """Units under one fingerprint."""
    window: int
    """k-grams of which one is chosen."""

    @property
    def least(self) -> int:
        """Units of the shortest shared passage that is found with certainty."""
        return self.k + self.window - 1


@dataclass(frozen=True)
class Fingerprints:
    """Chosen k-grams, in the order of the text."""

    hashes: Hashes
    positions: NDArray[np.int64]
    """First unit of each."""


def winnow(values: NDArray[np.uint64], scheme: Scheme) -> Fingerprints:
    """The fingerprints of a sequence; none where it is shorter than `scheme.least`."""
    if len(values) < scheme.least:
        return Fingerprints(np.empty(0, np.uint64), np.empty(0, np.int64))
    hashes = hash_windows(values, scheme.k)
    hashes[_num_distinct(values, scheme.k) < DISTINCT] = _NEVER
    # The smallest hash of each window; then, of each k-gram, the largest among the windows that
    # it lies in. Where that is its own hash, some window has none that is smaller.
    smallest = _sliding(np.minimum, hashes, scheme.window)
    largest = _sliding(np.maximum, np.pad(smallest, scheme.window - 1), scheme.window)
    positions = np.flatnonzero((hashes == largest) & (hashes != _NEVER))
    return Fingerprints(hashes[positions], positions)


def joined(fingerprints: Fingerprints, is_hit: NDArray[np.bool_], k: int) -> list[tuple[int, int]]:
    """Ranges of units under hits that follow each other without a miss between them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_hit, [False]]).astype(np.int8)))
    at = fingerprints.positions
    return [(int(at[a]), int(at[b - 1]) + k) for a, b in edges.reshape(-1, 2).tolist()]


def _num_distinct(values: NDArray[np.uint64], k: int) -> NDArray[np.uint8]:
    bits = np.uint64(1) << (values & np.uint64(63))
    return np.bitwise_count(_sliding(np.bitwise_or, bits, k))


def _sliding(combine: Callable[[Hashes, Hashes], Hashes], values: Hashes, size: int) -> Hashes:
    """`combine` over every `size` neighbours, in log2(size) steps; it may see a value twice."""
    reach = 1
    while reach < size:
        step = min(reach, size - reach)
        values = combine(values[:-step], values[step:])
        reach += step
    return values
