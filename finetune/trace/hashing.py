"""Hashes of many ranges of a sequence at once, the same on every machine.

A polynomial modulo 2^64 (Karp and Rabin, 1987), taken for all ranges from one cumulative sum, and
mixed by the finaliser of splitmix64 (Steele, Lea and Flood, 2014), since the low bits of such a
polynomial are poor.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

# Odd, so that it has an inverse, and 5 modulo 8, so that its powers repeat only after 2^62.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)


def hash_ranges(
    values: NDArray[np.unsignedinteger],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> Hashes:
    """The hash of `values[start:end]` for each pair; equal ranges have equal hashes."""
    sums = _sums(values)
    return mixed((sums[ends] - sums[starts]) * _powers(_INVERSE, len(values))[starts])


def hash_windows(values: NDArray[np.unsignedinteger], size: int) -> Hashes:
    """The hashes of all ranges of `size` values, in order."""
    sums = _sums(values)
    return mixed((sums[size:] - sums[:-size]) * _powers(_INVERSE, len(values) - size + 1))


def mixed(hashes: Hashes) -> Hashes:
    """Every bit of the result depends on all bits; different numbers stay different."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _sums(values: NDArray[np.unsignedinteger]) -> Hashes:
    sums = np.zeros(len(values) + 1, np.uint64)
    np.cumsum(values * _powers(_BASE, len(values)), out=sums[1:])
    return sums


def _powers(base: int, count: int) -> Hashes:
    return _power_table(base, max(count - 1, 1).bit_length())[:count]


@cache
def _power_table(base: int, bits: int) -> Hashes:
    """The first 2^bits powers; sizes are powers of two, so that few tables are made."""
    factors = np.full(1 << bits, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)
