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

from finetune.errors import UserError
from finetune.sequences.boundaries import Boundaries, boundaries_of
from finetune.sequences.outline import Outline
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
    outline: Outline | None = None
    """Sentinels among the ids take no text: each starts where the token behind it does."""

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

    def token(self, name: str) -> Ids:
        """(1,) the id of a special token. Raises UserError where the tokenizer has none such."""
        known = self._specials.get(name)
        if known is None:
            id_ = self.tokenizer.special_id(name)
            if id_ is None:
                raise UserError(
                    f"{self.tokenizer.folder}: the tokenizer has no special token {name}, with "
                    "which a document of the corpus is written; leave out the source of that "
                    "format, or choose a base that was trained on it"
                )
            known = self._specials[name] = np.array((id_,), dtype=self.dtype)
        return known

    def tokens(self, text: str, outline: Outline | None = None) -> Tokens:
        """A document's ids and where each of them starts."""
        if outline is None:
            return self._plain(text)
        ids, starts, is_exact = [], [], True
        tokens = [(mark.at, self.token(mark.token)) for mark in outline.marks if mark.token]
        for start, end in outline.runs(0, len(text)):
            special = [ids_ for at, ids_ in tokens if at == start]
            run = self._plain(text[start:end])
            ids += [*special, run.ids]
            starts += [np.full(len(special), start, dtype=np.uint32), run.starts + np.uint32(start)]
            is_exact &= run.is_exact
        behind = [ids_ for at, ids_ in tokens if at == len(text) and text]
        starts.append(np.full(len(behind), len(text), dtype=np.uint32))
        return Tokens(
            text,
            np.concatenate([*ids, *behind]),
            np.concatenate(starts),
            is_exact,
            outline,
        )

    def _plain(self, text: str) -> Tokens:
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
        """Ids of `text[start:end]`, as if that text were encoded alone, in consecutive arrays.

        Sentinels come with the text behind them, and the last ones with the end of the text.
        """
        text, outline = tokens.text, tokens.outline
        if start == 0 and end == len(text):
            return [tokens.ids]
        if outline is None:
            return self.splice(tokens, start, end)
        found: list[Ids] = []
        for run in outline.runs(start, end):
            found += [self.sentinels(tokens, run[0]), *self.splice(tokens, *run)]
        if end == len(text):
            found.append(self.sentinels(tokens, end))
        return found

    def sentinels(self, tokens: Tokens, place: int) -> Ids:
        """The sentinels that stand before one code point."""
        count = tokens.outline.num_tokens_at(place) if tokens.outline else 0
        at = tokens.index(place)
        return tokens.ids[at : at + count]

    def splice(self, tokens: Tokens, start: int, end: int) -> list[Ids]:
        """The same for a text without sentinels, or a run between two of them; without those."""
        text, boundaries, outline = tokens.text, self._found, tokens.outline
        if not tokens.is_exact or isinstance(boundaries, str):
            return [self.ids(text[start:end])] if start < end else []
        is_safe = boundaries.at(text, start) or (outline is not None and outline.is_break(start))
        left = start if is_safe else boundaries.first(text, start, end)
        if left is None or left >= end:
            return [self.ids(text[start:end])] if start < end else []
        is_safe = boundaries.at(text, end) or (outline is not None and outline.is_break(end))
        right = end if is_safe else boundaries.last(text, left, end)
        right = left if right is None else right
        low, high = tokens.starts.searchsorted(np.array((left, right), dtype=np.uint32))
        if outline is not None:
            low += outline.num_tokens_at(left)
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
