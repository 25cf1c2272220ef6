"""Whether the base has learned what it claims: held-out code, against counting tokens alone."""

import math

import numpy as np

from finetune.models.measure import measuring_set
from finetune.recipe.schema import EarlierRun, Scratch
from finetune.sequences.segment import IGNORED
from finetune.training.doctor.finding import Finding, fault, not_applicable, note, ok
from finetune.training.doctor.subject import Subject

CLEARLY = 0.9
"""Of the entropy: a trained base lies far below (StarCoder at about a fifth)."""
FEWEST = 64
"""Tokens without which an entropy says nothing."""


def held_out_loss(subject: Subject) -> tuple[Finding, bool]:
    """The base's loss against the unigram entropy of the same tokens; whether it is below.

    Who knows how often each token comes, and nothing else, has the entropy as a loss. Every rank
    must call it.
    """
    check, recipe = "base", subject.recipe
    length, most = recipe.sequences.length, recipe.train.validation_tokens
    blocks = measuring_set(subject.held_out, "left_to_right", length, most).blocks
    labels = np.concatenate([*(block.labels[1:] for block in blocks), np.zeros(0, np.int64)])
    labels = labels[labels != IGNORED]
    if len(labels) < FEWEST:
        return not_applicable(check, f"only {len(labels)} tokens are held out"), False
    entropy = _entropy(labels)
    loss = float(subject.losses(blocks).sum()) / len(labels)
    is_below = loss < entropy
    words = (
        f"{loss:.3f} nats per held-out token; the unigram entropy of these {len(labels):,} is "
        f"{entropy:.3f}"
    )
    if isinstance(recipe.base, Scratch):
        return not_applicable(check, f"made from scratch, it has learned nothing yet: {words}"), (
            is_below
        )
    if is_below and loss < CLEARLY * entropy:
        return ok(check, words), True
    if isinstance(recipe.base, EarlierRun) or is_below:
        return note(check, f"{words}: it has hardly learned more than counting tokens"), is_below
    return _fault(check, words, loss, subject.tokenizer.size), False


def _entropy(labels: np.ndarray) -> float:
    """Nats."""
    _, counts = np.unique(labels, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _fault(check: str, words: str, loss: float, size: int) -> Finding:
    worse = " It is worse than guessing blindly." if loss > math.log(size) else ""
    return fault(
        check,
        f"{words}: a trained base is clearly below.{worse}",
        cause="weights and tokenizer are of two models, or the base was trained on something else "
        "than this, or its weights were not read",
        remedy="put the tokenizer files beside the weights with which they were published, or name "
        "another base",
    )
