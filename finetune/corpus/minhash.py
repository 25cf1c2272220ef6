"""What near-duplicates are told by: the 5-grams of a document, and their MinHash signature.

Two documents are as similar as their sets of grams: the Jaccard similarity, what both have over
what either has. A gram is five tokens in a row, a token a run of ASCII letters, digits and `_`:
spaces, line breaks, brackets and operators do not count, names and words do. The share of equal
slots in two signatures estimates it without bias (Broder 1997, On the resemblance and containment
of documents); over 256 slots the standard deviation is at most 0.031.

Nothing here depends on a process, a shard or a machine: tokens are hashed by BLAKE2b, and the
slots by rensa under a fixed seed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_formats.document import Document
from finetune.corpus.documentation import documentation

GRAM = 5
"""Tokens in a gram."""
PERMUTATIONS = 256
"""Slots of a signature."""
SEED = 0
SKETCH = np.dtype(
    [
        ("kind", "<u8"),  # hash of what it must share with those that it is compared with
        ("content", "<u8"),  # hash of its kind and its grams
        ("signature", "<u4", (PERMUTATIONS,)),
        ("grams", "<u4"),  # number of different ones; 0: too short to be compared
        ("documentation", "<u4"),  # letters in comments and docstrings
        ("length", "<u4"),  # characters
        ("is_licensed", "?"),
    ],
    align=True,
)
"""One kilobyte that stands for a document."""

Grams = NDArray[np.uint32]

_TOKEN = re.compile("[A-Za-z_0-9]+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: odd, bits well spread
_SHIFT = np.uint64(32)


@dataclass(frozen=True)
class Sketch:
    """What is to be known of a document, without its text."""

    row: NDArray[np.void]
    """One SKETCH, an array of no dimensions."""
    grams: Grams


UNCOMPARED = Sketch(np.zeros((), SKETCH), np.empty(0, np.uint32))
"""Stands for a document that is to be kept whatever it looks like."""


@dataclass(frozen=True)
class Sketches:
    """The sketches of a shard."""

    rows: NDArray[np.void]
    """A SKETCH each, shape (documents,)."""
    grams: Grams
    """Those of one document after the other; `rows` says how many are whose."""

    @classmethod
    def of(cls, sketches: Sequence[Sketch]) -> "Sketches":
        """Many as one, in order."""
        rows = np.array([one.row for one in sketches], SKETCH)
        return cls(rows, np.concatenate([UNCOMPARED.grams, *(one.grams for one in sketches)]))

    def save(self, stem: Path) -> None:
        """Write `stem`.sketches.npy and `stem`.grams.npy: 1 KB for a document, 4 B for a gram."""
        np.save(f"{stem}.sketches.npy", self.rows)
        np.save(f"{stem}.grams.npy", self.grams)

    @classmethod
    def open(cls, stem: Path) -> "Sketches":
        """What `save` wrote, left on disk: only what is looked at takes memory."""
        parts = ("sketches", "grams")
        rows, grams = (np.load(f"{stem}.{part}.npy", mmap_mode="r") for part in parts)
        return cls(rows, grams)


def sketch(document: Document, kind: str) -> Sketch:
    """The sketch of one document.

    `kind` keeps apart what is alike by nature: a commit holds the file that it changes, and is no
    duplicate of it. Only documents of one kind are compared.
    """
    found = grams(document.text)
    hash_of_kind = _hash(kind.encode())
    row = np.zeros((), SKETCH)
    row["kind"] = hash_of_kind
    row["content"] = _hash(hash_of_kind.to_bytes(8, "little") + found.tobytes())
    row["signature"] = signature(found)
    row["grams"] = len(found)
    row["documentation"] = documentation(document.text)
    row["length"] = len(document.text)
    row["is_licensed"] = document.licence is not None
    return Sketch(row, found)


def sketch_version() -> str:
    """What saved sketches depend on besides the texts; those of another version do not compare."""
    from rensa import RMinHash

    return (
        f"{GRAM}-grams, {PERMUTATIONS} slots, seed {SEED}, R-MinHash {RMinHash.ALGORITHM_VERSION}"
    )


def grams(text: str) -> Grams:
    """Hashes of the different grams of `text`, ascending; none where it has under five tokens.

    Of 32 bits: among 3,000 grams two share a hash once in a thousand texts.
    """
    tokens = _TOKEN.findall(text)
    hashes = np.fromiter(map(_token_hash, tokens), np.uint64, len(tokens))
    num_grams = max(len(tokens) - GRAM + 1, 0)
    result = np.zeros(num_grams, np.uint64)
    for at in range(GRAM):
        result = mixed(result, hashes[at : at + num_grams])
    return np.unique(result.astype(np.uint32))


def signature(grams: Grams) -> NDArray[np.uint32]:
    """The MinHash of a set of grams, shape (PERMUTATIONS,); all slots are equal where it is empty.

    Slots are filled as in Fast Similarity Sketching (Dahlgaard, Knudsen, Thorup 2017).
    """
    from rensa import RMinHash

    hashes = mixed(np.zeros(len(grams), np.uint64), grams.astype(np.uint64))
    bounds = np.array([0, len(grams)], np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, bounds, PERMUTATIONS, SEED)
    return np.array(matrix.to_rows()[0], np.uint32)


def jaccard(one: Grams, other: Grams) -> float:
    """The similarity of two sets of grams, not both empty."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


def mixed(hashes: NDArray[np.uint64], values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`hashes`, each made to depend on one more value; the order of values matters."""
    product = (hashes ^ values) * _MULTIPLIER
    return product ^ (product >> _SHIFT)


@lru_cache(maxsize=1 << 17)
def _token_hash(token: str) -> int:
    return _hash(token.encode())


def _hash(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
