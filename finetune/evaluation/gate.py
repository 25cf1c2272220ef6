"""Whether a tuned model may be released: no measure that the recipe names has fallen too far."""

from collections.abc import Mapping
from typing import Any

from finetune.recipe.evaluation import LAYOUTS, Gate

ByModel = Mapping[str, Mapping[str, float]]
"""By `base` and `tuned`, then by what was measured."""


def gate(limits: Mapping[str, Gate], losses: ByModel, rates: ByModel) -> dict[str, Any]:
    """`passed`, and a reason for each measure that fell too far or was not measured.

    `losses` in nats per token by layout, `rates` from 0 to 1 by task and `infilling`. What is no
    number does not pass.
    """
    reasons = []
    for name, limit in limits.items():
        reasons += (
            _of_loss(name, limit, losses) if name in LAYOUTS else _of_rate(name, limit, rates)
        )
    return {"passed": not reasons, "reasons": reasons}


def _of_loss(name: str, limit: Gate, losses: ByModel) -> list[str]:
    assert limit.max_loss_rise is not None, "asked for as the recipe was read"
    if name not in losses["tuned"]:
        return [f"{name} was not measured: no sentinels, or nothing held out can be cut"]
    rise = losses["tuned"][name] - losses["base"][name]
    if rise <= limit.max_loss_rise:
        return []
    return [f"{name} loss rose by {rise:.4f}, more than {limit.max_loss_rise}"]


def _of_rate(name: str, limit: Gate, rates: ByModel) -> list[str]:
    assert limit.max_drop_points is not None, "asked for as the recipe was read"
    if name not in rates["tuned"] or name not in rates["base"]:
        return [f"{name} was not measured"]
    drop = 100 * (rates["base"][name] - rates["tuned"][name])
    # A hair above the limit is how 2 points come out of floating-point numbers.
    if drop <= limit.max_drop_points + 1e-9:
        return []
    return [f"{name} fell by {drop:.2f} points, more than {limit.max_drop_points:g}"]
