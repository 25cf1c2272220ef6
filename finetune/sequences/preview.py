"""Real packed blocks for people: roles, document bounds, masked labels, and a summary.

`described` turns a block into documents and runs of text; `block_text` shows them in a terminal,
`preview_page.py` as a page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from finetune.sequences.block import Block, Placed
from finetune.sequences.segment import IGNORED
from finetune.sequences.stream import BlockStream
from finetune.sequences.tokenised import TokenisedCorpus
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


@dataclass(frozen=True)
class Run:
    """Neighbouring tokens of one role and one kind of label."""

    role: str
    is_masked: bool
    """Whether no loss is taken on them."""
    start: int
    """Position in the block."""
    end: int
    text: str


@dataclass(frozen=True)
class Shown:
    """One segment of a block, for people."""

    name: str
    """Repository and path."""
    segment: tuple[int, int]
    """Code points of the document."""
    layout: str
    start: int
    end: int
    positions: tuple[int, int]
    """Position ids of the first and the last token."""
    runs: tuple[Run, ...]


def described(block: Block, corpus: TokenisedCorpus) -> list[Shown]:
    """The segments of a block in order."""
    shown = []
    for placed in block.placed:
        document = corpus.describe(placed.turn.document)
        positions = block.position_ids[placed.start : placed.end]
        shown.append(
            Shown(
                name=f"{document.repo}/{document.path}",
                segment=placed.segment,
                layout=_layout(placed),
                start=placed.start,
                end=placed.end,
                positions=(int(positions[0]), int(positions[-1])),
                runs=tuple(_runs(placed, block, corpus.tokenizer)),
            )
        )
    return shown


def _layout(placed: Placed) -> str:
    cut = placed.cut
    if cut is None:
        return "left to right"
    return cut.layout.upper() if cut.kind == "character" else f"{cut.layout.upper()}, {cut.kind}"


def _runs(placed: Placed, block: Block, tokenizer: CodeTokenizer) -> Iterator[Run]:
    start = placed.start
    for role, count in placed.roles:
        ids = block.input_ids[start : start + count].tolist()
        roles = [_role(role, id_, tokenizer) for id_ in ids]
        masked = (block.labels[start : start + count] == IGNORED).tolist()
        at = 0
        for (of_run, is_masked), run in groupby(zip(roles, masked, strict=True)):
            end = at + len(list(run))
            text = _visible(of_run, ids, at, end, tokenizer)
            yield Run(of_run, is_masked, start + at, start + end, text)
            at = end
        start += count


def _role(role: str, id_: int, tokenizer: CodeTokenizer) -> str:
    """Content never has a special token's id: one within a text is a sentinel of its format."""
    return "sentinel" if role == "text" and tokenizer.name(id_) is not None else role


def _visible(role: str, ids: list[int], start: int, end: int, tokenizer: CodeTokenizer) -> str:
    """Text of a role's tokens from `start` to `end`; control characters are made visible.

    A character whose bytes fall into two runs is shown in the second.
    """
    if role in ("sentinel", "end"):
        return "".join(str(tokenizer.name(id_)) for id_ in ids[start:end])
    whole = tokenizer.decode(ids)
    low, high = (_whole_characters(whole, tokenizer.decode(ids[:to])) for to in (start, end))
    text = whole[low:high]
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def _whole_characters(whole: str, beginning: str) -> int:
    """How many characters of `whole` are complete where `beginning` stops, perhaps inside one."""
    while not whole.startswith(beginning):
        beginning = beginning[:-1]
    return len(beginning)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def padding_of(block: Block) -> int:
    """Positions at the end that hold nothing."""
    return len(block.input_ids) - (block.placed[-1].end if block.placed else 0)


def block_text(block: Block, corpus: TokenisedCorpus) -> "Text":
    """One block in colour, a heading before each document."""
    from rich.text import Text

    text = Text()
    for shown in described(block, corpus):
        low, high = shown.segment
        first, last = shown.positions
        text.append(
            f"\n── {shown.name} [{low}:{high}]  {shown.layout}  "
            f"tokens {shown.start}-{shown.end}, positions {first}-{last} ──\n",
            "bold blue",
        )
        for run in shown.runs:
            text.append(run.text, STYLES[run.role] + (" dim underline" if run.is_masked else ""))
    text.append(f"\n── padding: {padding_of(block)} tokens ──\n", "bold blue")
    return text


def summary(stream: BlockStream) -> list[str]:
    """Sentences about what was packed so far."""
    counts, order = stream.counts, stream.packer.order
    handed = sum(order.handed.values()) or 1
    lines = [
        f"blocks {counts.windows} of {stream.packer.length} tokens, segments {counts.segments}",
        f"fill-in-the-middle: nominal rate {counts.nominal_rate:.3f}, effective "
        f"{counts.effective_rate:.3f} of what may be cut (PSM {counts.psm}, SPM {counts.spm}) and "
        f"{counts.transformed_tokens / max(1, counts.tokens):.3f} of tokens",
        f"documents split {counts.splits} times, {counts.splits_in_lines} of them inside a line "
        "that is longer than a block; nothing is shortened or dropped, for a segment is "
        "measured before it is placed",
        f"positions filled: {counts.fill:.4f} ({counts.padding} of padding)",
    ]
    lines += [f"cuts by {kind}: {count}" for kind, count in sorted(counts.kinds.items())]
    lines += [
        f"cuts by character instead of {kind}, which the text did not allow: {count}"
        for kind, count in sorted(counts.instead.items())
    ]
    for source, passes in order.passes.items():
        share = order.handed[source] / handed
        lines.append(f"source {source}: {share:.3f} of the tokens read ahead, {passes:.3f} passes")
    return lines + encoding(stream.corpus)


def encoding(corpus: TokenisedCorpus) -> list[str]:
    """Why parts are encoded again, where they are."""
    reason = corpus.encoder.reason
    if reason is not None:
        return [f"parts are encoded again at every cut: {reason}"]
    if corpus.num_inexact:
        return [
            f"parts of {corpus.num_inexact} documents are encoded again at every cut: the "
            "tokenizer changes their text"
        ]
    return []
