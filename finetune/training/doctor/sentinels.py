"""The base knows the recipe's sentinels: with them it fills in better than with others."""

from dataclasses import dataclass

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
    with other special tokens. Every rank must call it."""
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
    if not blocks or len(_middles(blocks, subject.losses(blocks[:1]).numpy())) == 0:
        return not_applicable(CHECK, "nothing that is held out can be cut")
    right = _middles(blocks, subject.losses(blocks).numpy())  # (S,)
    if len(right) < FEWEST:
        return not_applicable(CHECK, f"only {len(right)} held-out segments are cut")
    swap = {ids.prefix: ids.suffix, ids.suffix: ids.prefix}
    others = dict(zip(vars(ids).values(), _other_ids(subject, ids), strict=True))
    exchanged = _margin(right, _middles(blocks, subject.losses(blocks, swap).numpy()))
    foreign = _margin(right, _middles(blocks, subject.losses(blocks, others).numpy()))
    words = (
        f"middles of {len(right)} held-out segments ({layout}) cost {right.mean():.3f} nats per "
        f"token; with prefix and suffix exchanged {exchanged}, with other special tokens {foreign}"
    )
    return _judged(words, exchanged, foreign, is_own=isinstance(recipe.base, EarlierRun))


def _not_asked(subject: Subject) -> str | None:
    recipe = subject.recipe
    if not any(recipe.fim.changed_by(one.fim).rate for one in recipe.data.sources):
        return "the recipe has no fill-in-the-middle"
    if isinstance(recipe.base, Scratch):
        return "made from scratch, the base knows no sentinels yet"
    if not subject.is_trained:
        return "the base's loss is not below the unigram entropy: it has learned no sentinels"
    return None


def _middles(blocks: tuple[Block, ...], losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, L - 1) -> (S,): the mean loss of each cut segment's middle and end."""
    means = []
    for block, row in zip(blocks, losses, strict=False):
        for placed in block.placed:
            if placed.cut is None:
                continue
            labels = block.labels[placed.start + 1 : placed.end]
            means.append(row[placed.start : placed.end - 1][labels != IGNORED].mean())
    return np.array(means)


def _other_ids(subject: Subject, ids: SentinelIds) -> list[int]:
    """Three that mean something else, or nothing, to the base."""
    own = {*vars(ids).values(), subject.tokenizer.eod, subject.tokenizer.pad}
    special = [id_ for id_ in sorted(subject.tokenizer.special_ids.values()) if id_ not in own]
    rest = (id_ for id_ in range(subject.tokenizer.size - 1, -1, -1) if id_ not in own)
    return [*special, *rest][:3]


def _margin(right: NDArray[np.float64], other: NDArray[np.float64]) -> Margin:
    differences = other - right  # (S,)
    return Margin(float(differences.mean()), float(differences.std(ddof=1) / len(right) ** 0.5))


def _judged(words: str, exchanged: Margin, foreign: Margin, *, is_own: bool) -> Finding:
    if exchanged.errors > ERRORS and foreign.errors > ERRORS:
        return ok(CHECK, words)
    if exchanged.errors < -(REVERSED if is_own else ERRORS):
        return fault(
            CHECK,
            f"{words}: exchanged they are better",
            cause="the ids of prefix and suffix are exchanged in tokenizer.json",
            remedy="take tokenizer.json as it was published with the base",
        )
    if foreign.errors < -(REVERSED if is_own else ERRORS):
        return fault(CHECK, f"{words}: others are better", cause=UNKNOWN, remedy=SPELLING)
    if is_own:
        return note(CHECK, f"{words}: the earlier run has learned little of filling in")
    return fault(CHECK, f"{words}: it makes no difference", cause=UNKNOWN, remedy=SPELLING)


UNKNOWN = (
    "these are not the tokens with which the base was trained to fill in: their spelling differs "
    "(<fim-prefix>, <fim_prefix>), or it never was"
)
SPELLING = (
    "take the tokenizer as it was published with the base; to teach a base to fill in that never "
    "learned it, train with --despite-doctor"
)
