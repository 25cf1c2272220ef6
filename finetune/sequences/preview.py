"""Real packed blocks for people: roles in colour, document bounds, masked labels, a summary."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from data_formats.document import Document
from data_formats.fim import LAYOUTS
from finetune.sequences.block import Block, Placed
from finetune.sequences.packing import Counts
from finetune.sequences.segment import IGNORED
from finetune.tokenizer import CodeTokenizer

if TYPE_CHECKING:
    from rich.text import Text

STYLES = {
    "prefix": "cyan",
    "middle": "bold green",
    "suffix": "magenta",
    "text": "default",
    "sentinel": "black on yellow",
    "end": "white on red",
}
"""By role. Tokens without a label are dim and underlined on top of it."""


def roles_of(placed: Placed, text: str, tokenizer: CodeTokenizer) -> list[str]:
    """The role of each token of a segment whose text is `text`: a key of STYLES."""
    cut = placed.segment.written.cut
    num_tokens = placed.end - placed.start
    if cut is None:
        ends = placed.segment.written.ids[-1:] == [tokenizer.eod]
        return ["text"] * (num_tokens - ends) + ["end"] * ends
    parts = {
        "prefix": text[: cut.prefix_end],
        "middle": text[cut.prefix_end : cut.middle_end],
        "suffix": text[cut.middle_end :],
    }
    roles = []
    for role in LAYOUTS[cut.layout]:
        roles += ["sentinel"] if role.isupper() else [role] * len(tokenizer.encode(parts[role]))
    return [*roles, "end"]


def block_text(block: Block, documents: Sequence[Document], tokenizer: CodeTokenizer) -> "Text":
    """One block in colour, a heading before each document."""
    from rich.text import Text

    text = Text()
    for placed in block.placed:
        segment, cut = placed.segment, placed.segment.written.cut
        document = documents[segment.turn.document]
        layout = cut.layout.upper() if cut else "left to right"
        text.append(
            f"\n── {document.repo}/{document.path} [{segment.start}:{segment.end}]  {layout}  "
            f"tokens {placed.start}-{placed.end} ──\n",
            "bold blue",
        )
        roles = roles_of(placed, document.text[segment.start : segment.end], tokenizer)
        for run, role, masked in _runs(placed, roles, block):
            style = STYLES[role] + (" dim underline" if masked else "")
            text.append(_shown(run, tokenizer), style)
    padding = len(block.input_ids) - (block.placed[-1].end if block.placed else 0)
    text.append(f"\n── padding: {padding} tokens ──\n", "bold blue")
    return text


def _runs(
    placed: Placed, roles: Sequence[str], block: Block
) -> Iterator[tuple[list[int], str, bool]]:
    """Neighbouring tokens of one role and one kind of label, together."""
    at = range(placed.start, placed.end)
    kinds = zip(at, roles, (block.labels[i] == IGNORED for i in at), strict=True)
    for (role, masked), run in groupby(kinds, key=lambda kind: kind[1:]):
        yield [int(block.input_ids[position]) for position, *_ in run], role, bool(masked)


def _shown(ids: list[int], tokenizer: CodeTokenizer) -> str:
    """Text of a run; control characters other than newlines and tabs are made visible."""
    names = "".join(name for id_ in ids if (name := tokenizer.name(id_)) is not None)
    text = names or tokenizer.decode(ids)
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def summary(counts: Counts, nominal: float) -> list[str]:
    """Sentences about what was packed."""
    return [
        f"blocks {counts.windows}, segments {counts.segments}, documents split "
        f"{counts.splits} times",
        f"fill-in-the-middle: nominal rate {nominal:.3f}, effective {counts.effective_rate:.3f} "
        f"(PSM {counts.psm}, SPM {counts.spm})",
        f"positions filled: {counts.fill:.4f} ({counts.padding} of padding)",
    ]
