"""A segment of a document -> ids, left to right or with its middle moved to the end.

Cuts are made in the original text, never in ids or decoded text: a cut may fall inside a token
but never inside a character, and the parts always concatenate to the segment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_formats.fim import LAYOUTS
from finetune.recipe.schema import CutKind, Fim
from finetune.sequences.cuts import cut_points
from finetune.sequences.draws import RANGE, Draws, happens
from finetune.sequences.encoder import Encoder, Ids, Tokens

IGNORED = -100
"""The label that no loss counts."""
OVERHEAD = 4
"""Tokens that a transformation adds for certain: three sentinels and the end."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a segment was cut, in code points of its text, and how it was written."""

    layout: str
    prefix_end: int
    middle_end: int
    kind: str = "character"
    wanted: str = "character"
    """The kind that was drawn; another than `kind` where the text did not allow it."""


@dataclass(frozen=True, slots=True)
class Written:
    """The ids of a segment, or of a part of one, in arrays that mostly lie in the document's own.

    A segment of a plain document is one part. Where only some of it may be cut, a cut file of a
    repository is one, and what stands between cut ones another.
    """

    start: int
    """First code point of the part in its document."""
    end: int
    pieces: tuple[Ids, ...]
    length: int
    """Tokens, sentinels and end included."""
    cut: Cut | None
    sizes: Mapping[str, int]
    """Tokens of each part: prefix, middle and suffix, or text."""
    has_end: bool
    num_bodies: int = 1
    """Draws that were made: each could have led to a cut."""
    learned: NDArray[np.bool_] | None = None  # (length,)
    """Which tokens carry loss; None: all."""

    @property
    def ids(self) -> Ids:
        """(length,) all ids."""
        return np.concatenate(self.pieces) if self.pieces else np.zeros(0, dtype=np.uint16)

    def copied(self) -> "Written":
        """The same with ids of its own."""
        return replace(self, pieces=(self.ids,))

    @property
    def num_context(self) -> int:
        """Tokens before the middle; 0 where nothing was cut."""
        return self.length - self.sizes["middle"] - self.has_end if self.cut else 0

    @property
    def roles(self) -> list[tuple[str, int]]:
        """The parts in the order of writing, and how many tokens each has."""
        order = LAYOUTS[self.cut.layout] if self.cut else ("text",)
        roles = [("sentinel", 1) if r.isupper() else (r, self.sizes[r]) for r in order]
        return [*roles, ("end", 1)] if self.has_end else roles


def choose_cut(
    text: str, start: int, end: int, language: str, fim: Fim, drawn: Draws
) -> Cut | None:
    """Whether and where `text[start:end]` is cut. Empty parts are allowed."""
    if start == end or not happens(drawn.transform, fim.rate):
        return None
    layout = fim.spm_layout if happens(drawn.layout, fim.spm) else "psm"
    wanted = kind = choose_kind(fim.kinds, drawn.kind)
    points = cut_points(kind, text, start, end, language, drawn.first_cut, drawn.second_cut)
    if points is None:
        kind = "character"
        points = cut_points(kind, text, start, end, language, drawn.first_cut, drawn.second_cut)
        assert points is not None, "a text can be cut between any two characters"
    return Cut(layout, *points, kind, wanted)


def choose_kind(weights: Mapping[CutKind, float], draw: int) -> CutKind:
    """A kind of cut, with a chance in proportion to its weight."""
    rest = draw / RANGE * sum(weights.values())
    for kind, weight in sorted(weights.items()):  # in whatever order a recipe names them
        rest -= weight
        if rest < 0:
            return kind
    return kind  # the last, where rounding left a rest


def write_segment(
    tokens: Tokens, start: int, end: int, cut: Cut | None, encoder: Encoder
) -> Written:
    """Write `text[start:end]` of a document as `cut` says.

    A segment that goes on elsewhere gets no end token when written left to right; a transformed
    one always does, for that is where its middle ends.
    """
    if cut is None:
        return _left_to_right(tokens, start, end, encoder, has_end=end == len(tokens.text))
    return _with_middle_last(tokens, start, end, cut, encoder, has_end=True)


