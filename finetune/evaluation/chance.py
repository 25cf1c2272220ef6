"""Whether a difference between two models on the same problems is more than chance, in words.

Read from scores.json, where `statistics.compare` left it: card, report and terminal say the same.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from finetune.evaluation.statistics import CONFIDENCE

Chance = Literal["better", "worse", "within chance", "chance not assessed"]

CONFIDENCE_IN_WORDS = f"{CONFIDENCE:.0%}"
LEVEL = round(1.0 - CONFIDENCE, 6)
"""A p-value of as much or more proves nothing."""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A comparison as scores.json states it; None where it does not. Shares, not points."""

    difference: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    wins: int | None = None
    losses: int | None = None

    @property
    def verdict(self) -> Chance:
        """Better or worse only where the interval leaves out 0 and the test agrees with it."""
        if self.low is None or self.high is None or self.p_value is None:
            return "chance not assessed"
        if self.p_value < LEVEL and 0 < self.low <= self.difference:
            return "better"
        if self.p_value < LEVEL and self.difference <= self.high < 0:
            return "worse"
        return "within chance"

    @property
    def evidence(self) -> str:
        """`95%: −1.0 to 9.0; p = 0.08`; empty where none is known."""
        parts = []
        if self.low is not None and self.high is not None:
            parts.append(f"{CONFIDENCE_IN_WORDS}: {points(self.low)} to {points(self.high)}")
        if self.p_value is not None:
            parts.append(probability(self.p_value))
        return "; ".join(parts)

    @property
    def sentence(self) -> str:
        """`better by 9.1 points (95%: 4.0 to 14.2; p = 0.001): beyond chance`."""
        amount = f"{points(abs(self.difference))} points"
        if self.verdict in ("better", "worse"):
            return f"{self.verdict} by {amount} ({self.evidence}): beyond chance"
        direction = "higher" if self.difference > 0 else "lower"
        found = f"{amount} {direction}" if self.difference else "no difference"
        return (
            f"{found} ({self.evidence}): {self.verdict}"
            if self.evidence
            else (f"{found}: {self.verdict}")
        )


def contrast_of(values: object) -> Contrast | None:
    """The `comparison` of a task; None where it states no difference."""
    if not isinstance(values, Mapping) or (difference := _finite(values.get("difference"))) is None:
        return None
    interval = interval_of(values.get("interval"))
    wins, losses = (_finite(values.get(key)) for key in ("wins", "losses"))
    return Contrast(
        difference=difference,
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        p_value=_finite(values.get("p_value")),
        wins=None if wins is None else int(wins),
        losses=None if losses is None else int(losses),
    )


def interval_of(value: Any) -> tuple[float, float] | None:
    """`[low, high]` of scores.json; None where it is something else."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    low, high = (_finite(bound) for bound in value)
    return None if low is None or high is None else (low, high)


def points(share: float) -> str:
    """Percentage points with a real minus, to one decimal; two where one would hide the sign."""
    value = share * 100
    decimals = 2 if value and round(value, 1) == 0 else 1
    rounded = round(value, decimals)
    return f"{'−' if rounded < 0 else ''}{abs(rounded):.{decimals}f}"


def probability(p_value: float) -> str:
    """Two digits, and never a zero."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
