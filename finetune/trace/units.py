"""A text as a sequence of numbers to fingerprint: its characters, or its words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finetune.trace.hashing import hash_ranges

_IS_WORD = np.zeros(128, bool)
_IS_WORD[[ord(one) for one in "abcdefghijklmnopqrstuvwxyz0123456789_"]] = True
_IS_WORD[ord("A") : ord("Z") + 1] = True


@dataclass(frozen=True)
class Units:
    """One number per character or word, and where each stands in the text."""

    values: NDArray[np.uint64]
    starts: NDArray[np.int64]
    """Code points."""
    ends: NDArray[np.int64]

    def place(self, first: int, last: int) -> tuple[int, int]:
        """Start and end, in code points, of the units `first` up to but without `last`."""
        return int(self.starts[first]), int(self.ends[last - 1])


def characters_of(text: str) -> Units:
    """Code points, with the line end CRLF as if it were LF."""
    codes = _codes(text)
    starts = np.arange(len(codes))
    if "\r\n" in text:
        is_kept = np.ones(len(codes), bool)
        is_kept[:-1] = (codes[:-1] != ord("\r")) | (codes[1:] != ord("\n"))
        starts, codes = np.flatnonzero(is_kept), codes[is_kept]
    return Units(codes.astype(np.uint64), starts, starts + 1)


def words_of(text: str) -> Units:
    """A hash of each run of `[A-Za-z0-9_]`; all else only parts words."""
    codes = _codes(text)
    is_word = np.zeros(len(codes) + 2, np.int8)
    is_word[1:-1] = _IS_WORD[np.minimum(codes, 127)]  # 127 is no letter
    change = np.diff(is_word)
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    return Units(hash_ranges(codes, starts, ends), starts, ends)


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
