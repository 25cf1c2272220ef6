"""pass@k with intervals, and whether tuned is better than base beyond chance.

Problems that were made from one another (the gaps of one function) are not independent: they stand
and fall together. So everything here goes by groups of problems, and where each problem is a group
of its own these are the usual formulas.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
CONFIDENCE = 0.95
AT_ONCE = 1_000
"""Resamples that are drawn together: of 6,000 groups they take 48 MB."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval of CONFIDENCE."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Tuned against base on the same problems."""

    difference: float
    """Of the means, tuned minus base."""
    interval: Interval
    """Of the difference."""
    p_value: float
    """Of a difference so large or larger, in either direction, if neither were better."""
    wins: int
    """Problems that tuned solves more often."""
    losses: int

    def as_json(self) -> dict[str, Any]:
        """As scores.json has it."""
        return {**asdict(self), "interval": [self.interval.low, self.interval.high]}


def pass_at_k(samples: int, passed: Sequence[int], k: int) -> Floats:
    """For each problem, the probability that one of `k` samples passes: unbiased, from `passed` of
    `samples` (arXiv 2107.03374, equation 1). (P,)

    Raises ValueError where fewer than `k` were drawn.
    """
    if not 1 <= k <= samples:
        raise ValueError(f"pass@{k} cannot be told from {samples} samples a problem")
    counts = np.asarray(passed, dtype=np.int64)  # (P,)
    # All k fail: the product over i = n - c + 1 .. n of 1 - k / i.
    i = np.arange(1, samples + 1)  # (n,)
    factors = np.where(i > samples - counts[:, None], np.maximum(0.0, 1.0 - k / i), 1.0)  # (P, n)
    found: Floats = 1.0 - factors.prod(axis=1)
    return found


def mean_interval(
    values: Floats, groups: Sequence[str], *, least: float = 0.0, seed: int = 0
) -> Interval:
    """Percentile bootstrap of the mean of `values` (P,), each from `least` to 1: whole groups are
    drawn with replacement. The same input gives the same interval.

    Where all values are one, resampling sees no spread, and that is no proof that there is none:
    the interval then reaches as far as problems at either end that so many groups may well have
    missed (for none or all of them passed, Clopper and Pearson's exact bound).
    """
    sums, sizes = _by_group(values, groups)
    outside = (1.0 - CONFIDENCE) / 2
    if values.min() == values.max():
        missed = 1.0 - outside ** (1 / len(sums))
        value = float(values[0])
        return Interval(low=value - missed * (value - least), high=value + missed * (1.0 - value))
    generator = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for at in range(0, RESAMPLES, AT_ONCE):
        drawn = generator.integers(0, len(sums), (AT_ONCE, len(sums)))  # (R, G)
        means[at : at + AT_ONCE] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [outside, 1.0 - outside])
    return Interval(low=float(low), high=float(high))


def compare(
    base: Sequence[int], tuned: Sequence[int], samples: int, groups: Sequence[str]
) -> Comparison:
    """How often each problem was passed by base and tuned, of `samples` draws each. (P,) each."""
    before, after = np.asarray(base, dtype=np.int64), np.asarray(tuned, dtype=np.int64)
    gained = after - before  # (P,)
    shares = gained / samples
    by_group = _by_group(gained.astype(np.float64), groups)[0].astype(np.int64)  # (G,)
    return Comparison(
        difference=float(shares.mean()),
        interval=mean_interval(shares, groups, least=-1.0),
        p_value=sign_flip_p_value(by_group),
        wins=int((gained > 0).sum()),
        losses=int((gained < 0).sum()),
    )


def sign_flip_p_value(gained: Ints) -> float:
    """Exact two-sided p-value of the sum of `gained` (G,), if each had either sign with one half.

    On differences of -1, 0 and 1 this is McNemar's exact test.
    """
    steps = np.abs(gained[gained != 0])  # (M,)
    total = int(steps.sum())
    chances = np.zeros(2 * total + 1)  # of each sum from -total to total
    chances[total] = 1.0
    for step in steps:
        up, down = np.zeros_like(chances), np.zeros_like(chances)
        up[step:], down[:-step] = chances[:-step], chances[step:]
        chances = (up + down) / 2
    sums = np.arange(-total, total + 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(int(gained.sum()))].sum()))


def _by_group(values: Floats, groups: Sequence[str]) -> tuple[Floats, Ints]:
    """Sum and number of the values of each group. (G,) each."""
    assert len(values) == len(groups) > 0, "callers have a problem at least"
    _, group = np.unique(np.asarray(groups), return_inverse=True)  # (P,)
    sums: Floats = np.bincount(group, weights=values).astype(np.float64)
    return sums, np.bincount(group).astype(np.int64)
