"""The base knows the recipe's sentinels: it expects them, and fills in better than with others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from finetune.models.measure import measuring_set
from finetune.recipe.schema import EarlierRun, Scratch
from finetune.sequences import Block
from finetune.sequences.segment import IGNORED
from finetune.tokenizer import SentinelIds
from finetune.training.doctor.finding import Finding, fault, not_applicable, note, ok
from finetune.training.doctor.subject import Subject

CHECK = "sentinels"
FEWEST = 8
"""Segments without which nothing can be told."""
ERRORS = 2.0
"""Standard errors of the mean by which the right ones must be better."""
REVERSED = 3.0
"""The same by which others must be better before that is believed of a base that knows little."""


@dataclass(frozen=True)
class Margin:
    """How much worse other sentinels are: paired differences over segments, in nats per token."""

    mean: float
    error: float
    """Standard error of the mean."""

    @property
    def errors(self) -> float:
        return self.mean / self.error if self.error else float(np.sign(self.mean)) * np.inf

    def __str__(self) -> str:
        return f"{self.mean:+.3f} ± {self.error:.3f}"


def known_sentinels(subject: Subject) -> Finding:
    """Losses of held-out middles with the recipe's sentinels, with prefix and suffix exchanged, and
    with other special tokens; and of the sentinel before them.

    Among tokens that a base never saw some do better than others by chance, so a margin alone does
    not tell: but what it never saw, it never expects, and gives less than an even chance. Every
    rank must call it.
    """
    why = _not_asked(subject)
    if why:
        return not_applicable(CHECK, why)
    ids = subject.tokenizer.sentinels
    assert ids is not None, "FIM is refused without sentinels"
    recipe = subject.recipe
    fims = [recipe.fim.changed_by(source.fim) for source in recipe.data.sources]
    layout = "spm" if all(fim.spm == 1.0 for fim in fims if fim.rate) else "psm"
    length, most = recipe.sequences.length, recipe.train.validation_tokens
    blocks = measuring_set(subject.held_out, layout, length, most).blocks
    blocks = tuple(_with_label_of(block, ids.middle) for block in blocks)
    num = sum(placed.cut is not None for block in blocks for placed in block.placed)
    if num < FEWEST:
        return not_applicable(CHECK, f"only {num} held-out segments are cut")
    swap = {ids.prefix: ids.suffix, ids.suffix: ids.prefix}
    others = dict(zip(vars(ids).values(), _other_ids(subject, ids), strict=True))
    losses = [subject.losses(blocks, given).numpy() for given in ({}, swap, others)]
    right, exchanged, foreign = (_middles(blocks, one, ids.middle) for one in losses)  # (S,)
    measured = Measured(
        layout=layout,
        num=num,
        loss=float(right.mean()),
        expected=float(_of_sentinel(blocks, losses[0], ids.middle).mean()),
        even=math.log(subject.tokenizer.size),
        exchanged=_margin(right, exchanged),
        foreign=_margin(right, foreign),
    )
    return _judged(measured, is_own=isinstance(recipe.base, EarlierRun))


def _not_asked(subject: Subject) -> str | None:
    recipe = subject.recipe
    if not any(recipe.fim.changed_by(one.fim).rate for one in recipe.data.sources):
        return "the recipe has no fill-in-the-middle"
    if isinstance(recipe.base, Scratch):
        return "made from scratch, the base knows no sentinels yet"
    if not subject.is_trained:
        return "the base's loss is not below the unigram entropy: it has learned no sentinels"
    return None


def _with_label_of(block: Block, sentinel: int) -> Block:
    """The block with a label at the sentinel before each middle, which measuring leaves out."""
    is_it = block.input_ids == sentinel  # (L,); content never spells one
    return replace(block, labels=np.where(is_it, sentinel, block.labels))


def _middles(
    blocks: Sequence[Block], losses: NDArray[np.float64], sentinel: int
) -> NDArray[np.float64]:
    """(N, L - 1) -> (S,): the mean loss of each cut segment's middle and end."""
    means = []
    for block, row in zip(blocks, losses, strict=True):
        labels = np.where(block.input_ids == sentinel, IGNORED, block.labels)  # (L,)
        for placed in block.placed:
            if placed.cut is not None:
                has_label = labels[placed.start + 1 : placed.end] != IGNORED
                means.append(row[placed.start : placed.end - 1][has_label].mean())
    return np.array(means)


def _of_sentinel(
    blocks: Sequence[Block], losses: NDArray[np.float64], sentinel: int
) -> NDArray[np.float64]:
    """(N, L - 1) -> (S,): what the sentinel costs before each middle."""
    is_it = np.stack([block.input_ids[1:] == sentinel for block in blocks])  # (N, L - 1)
    found: NDArray[np.float64] = losses[is_it]
    return found


def _other_ids(subject: Subject, ids: SentinelIds) -> list[int]:
    """Three that mean something else, or nothing, to the base."""
    own = {*vars(ids).values(), subject.tokenizer.eod, subject.tokenizer.pad}
    special = [id_ for id_ in sorted(subject.tokenizer.special_ids.values()) if id_ not in own]
    rest = (id_ for id_ in range(subject.tokenizer.size - 1, -1, -1) if id_ not in own)
    return [*special, *rest][:3]


def _margin(right: NDArray[np.float64], other: NDArray[np.float64]) -> Margin:
    differences = other - right  # (S,)
    return Margin(float(differences.mean()), float(differences.std(ddof=1) / len(right) ** 0.5))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """In nats per token."""

    layout: str
    num: int
    """Of segments."""
    loss: float
    """Of middles and their ends."""
    expected: float
    """Of the sentinel before them."""
    even: float
    """What an even chance for every token costs."""
    exchanged: Margin
    foreign: Margin

    def __str__(self) -> str:
        return (
            f"middles of {self.num} held-out segments ({self.layout}) cost {self.loss:.3f} nats "
            f"per token; with prefix and suffix exchanged {self.exchanged}, with other special "
            f"tokens {self.foreign}; the sentinel before them costs {self.expected:.1f}, an even "
            f"chance {self.even:.1f}"
        )


def _judged(measured: Measured, *, is_own: bool) -> Finding:
    exchanged, foreign = measured.exchanged.errors, measured.foreign.errors
    is_expected = measured.expected < measured.even
    if is_expected and exchanged > ERRORS and foreign > ERRORS:
        return ok(CHECK, str(measured))
    if is_expected and exchanged < -(REVERSED if is_own else ERRORS):
        return fault(
            CHECK,
            f"{measured}: exchanged they are better",
            cause="the ids of prefix and suffix are exchanged in tokenizer.json",
            remedy="take tokenizer.json as it was published with the base",
        )
    if is_own:
        return note(CHECK, f"{measured}: the earlier run has learned little of filling in")
    why = "they make no difference" if is_expected else "the base does not expect it"
    return fault(CHECK, f"{measured}: {why}", cause=UNKNOWN, remedy=SPELLING)


UNKNOWN = (
    "these are not the tokens with which the base was trained to fill in: their spelling differs "
    "(<fim-prefix>, <fim_prefix>), or it never was"
)
SPELLING = (
    "take the tokenizer as it was published with the base; to teach a base to fill in that never "
    "learned it, train with --despite-doctor"
)
