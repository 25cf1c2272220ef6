"""A filter of the training code's fingerprints that travels with a released model.

It says which passages of a text are in the training code, almost surely, and not where. Bloom,
"Space/time trade-offs in hash coding with allowable errors", 1970; the places of an item by double
hashing (Kirsch and Mitzenmacher, 2006).

Mind what it gives away: whoever holds the file and a guess at a passage of private code can ask
whether that passage was trained on. So it is released only where `publish.training_index` says so.

The file: one line of JSON, then the bits, the lowest of each byte first.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.errors import UserError
from finetune.trace.hashing import Hashes, mixed
from finetune.trace.places import require_length
from finetune.trace.units import characters_of
from finetune.trace.winnow import Scheme, joined, winnow

FORMAT = "finetune training index 1"
PASSAGES = Scheme(k=50, window=51)
"""100 characters in a row are found with certainty."""
BATCH = 1 << 18
"""Fingerprints set or looked up at once."""
MOST_HASHES = 64
"""Places of an item, one for each halving of the rate; more would only take memory."""
MOST_HEADER = 4096
"""Bytes of a filter's first line."""


@dataclass(frozen=True)
class Membership:
    """Which passages of a text are in the training code."""

    spans: tuple[tuple[int, int], ...]
    """Code points, first and last but one; each of at least 50 characters."""
    num_characters: int
    num_fingerprints: int
    """Fingerprints of the text that were looked up."""
    rate: float
    """Chance of each to be found although it is not there: expect `num_fingerprints * rate`."""


def write_bloom(corpus: Path, file: Path, rate: float = 1e-4) -> int:
    """Write the filter of a corpus file and return its size in bytes.

    `rate` is the share of absent fingerprints that seem present. Collecting takes about 0.3 bytes
    of memory per character of the corpus.
    """
    if not 0 < rate < 1:
        raise UserError(f"rate {rate}: the share of false positives lies between 0 and 1")
    if rate < 2.0**-MOST_HASHES:
        raise UserError(f"rate {rate}: is too small to be told; give 1e-19 or more")
    hashes = _distinct(corpus)
    # The textbook optimum: bits per item, then hashes per bit.
    num_bits = max(64, math.ceil(-len(hashes) * math.log(rate) / math.log(2) ** 2))
    num_hashes = max(1, round(-math.log2(rate)))
    bits = np.zeros((num_bits + 7) // 8, np.uint8)
    for places in _places(hashes, num_bits, num_hashes):
        np.bitwise_or.at(bits, places >> np.uint64(3), _bit(places))
    header = {
        "format": FORMAT,
        "k": PASSAGES.k,
        "window": PASSAGES.window,
        "rate": rate,
        "items": len(hashes),
        "bits": num_bits,
        "hashes": num_hashes,
    }
    content = json.dumps(header).encode() + b"\n" + bits.tobytes()
    aside = file.with_name(f".{file.name}.partial")
    aside.write_bytes(content)
    aside.replace(file)
    return len(content)


def check_bloom(file: Path, text: str) -> Membership:
    """Which passages of `text` are in the code that `file` was made from.

    A passage of 100 characters or more that is there is found with certainty, unless it says
    nothing (see `winnow.DISTINCT`). Raises UserError where the text is shorter, or the file is
    damaged or no such filter.
    """
    require_length(text, PASSAGES.least)
    header, bits = _read(file)
    units = characters_of(text)
    fingerprints = winnow(units.values, PASSAGES)
    is_hit = np.empty(0, bool)
    for places in _places(fingerprints.hashes, header["bits"], header["hashes"]):
        is_set = (bits[places >> np.uint64(3)] & _bit(places)) != 0
        is_hit = np.append(is_hit, is_set.all(axis=1))
    ranges = joined(fingerprints, is_hit, PASSAGES.k)
    return Membership(
        spans=tuple(units.place(first, last) for first, last in ranges),
        num_characters=len(text),
        num_fingerprints=len(fingerprints.hashes),
        rate=header["rate"],
    )


def _distinct(corpus: Path) -> Hashes:
    """Each fingerprint of a corpus once."""
    from finetune.corpus.store import iter_documents  # a check needs no more than the filter

    known, fresh, num_fresh = np.empty(0, np.uint64), list[Hashes](), 0
    for document in iter_documents(corpus):
        fresh.append(winnow(characters_of(document.text).values, PASSAGES).hashes)
        num_fresh += len(fresh[-1])
        if num_fresh > max(BATCH, len(known)):  # doubling: each is sorted a few times at most
            known, fresh, num_fresh = np.unique(np.concatenate([known, *fresh])), [], 0
    return np.unique(np.concatenate([known, *fresh]))


def _places(hashes: Hashes, num_bits: int, num_hashes: int) -> Iterator[NDArray[np.uint64]]:
    """The bits of each item, a row of `num_hashes`, batch by batch."""
    steps = np.arange(num_hashes, dtype=np.uint64)
    for start in range(0, len(hashes), BATCH):
        # Mixed again: fingerprints are the smallest of many hashes, so their high bits are few.
        first = mixed(hashes[start : start + BATCH])
        second = mixed(first) | np.uint64(1)
        yield (first[:, None] + steps * second[:, None]) % np.uint64(num_bits)


def _bit(places: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.uint8(1) << (places & np.uint64(7)).astype(np.uint8)


def _read(file: Path) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """The header and the bits of a filter that was fetched from anywhere."""
    content = file.read_bytes()
    end = content.find(b"\n", 0, MOST_HEADER)
    wanted = {"format": FORMAT, "k": PASSAGES.k, "window": PASSAGES.window}
    try:
        header = json.loads(content[: max(end, 0)])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or {key: header.get(key) for key in wanted} != wanted:
        raise UserError(f"{file}: no training index, or one of another version")
    bits = np.frombuffer(content, np.uint8, offset=end + 1)
    if not (_is_sound(header) and len(bits) == (header["bits"] + 7) // 8):
        raise UserError(f"{file}: cut off or altered; fetch it again")
    return header, bits


def _is_sound(header: dict[str, Any]) -> bool:
    """Whether the numbers of a header are such as `write_bloom` writes."""
    bits, hashes, rate = (header.get(key) for key in ("bits", "hashes", "rate"))
    return (
        type(bits) is int
        and bits > 0
        and type(hashes) is int
        and 0 < hashes <= MOST_HASHES
        and type(rate) is float
        and 0 < rate < 1
    )
