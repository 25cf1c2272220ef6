"""Texts -> their words, and hashes of the runs of 13 words that tell a problem from others."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]

RUN = 13
"""Words of a run, as in GPT-3's analysis of contamination (arXiv 2005.14165)."""
FEWEST_CHARACTERS = 18
"""Of the distinct words of a run that counts, numbers left out."""
MOST_PROBLEMS = 3
"""Problems that may share a run that counts."""

_WORD = re.compile(r"[A-Za-z0-9_]+")
_NUMBERS = frozenset(
    ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
)
_FACTOR = 0x9E3779B97F4A7C15  # odd, so that no number of a word is lost modulo 2^64


class Source(NamedTuple):
    """A text of a benchmark, and whose it is."""

    text: str
    problem: int
    """Position of the problem."""
    origin: int
    """Number of the problem that it was made from."""


def words_of(text: str) -> list[str]:
    """Runs of ASCII letters, digits and underscores; `\\n`, `\\r`, `\\t` written out part them."""
    if "\\" in text:
        text = text.replace("\\n", " ").replace("\\r", " ").replace("\\t", " ")
    return _WORD.findall(text)


def run_table(
    sources: Sequence[Source], numbers: dict[str, int]
) -> tuple["Hashes", "NDArray[np.int32]"]:
    """Hashes of the runs that count, rising, and the first problem of each.

    `numbers` is filled: word -> its number, from 1.
    """
    import numpy as np

    written: list[int] = []
    lengths: list[int] = []
    for source in sources:
        words = words_of(source.text)
        written.extend(numbers.setdefault(word, len(numbers) + 1) for word in words)
        lengths.append(len(words))
    ids = np.array(written, np.uint64)
    texts = np.repeat(np.arange(len(sources)), lengths)
    is_within = texts[RUN - 1 :] == texts[: max(len(texts) - RUN + 1, 0)]
    starts = np.flatnonzero(is_within & (_characters(ids, numbers) >= FEWEST_CHARACTERS))
    if not len(starts):
        return np.zeros(0, np.uint64), np.zeros(0, np.int32)
    problems = np.array([source.problem for source in sources])[texts[starts]]
    origins = np.array([source.origin for source in sources])[texts[starts]]
    return _told_apart(hashed(ids, starts), problems, origins)


def _told_apart(
    hashes: "Hashes", problems: "Places", origins: "Places"
) -> tuple["Hashes", "NDArray[np.int32]"]:
    """Each hash once, with its first problem; without those of too many origins."""
    import numpy as np

    order = np.lexsort((origins, hashes))
    hashes, problems, origins = hashes[order], problems[order], origins[order]
    is_first = _differs(hashes)
    firsts = np.flatnonzero(is_first)
    num_origins = np.add.reduceat((is_first | _differs(origins)).astype(np.int64), firsts)
    kept = num_origins <= MOST_PROBLEMS
    return hashes[firsts][kept], np.minimum.reduceat(problems, firsts)[kept].astype(np.int32)


def _differs(ordered: "NDArray[Any]") -> "NDArray[np.bool_]":
    """Where a value is not the one before it."""
    import numpy as np

    return np.concatenate((np.ones(1, np.bool_), ordered[1:] != ordered[:-1]))


def _characters(ids: "Hashes", numbers: Mapping[str, int]) -> "Places":
    """Of each run: the characters of its distinct words; numbers, spelt out or not, have none."""
    import numpy as np

    sizes = np.array([0, *map(_size, numbers)])[ids]
    num_runs = max(len(ids) - RUN + 1, 0)
    total = np.zeros(num_runs, np.int64)
    for at in range(RUN):
        is_new = np.ones(num_runs, np.bool_)
        for before in range(at):
            is_new &= ids[at : at + num_runs] != ids[before : before + num_runs]
        total += is_new * sizes[at : at + num_runs]
    return total


def _size(word: str) -> int:
    return 0 if word[0].isdigit() or word in _NUMBERS else len(word)


def hashed(ids: "Hashes", starts: "Places") -> "Hashes":
    """The hash of the run that begins at each of `starts`: a sum over its words modulo 2^64."""
    import numpy as np

    hashes = np.zeros(len(starts), np.uint64)
    for at in range(RUN):
        hashes += ids[starts + at] * np.uint64(pow(_FACTOR, at + 1, 1 << 64))
    return hashes


def runs_in(words: Sequence[str], numbers: Mapping[str, int], table: "Hashes") -> "Places":
    """Positions in the rising `table` of the runs that `words` hold; repeated as they are there."""
    import numpy as np

    number = numbers.get
    ids = np.fromiter((number(word, 0) for word in words), np.uint64, len(words))
    if len(ids) < RUN or not len(table):
        return np.zeros(0, np.int64)
    # Most runs of a document hold a word that no benchmark has: they need no hash.
    unknown = np.concatenate((np.zeros(1, np.int64), np.cumsum(ids == 0)))
    hashes = hashed(ids, np.flatnonzero(unknown[RUN:] == unknown[:-RUN]))
    places = np.minimum(np.searchsorted(table, hashes), len(table) - 1)
    found: NDArray[np.int64] = places[table[places] == hashes]
    return found
