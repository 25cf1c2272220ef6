"""How far tokens look back in a packed corpus, told cheaply or assumed in so many words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from finetune.run_folder import RunFolder

MOST_BYTES = 16 * 2**20
"""So much of a manifest is read: some tens of thousands of documents, in milliseconds."""

CHARACTERS_PER_TOKEN = 3.0
"""Of code, with StarCoder's tokenizer; an estimate, and only where documents are counted."""


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """What attention costs depends on."""

    attended: float
    """Tokens to which a token attends, on average."""
    words: str
    """Where that comes from."""


def lengths_of(run: RunFolder, length: int, window: int | None, *, isolated: bool) -> Lengths:
    """From the manifest of a prepared run where documents are isolated; else a whole block."""
    if not isolated:
        return _assumed(length, window, "blocks are not isolated: a token attends to all before it")
    if not run.manifest.is_file():
        words = "the corpus is not prepared yet: every block is taken for one document"
        return _assumed(length, window, words)
    with run.manifest.open("rb") as file:
        text = file.read(MOST_BYTES)
    characters = [int(found) for found in re.findall(rb'"characters": ?(\d+)', text)]
    if not characters:
        return _assumed(length, window, "the manifest names no document")
    tokens = [max(1, round(count / CHARACTERS_PER_TOKEN)) for count in characters]
    words = (
        f"{len(tokens):,} documents of the manifest, at {CHARACTERS_PER_TOKEN:g} characters a token"
    )
    return Lengths(attended=mean_attended(tokens, length, window), words=words)


def _assumed(length: int, window: int | None, words: str) -> Lengths:
    return Lengths(attended=mean_attended([length], length, window), words=words)


def mean_attended(tokens: Iterable[int], length: int, window: int | None) -> float:
    """sum(l^2 / 2) / sum(l) over documents cut at `length`; where attention has a window w, a
    document longer than w has l w - w^2 / 2 pairs instead of l^2 / 2."""
    pairs, total = 0.0, 0
    for count in tokens:
        whole, rest = divmod(count, length)
        pairs += whole * _pairs(length, window) + _pairs(rest, window)
        total += count
    return pairs / total


def _pairs(tokens: int, window: int | None) -> float:
    if window is None or tokens <= window:
        return tokens**2 / 2
    return tokens * window - window**2 / 2