def write_parts(
    tokens: Tokens, start: int, end: int, cut_of: Callable[[int, int], Cut | None], encoder: Encoder
) -> tuple[Written, ...]:
    """Write a segment of a document with an outline: each of its bodies is cut on its own.

    `cut_of` draws the cut of a body, given its first and last but one code point. Only the last
    part has an end: a middle that another file follows ends with that file's sentinel.
    """
    outline, size = tokens.outline, len(tokens.text)
    assert outline is not None
    parts: list[Written] = []
    plain_from, num_bodies = start, 0
    for low, high, is_body in outline.parts(start, end, size):
        cut = cut_of(low, high) if is_body else None
        if cut is None:
            num_bodies += is_body
            continue
        if plain_from < low or outline.num_tokens_at(low):
            run = _before_a_cut(tokens, plain_from, low, encoder)
            parts.append(replace(run, num_bodies=num_bodies))
        parts.append(_with_middle_last(tokens, low, high, cut, encoder, has_end=high == end))
        plain_from, num_bodies = high, 0
    if plain_from < end or not parts:
        run = _left_to_right(tokens, plain_from, end, encoder, has_end=end == size)
        parts.append(replace(run, num_bodies=num_bodies))
    return tuple(parts)


def _before_a_cut(tokens: Tokens, start: int, end: int, encoder: Encoder) -> Written:
    """What stays in its place, up to and with the sentinels that stand before the cut text."""
    text = encoder.part(tokens, start, end) if start < end else []
    pieces = (*text, encoder.sentinels(tokens, end))
    size = sum(map(len, pieces))
    return Written(start, end, pieces, size, None, {"text": size}, has_end=False)


def _left_to_right(
    tokens: Tokens, start: int, end: int, encoder: Encoder, *, has_end: bool
) -> Written:
    outline = tokens.outline
    pieces = encoder.part(tokens, start, end)
    size = sum(map(len, pieces))
    ends = [encoder.special("end")] * has_end
    written = Written(start, end, (*pieces, *ends), size + has_end, None, {"text": size}, has_end)
    if outline is None or outline.learned is None:
        return written
    return replace(written, learned=_learned(tokens, start, end, encoder, has_end=has_end))


def _learned(
    tokens: Tokens, start: int, end: int, encoder: Encoder, *, has_end: bool
) -> NDArray[np.bool_]:
    """Which of the tokens of a part carry loss."""
    outline, size = tokens.outline, len(tokens.text)
    assert outline is not None
    flags: list[bool] = []
    for low, high in outline.runs(start, end):
        sentinels = outline.num_tokens_at(low)
        count = sum(map(len, encoder.part(tokens, low, high))) - sentinels
        if high == size:
            count -= outline.num_tokens_at(high)
        flags += [outline.learns_token(low)] * sentinels
        flags += [outline.learns_text(low, high)] * count
    if end == size:
        flags += [outline.learns_token(size)] * outline.num_tokens_at(size)
    return np.array(flags + [outline.learns_token(size)] * has_end, dtype=np.bool_)


def _with_middle_last(
    tokens: Tokens, start: int, end: int, cut: Cut, encoder: Encoder, *, has_end: bool
) -> Written:
    bounds = (start, start + cut.prefix_end, start + cut.middle_end, end)
    parts = {
        "PREFIX": [encoder.special("prefix")],
        "MIDDLE": [encoder.special("middle")],
        "SUFFIX": [encoder.special("suffix")],
        "prefix": encoder.splice(tokens, bounds[0], bounds[1]),
        "middle": encoder.splice(tokens, bounds[1], bounds[2]),
        "suffix": encoder.splice(tokens, bounds[2], bounds[3]),
    }
    sizes = {role: sum(map(len, parts[role])) for role in ("prefix", "middle", "suffix")}
    ordered = [piece for role in LAYOUTS[cut.layout] for piece in parts[role]]
    ends = [encoder.special("end")] * has_end
    length = sum(sizes.values()) + OVERHEAD - 1 + has_end
    return Written(start, end, (*ordered, *ends), length, cut, sizes, has_end)
