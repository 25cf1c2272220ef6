"""pass@k, intervals and comparisons against closed formulas, enumeration and other libraries."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from finetune.evaluation.statistics import (
    compare,
    mean_interval,
    pass_at_k,
    sign_flip_p_value,
)


def closed(samples, passed, k):
    """One minus the share of k-subsets that hold no passing sample."""
    return 1 - Fraction(math.comb(samples - passed, k), math.comb(samples, k))


def test_pass_at_k_equals_the_closed_formula_on_1000_random_tables():
    draw = np.random.default_rng(7)
    for _ in range(1000):
        samples = int(draw.integers(1, 201))
        k = int(draw.integers(1, samples + 1))
        passed = draw.integers(0, samples + 1, 5).tolist()
        exact = [float(closed(samples, one, k)) for one in passed]
        assert pass_at_k(samples, passed, k) == pytest.approx(exact, abs=1e-12)


def test_pass_at_1_is_the_share_that_passed():
    assert pass_at_k(4, [0, 1, 4], 1) == pytest.approx([0.0, 0.25, 1.0], abs=1e-15)


def test_pass_at_k_of_none_is_exactly_0_and_of_more_than_n_minus_k_exactly_1():
    assert pass_at_k(50, [0, 41, 50], 10).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("k", [0, 6])
def test_pass_at_k_needs_k_samples(k):
    with pytest.raises(ValueError, match=f"pass@{k} cannot be told from 5 samples"):
        pass_at_k(5, [1], k)


@pytest.mark.parametrize(("passed", "low", "high"), [(0.0, 0.0, 0.3694), (1.0, 0.6306, 1.0)])
def test_none_or_all_of_8_passed_has_clopper_and_pearson_s_interval(passed, low, high):
    """Beta quantiles: 1 - 0.025 ** (1 / 8) = 0.3694."""
    interval = mean_interval(np.full(8, passed), list("abcdefgh"))
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-4)


def test_no_difference_on_8_problems_is_not_none_at_all():
    interval = compare([0] * 8, [0] * 8, samples=3, groups=list("abcdefgh")).interval
    assert (interval.low, interval.high) == pytest.approx((-0.3694, 0.3694), abs=1e-4)


def test_the_interval_of_coin_tosses_is_the_binomial_s():
    """100 problems, half passed: the bootstrap mean is binomial, whose 95% lie in 0.40 to 0.60."""
    values = np.array([0.0, 1.0] * 50)
    interval = mean_interval(values, list(map(str, range(100))))
    assert interval.low == pytest.approx(0.40, abs=0.011)
    assert interval.high == pytest.approx(0.60, abs=0.011)


def test_problems_of_one_origin_are_drawn_together():
    """Ten copies of each of 10 problems say no more than the 10 do."""
    values = np.array([0.0, 1.0] * 5)
    alone = mean_interval(values, list(map(str, range(10))))
    copied = mean_interval(np.repeat(values, 10), [str(n) for n in range(10) for _ in range(10)])
    assert copied == alone
    naive = mean_interval(np.repeat(values, 10), list(map(str, range(100))))
    assert naive.high - naive.low < 0.5 * (alone.high - alone.low)


def test_the_same_input_gives_the_same_interval():
    values, names = np.random.default_rng(0).random(30), list(map(str, range(30)))
    assert mean_interval(values, names) == mean_interval(values, names)


def enumerated(gained):
    """By trying all signs."""
    sums = [sum(s * g for s, g in zip(signs, gained, strict=True)) for signs in _signs(gained)]
    return sum(abs(one) >= abs(sum(gained)) for one in sums) / len(sums)


def _signs(gained):
    return product((-1, 1), repeat=len(gained))


@pytest.mark.parametrize("gained", [[3], [1, -1], [5, -2, 1, 1], [0, 4, 4, -1, 7], [2] * 8])
def test_the_p_value_is_that_of_all_signs_tried(gained):
    assert sign_flip_p_value(np.array(gained)) == pytest.approx(enumerated(gained))


def test_on_passed_or_not_the_p_value_is_mcnemar_s():
    """12 won, 3 lost: twice the binomial tail of 15 tosses."""
    gained = np.array([1] * 12 + [-1] * 3 + [0] * 80)
    tail = sum(math.comb(15, i) for i in range(12, 16)) / 2**15
    assert sign_flip_p_value(gained) == pytest.approx(2 * tail)


def test_of_no_difference_the_p_value_is_1():
    assert sign_flip_p_value(np.array([0, 0, 0])) == 1.0


def test_a_comparison_counts_wins_and_losses_and_averages_over_problems():
    found = compare([0, 4, 2, 1], [4, 4, 1, 2], samples=4, groups=["a", "b", "c", "d"])
    assert (found.wins, found.losses) == (2, 1)
    assert found.difference == pytest.approx((4 + 0 - 1 + 1) / 16)
    assert found.p_value == enumerated([4, -1, 1])
    assert found.interval.low < found.difference < found.interval.high


def test_origins_that_are_shared_count_once_in_the_p_value():
    """Five gaps of one function that all improve are one piece of evidence: no better than a
    toss."""
    assert compare([0] * 5, [1] * 5, samples=1, groups=["f"] * 5).p_value == 1.0
    assert compare([0] * 5, [1] * 5, samples=1, groups=list("fghij")).p_value == 2 / 2**5
