"""Packed documents do not see each other, on the kernel and engine that train."""

from dataclasses import replace

import numpy as np

from finetune.sequences import Block
from finetune.training.doctor.finding import Finding, fault, not_applicable, ok
from finetune.training.doctor.labels import documents
from finetune.training.doctor.subject import Subject

FP32_TOLERANCE = 1e-4
TOLERANCE = 1e-3
"""In nats, in 16 bits: what other documents compute does not change, so neither should rounding."""


def isolated_documents(subject: Subject) -> Finding:
    """Whether other tokens in a block's first document leave the losses of the later ones.

    Every rank must call it.
    """
    check = "isolation"
    if not subject.recipe.sequences.isolate_documents:
        return not_applicable(check, "the recipe lets documents see each other")
    block = next((one for one in subject.blocks if len(documents(one)) > 1), None)
    if block is None:
        return not_applicable(check, "each of the first blocks holds one document alone")
    (_, end), *later = documents(block)
    changed = replace(block, input_ids=_with_others(block, end, subject.tokenizer.size))
    before, after = subject.losses([block])[0], subject.losses([changed])[0]  # (L - 1,)
    moved = (after - before).abs().numpy()  # (L - 1,)
    own, others = float(moved[: end - 1].max(initial=0.0)), float(moved[end:].max(initial=0.0))
    kernel = subject.recipe.train.attention
    allowed = FP32_TOLERANCE if subject.is_fp32 else TOLERANCE
    if others <= allowed:
        return ok(
            check,
            f"other tokens in a block's first document move its own losses by up to {own:.2g} "
            f"nats, those of {len(later)} behind it by {others:.1g} ({kernel})",
        )
    return fault(
        check,
        f"other tokens in a block's first document move losses of those behind it by up to "
        f"{others:.2g} nats ({allowed:.0e} allowed; {kernel})",
        cause="the mask leaks: an attention mask or a cache is passed on, or the kernel is not "
        "told where documents begin",
        remedy="set train.attention to sdpa; load the base without code of its own "
        "(trust_remote_code: false)",
    )


def _with_others(block: Block, end: int, size: int) -> np.ndarray:
    """The ids with every one of the first document replaced by the next of the vocabulary."""
    ids = block.input_ids.copy()  # (L,)
    ids[:end] = (ids[:end] + 1) % size
    return ids
