"""Randomness without a generator: every draw is a function of what it is drawn for.

The same document at the same pass gets the same cuts whatever the number of workers and ranks,
the batch size or the point of resumption; another pass gets others.
"""

from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RANGE = 1 << 64
_FIVE = Struct("<5Q")


class Draws(NamedTuple):
    """Five independent integers, uniform over 64 bits."""

    transform: int
    layout: int
    kind: int
    first_cut: int
    second_cut: int


def draws(seed: int, epoch: int, document: str, start: int) -> Draws:
    """The draws of the segment of `document` that starts at code point `start`."""
    key = f"{seed}\0{epoch}\0{document}\0{start}".encode()
    digest = blake2b(key, digest_size=40, person=b"fim").digest()
    return Draws(*_FIVE.unpack(digest))


def below(draw: int, bound: int) -> int:
    """A uniform integer in [0, bound)."""
    return draw * bound // RANGE


def happens(draw: int, probability: float) -> bool:
    """True for the share `probability` of all draws; never at 0.0, always at 1.0."""
    return draw < probability * RANGE


def shuffled(seed: int, epoch: int, source: int, count: int) -> "NDArray[np.uint32]":
    """A permutation of range(count), keyed by what it orders: 4 bytes per document."""
    import numpy as np

    key = blake2b(f"{seed}\0{epoch}\0{source}".encode(), digest_size=16, person=b"order").digest()
    generator = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
    order = np.arange(count, dtype=np.uint32)
    generator.shuffle(order)
    return order
