"""One segment of a document -> ids and labels, left to right or with its middle moved to the end.

Cuts are made in the original text, never in ids or decoded text: a cut may fall inside a token
but never inside a character, and the parts always concatenate to the segment.
"""

from dataclasses import dataclass

from data_formats.fim import LAYOUTS
from finetune.recipe.schema import Fim
from finetune.sequences.draws import Draws, below, happens
from finetune.tokenizer import CodeTokenizer

IGNORED = -100
"""The label that no loss counts."""


@dataclass(frozen=True)
class Cut:
    """Where a segment was cut, in code points of its text, and how it was written."""

    layout: str
    prefix_end: int
    middle_end: int


@dataclass(frozen=True)
class WrittenSegment:
    """The ids of one segment and a label for each of them."""

    ids: list[int]
    labels: list[int]
    cut: Cut | None


def choose_cut(text: str, fim: Fim, drawn: Draws) -> Cut | None:
    """Whether and where `text` is cut: two points uniform over its code points, empty parts too."""
    if not text or not happens(drawn.transform, fim.rate):
        return None
    layout = "spm" if happens(drawn.layout, fim.spm) else "psm"
    points = (below(drawn.first_cut, len(text) + 1), below(drawn.second_cut, len(text) + 1))
    return Cut(layout, min(points), max(points))


def write_segment(
    text: str, cut: Cut | None, *, ends: bool, labels: str, tokenizer: CodeTokenizer
) -> WrittenSegment:
    """Encode `text` as `cut` says.

    `ends`: whether the document ends here. A segment that goes on elsewhere gets no end token
    when written left to right; a transformed one always does, for that is where its middle ends.
    `labels`: "all", or "middle" for the middle and its end alone.
    """
    if cut is None:
        ids = tokenizer.encode(text)
        if ends:
            ids.append(tokenizer.eod)
        return WrittenSegment(ids, list(ids), None)
    ids, middle = _in_order(text, cut, tokenizer)
    ids.append(tokenizer.eod)
    masked = len(ids) - middle - 1 if labels == "middle" else 0
    return WrittenSegment(ids, [IGNORED] * masked + ids[masked:], cut)


def _in_order(text: str, cut: Cut, tokenizer: CodeTokenizer) -> tuple[list[int], int]:
    """Ids in the layout's order, and how many of them are the middle's."""
    sentinels = tokenizer.sentinels
    assert sentinels is not None, "checked before any sequence is built"
    roles = {
        "PREFIX": [sentinels.prefix],
        "MIDDLE": [sentinels.middle],
        "SUFFIX": [sentinels.suffix],
        "prefix": tokenizer.encode(text[: cut.prefix_end]),
        "middle": tokenizer.encode(text[cut.prefix_end : cut.middle_end]),
        "suffix": tokenizer.encode(text[cut.middle_end :]),
    }
    ids = [id_ for role in LAYOUTS[cut.layout] for id_ in roles[role]]
    return ids, len(roles["middle"])
