"""The peak learning rate against what such models are trained with."""

from typing import Any

from finetune.models.tunable import tuning_facts
from finetune.recipe import Recipe
from finetune.recipe.schema import Lora, Scratch
from finetune.training.doctor.finding import Finding, fault, note, ok

CHECK = "learning rate"
INSANE = 10.0
"""Times the sane peak from which on it is a fault."""

Peaks = tuple[tuple[float, float], ...]
"""Up to so many parameters, so high."""

FROM_SCRATCH: Peaks = ((5e7, 3e-3), (5e8, 1e-3), (5e9, 4e-4), (float("inf"), 3e-4))
"""StarCoderBase-1B was trained with 4e-4, StarCoderBase (15.5B) with 3e-4 (arXiv 2305.06161 and
`pretrain_bigcode_1b.slurm` in bigcode-project/Megatron-LM); GPT-3's 125M with 6e-4 (2005.14165)."""
GOING_ON: Peaks = ((5e7, 3e-3), (5e8, 5e-4), (5e9, 2e-4), (float("inf"), 1e-4))
"""StarCoder went on from StarCoderBase with 5e-5, a sixth of the base's own (2305.06161)."""
ADAPTERS: Peaks = ((5e7, 5e-3), (float("inf"), 1e-3))
"""LoRA was published with 1e-4 to 1e-3 (2106.09685), QLoRA with 1e-4 to 2e-4 (2305.14314)."""


def sane_rate(recipe: Recipe, model: Any) -> Finding:
    """A note above the highest sane peak, a fault ten times above it."""
    facts = tuning_facts(model)
    parameters = facts["trainable_parameters"] + facts["frozen_parameters"]
    what: str
    if isinstance(recipe.tune, Lora):
        peaks, what = ADAPTERS, recipe.tune.method
    elif isinstance(recipe.base, Scratch):
        peaks, what = FROM_SCRATCH, "training from scratch"
    else:
        peaks, what = GOING_ON, "full tuning of a trained base"
    sane = next(rate for size, rate in peaks if parameters <= size)
    peak = recipe.train.learning_rate
    words = f"{peak:g}; for {what} of {parameters:,} parameters up to {sane:g} is usual"
    if peak < INSANE * sane:
        return ok(CHECK, words) if peak <= sane else note(CHECK, words)
    return fault(
        CHECK,
        f"{words}: {peak / sane:.0f} times as high",
        cause="an exponent that slipped, or the rate of another method or a smaller model",
        remedy=f"set train.learning_rate to {sane:g} or less",
    )
