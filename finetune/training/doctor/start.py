"""Training begins at the base: attached adapters change no loss."""

from finetune.recipe.schema import Full
from finetune.training.doctor.finding import Finding, fault, not_applicable, ok
from finetune.training.doctor.subject import Subject

FP32_TOLERANCE = 1e-5
TOLERANCE = 0.02


def unchanged_start(subject: Subject) -> Finding:
    """The loss of the first blocks with adapters and without. Every rank must call it.

    For adapters that take part of the weights, `weights.principal_start` tells instead.
    """
    if isinstance(subject.recipe.tune, Full):
        return not_applicable("start", "full tuning begins at the base's own weights")
    trainer = subject.trainer
    blocks = subject.blocks[: trainer.plan.micro_batch]
    tuned = subject.losses(blocks)  # (N, L - 1)
    with trainer.accelerator.unwrap_model(trainer.model).disable_adapter():
        base = subject.losses(blocks)  # (N, L - 1)
    labels = max(1, int((base != 0).sum()))
    with_adapters, without = float(tuned.sum()) / labels, float(base.sum()) / labels
    largest = float((tuned - base).abs().max())
    words = (
        f"the first blocks cost {with_adapters:.4f} nats per token with adapters and {without:.4f} "
        f"without ({largest:.1g} at most for a token)"
    )
    if largest <= (FP32_TOLERANCE if subject.is_fp32 else TOLERANCE):
        return ok("start", words)
    return fault(
        "start",
        f"{words}: training would not begin at the base",
        cause="adapters do not begin at zero",
        remedy="set tune.initial to zero",
    )
