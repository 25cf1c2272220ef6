"""One segment of a document -> ids, left to right or with its middle moved to the end.

Cuts are made in the original text, never in ids or decoded text: a cut may fall inside a token
but never inside a character, and the parts always concatenate to the segment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

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
    """The ids of one segment, in consecutive arrays that mostly lie in the document's own."""

    pieces: tuple[Ids, ...]
    length: int
    """Tokens, sentinels and end included."""
    cut: Cut | None
    sizes: Mapping[str, int]
    """Tokens of each part: prefix, middle and suffix, or text."""
    has_end: bool

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
        return self.length - self.sizes["middle"] - 1 if self.cut else 0

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
        pieces = encoder.part(tokens, start, end)
        size = sum(map(len, pieces))
        has_end = end == len(tokens.text)
        ends = [encoder.special("end")] * has_end
        return Written((*pieces, *ends), size + has_end, None, {"text": size}, has_end)
    bounds = (start, start + cut.prefix_end, start + cut.middle_end, end)
    parts = {
        "PREFIX": [encoder.special("prefix")],
        "MIDDLE": [encoder.special("middle")],
        "SUFFIX": [encoder.special("suffix")],
        "prefix": encoder.part(tokens, bounds[0], bounds[1]),
        "middle": encoder.part(tokens, bounds[1], bounds[2]),
        "suffix": encoder.part(tokens, bounds[2], bounds[3]),
    }
    sizes = {role: sum(map(len, parts[role])) for role in ("prefix", "middle", "suffix")}
    ordered = [piece for role in LAYOUTS[cut.layout] for piece in parts[role]]
    length = sum(sizes.values()) + OVERHEAD
    return Written((*ordered, encoder.special("end")), length, cut, sizes, True)
