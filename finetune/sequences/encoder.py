"""Texts -> ids: a document once, and then any part of it at the price of its two ends.

A document is parted at boundaries (`boundaries.py`) into small pieces, of which a corpus holds few
different ones: each is encoded once. For a part of a document, the ids between the first and the
last boundary inside it are those of the document; only what lies outside them is encoded. Both
give exactly the ids of encoding the text itself. For a tokenizer whose boundaries are not known,
`reason` says why, and everything is encoded as it comes.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune.sequences.boundaries import Boundaries, boundaries_of
from finetune.tokenizer import CodeTokenizer

Ids = NDArray[Any]
"""uint16 where the vocabulary allows, else uint32."""

PIECES_KEPT = 1 << 18
"""Different pieces whose ids are remembered: some 50 MB."""
LONGEST_KEPT = 64
"""Characters; longer pieces hardly ever come again."""


@dataclass(frozen=True)
class Tokens:
    """A document as text and as ids."""

    text: str
    ids: Ids  # (n,)
    starts: NDArray[np.uint32]  # (n,) code point at which each token starts; may repeat
    is_exact: bool
    """Whether the ids spell the text byte for byte and boundaries hold in it."""

    def index(self, place: int) -> int:
        """The first token that starts at or behind code point `place`."""
        return int(self.starts.searchsorted(np.uint32(place)))


@dataclass
class Encoder:
    """One tokenizer, and what was encoded with it so far."""

    tokenizer: CodeTokenizer
    is_spliced: bool = True
    """False encodes every part again: the plain way, to compare with."""
    _pieces: dict[str, bytes | None] = field(init=False, default_factory=dict)
    """Ids by piece, as bytes, proven to spell it; None where they do not."""
    _fragments: dict[str, Ids] = field(init=False, default_factory=dict)
    """Ids of what was encoded at cuts."""

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Of ids."""
        return np.dtype(np.uint16 if self.tokenizer.size <= 1 << 16 else np.uint32)

    @cached_property
    def _found(self) -> Boundaries | str:
        if not self.is_spliced:
            return "splicing is turned off"
        return boundaries_of(self.tokenizer.content_json)

    @property
    def reason(self) -> str | None:
        """Why every part has to be encoded again, or None where it has not."""
        return self._found if isinstance(self._found, str) else None

    @cached_property
    def _spellings(self) -> dict[int, bytes]:
        return self.tokenizer.spellings()

    @cached_property
    def _widths(self) -> NDArray[np.uint32]:
        """Bytes of text by id."""
        widths = np.zeros(max(self._spellings) + 1, dtype=np.uint32)
        for id_, spelling in self._spellings.items():
            widths[id_] = len(spelling)
        return widths

    def special(self, name: str) -> Ids:
        """(1,) the id of the end, or of a sentinel: prefix, middle or suffix."""
        return self._specials[name]

    @cached_property
    def _specials(self) -> dict[str, Ids]:
        ids = {"end": self.tokenizer.eod}
        if self.tokenizer.sentinels:
            ids |= vars(self.tokenizer.sentinels)
        return {name: np.array((id_,), dtype=self.dtype) for name, id_ in ids.items()}

    def tokens(self, text: str) -> Tokens:
        """A document's ids and where each of them starts."""
        try:
            ids = None if isinstance(self._found, str) else self._ids_by_piece(text, self._found)
        except UnicodeEncodeError:
            ids = None  # the tokenizer says which character is none
        if ids is not None:
            return Tokens(text, ids, self._starts(text, ids), is_exact=True)
        plain, starts = self.tokenizer.encode_with_starts(text)
        return Tokens(
            text,
            np.array(plain, dtype=self.dtype),
            np.array(starts, dtype=np.uint32),
            is_exact=False,
        )

    def part(self, tokens: Tokens, start: int, end: int) -> list[Ids]:
        """Ids of `text[start:end]`, as if that text were encoded alone, in consecutive arrays."""
        text, boundaries = tokens.text, self._found
        if start == 0 and end == len(text):
            return [tokens.ids]
        if not tokens.is_exact or isinstance(boundaries, str):
            return [self.ids(text[start:end])]
        left = start if boundaries.at(text, start) else boundaries.first(text, start, end)
        if left is None or left >= end:
            return [self.ids(text[start:end])] if start < end else []
        right = end if boundaries.at(text, end) else boundaries.last(text, left, end)
        right = left if right is None else right
        low, high = tokens.starts.searchsorted(np.array((left, right), dtype=np.uint32))
        found = [tokens.ids[low:high]]
        if start < left:
            found.insert(0, self.ids(text[start:left]))
        if right < end:
            found.append(self.ids(text[right:end]))
        return found

    def ids(self, text: str) -> Ids:
        """Ids of a text; those of a short one are remembered."""
        known = self._fragments.get(text)
        if known is None:
            proven = self._pieces.get(text)
            if proven is not None:
                known = np.frombuffer(proven, dtype=self.dtype)
            else:
                known = np.array(self.tokenizer.encode(text), dtype=self.dtype)
            if len(text) <= LONGEST_KEPT:
                self._make_room()
                self._fragments[text] = known
        return known

    def _ids_by_piece(self, text: str, boundaries: Boundaries) -> Ids | None:
        """None where the ids of some piece do not spell it: the tokenizer changes this text."""
        pieces = boundaries.pieces(text)
        known = self._pieces
        found = [known.get(piece, b"?") for piece in pieces]
        if b"?" in found:
            self._make_room()
            new = self._encoded({p for p, f in zip(pieces, found, strict=True) if f == b"?"})
            found = [new[p] if f == b"?" else f for p, f in zip(pieces, found, strict=True)]
            known.update((p, ids) for p, ids in new.items() if len(p) <= LONGEST_KEPT)
        if None in found:
            return None
        return np.frombuffer(b"".join(found), dtype=self.dtype)  # type: ignore[arg-type]

    def _encoded(self, pieces: set[str]) -> dict[str, bytes | None]:
        """Each piece's ids, proven to spell it."""
        ordered = list(pieces)
        spellings, encoded = self._spellings, {}
        for piece, ids in zip(ordered, self.tokenizer.encode_all(ordered), strict=True):
            spelt = b"".join([spellings.get(id_, b"\xff") for id_ in ids])
            is_same = spelt == piece.encode()
            encoded[piece] = np.array(ids, dtype=self.dtype).tobytes() if is_same else None
        return encoded

    def _starts(self, text: str, ids: Ids) -> NDArray[np.uint32]:
        ends = np.cumsum(self._widths[ids], dtype=np.uint32)  # (n,) in bytes
        starts = np.zeros_like(ends)
        starts[1:] = ends[:-1]
        if text.isascii():
            return starts
        lead = (np.frombuffer(text.encode(), dtype=np.uint8) & 0xC0) != 0x80  # (bytes,)
        characters = np.cumsum(lead, dtype=np.uint32) - 1  # (bytes,) the code point of each
        return characters[starts]

    def _make_room(self) -> None:
        for kept in (self._pieces, self._fragments):
            if len(kept) >= PIECES_KEPT:
                kept.clear()
