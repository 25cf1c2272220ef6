"""Labels as the model is given them: each document's end is learned, and none is moved."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from finetune.models.forward import Batch, collate
from finetune.sequences import Block, rules_of
from finetune.sequences.block import Placed
from finetune.sequences.segment import IGNORED
from finetune.training.doctor.finding import Finding, fault, not_applicable, ok
from finetune.training.doctor.subject import Subject, without_dropout

ALONE = 8
"""Documents that go through the model alone."""
LONGEST = 1024
"""Tokens of them: all their logits are held, and no later token changes an earlier loss."""
FP32_TOLERANCE = 1e-3
"""Nats; 1e-6 was measured where both paths are right."""
TOLERANCE = 0.05
"""Nats in the mean, in 16 bits."""


def learnable_ends(subject: Subject) -> Finding:
    """Whether each document's end has a label, unless the recipe leaves its end unlearned."""
    check, end = "ends", subject.tokenizer.eod
    batches = [collate([block]) for block in subject.blocks]
    expected = masked = 0
    for block, batch in zip(subject.blocks, batches, strict=True):
        labels = batch["labels"][0].numpy()  # (L,)
        for at in _ends(block, subject):
            assert block.input_ids[at] == end, "packed with another end than it was written with"
            expected += 1
            masked += int(labels[at] != end or not _is_labelled(batch, at))
    if not expected:
        return not_applicable(check, "no document ends in these blocks with a label of its own")
    if masked:
        is_pad = " (which is its padding too)" if end == subject.tokenizer.pad else ""
        return fault(
            check,
            f"{masked} of {expected} documents end without a label: a model that never learns to "
            "end goes on for ever",
            cause=f"labels are masked by the id of the padding, and {end}{is_pad} ends documents",
            remedy="mask padding by its place in the block, or give the tokenizer a padding token "
            "of its own",
        )
    return ok(check, f"all {expected} ends of documents have a label: EOS is learnable")


def _is_labelled(batch: Batch, at: int) -> bool:
    return bool((batch["labelled"] == at - 1).any())


def _ends(block: Block, subject: Subject) -> Iterator[int]:
    """Places of ends that the recipe has learned."""
    recipe, corpus = subject.recipe, subject.corpus
    rules = rules_of(recipe.data, recipe.fim, recipe.sequences)
    for placed in block.placed:
        at = placed.end - 1
        if ("end", 1) not in placed.roles or block.position_ids[at] == 0:
            continue
        rule = rules[int(corpus.rows["source"][placed.turn.document])]
        if _is_learned(placed, rule.labels, subject):
            yield at


def _is_learned(placed: Placed, labels: str, subject: Subject) -> bool:
    tokens = subject.corpus.read(placed.turn.document)
    if tokens.outline is None:
        return True
    # With `middle`, what stands between cut files of a repository carries no loss.
    is_between = labels == "middle" and placed.cut is None
    return not is_between and tokens.outline.learns_token(len(tokens.text))


def unmoved_labels(subject: Subject) -> Finding:
    """Whether losses are those of the next token, as each document alone has them on a plain path.

    The plain path is the model's logits of one document, and targets made of its ids by hand.
    Every rank must call this.
    """
    block = subject.blocks[0]
    batch = collate([block])
    labels, ids = batch["labels"][0].numpy(), batch["input_ids"][0].numpy()  # (L,)
    moved = int(((labels != IGNORED) & (labels != ids)).sum())
    losses = subject.losses([block])[0].numpy()  # (L - 1,)
    has_label = labels[1:] != IGNORED  # (L - 1,)
    uncounted = int(((losses == 0) & has_label).sum()) + int(((losses != 0) & ~has_label).sum())
    differences = np.concatenate([*_differences(subject, block, losses, has_label), np.zeros(0)])
    largest, mean = (differences.max(), differences.mean()) if len(differences) else (0.0, 0.0)
    is_close = largest < FP32_TOLERANCE if subject.is_fp32 else mean < TOLERANCE
    if not moved and not uncounted and is_close:
        return ok(
            "labels",
            f"{int(has_label.sum())} in the first block, each its own token's; documents alone "
            f"have the same losses within {largest:.1g} nats ({mean:.1g} in the mean)",
        )
    return fault(
        "labels",
        f"{moved} labels are not the ids at their places, {uncounted} losses do not stand where "
        f"labels do, and the losses of documents alone differ by {mean:.3g} nats in the mean",
        cause="labels are moved against the ids: the model moves them by one itself, and something "
        "before it did so too",
        remedy="hand over labels that are aligned with the ids",
    )


def _differences(
    subject: Subject, block: Block, losses: NDArray[np.float64], has_label: NDArray[np.bool_]
) -> Iterator[NDArray[np.float64]]:
    """Absolute differences of both paths at the labels of the first documents."""
    trainer = subject.trainer
    for start, end in documents(block)[:ALONE]:
        end = min(end, start + LONGEST)
        if end - start < 2:
            continue
        own = torch.from_numpy(block.input_ids[start:end])[None].to(trainer.accelerator.device)
        with torch.no_grad(), without_dropout(trainer.model):
            logits = trainer.model(input_ids=own, use_cache=False).logits[0, :-1]  # (T - 1, V)
        plain = torch.nn.functional.cross_entropy(logits.float(), own[0, 1:], reduction="none")
        difference = np.abs(plain.double().cpu().numpy() - losses[start : end - 1])  # (T - 1,)
        yield difference[has_label[start : end - 1]]


def documents(block: Block) -> list[tuple[int, int]]:
    """Where each document of a block begins and ends: those whose tokens see each other."""
    starts = np.flatnonzero(block.position_ids == 0).tolist()
    ends = [*starts[1:], len(block.position_ids)]
    size = max((placed.end for placed in block.placed), default=0)
    return [pair for pair in zip(starts, ends, strict=True) if pair[0] < size]
