"""Which validation is the best, and when no better one is waited for."""

import math

import pytest

from finetune.recipe.schema import EarlyStopping
from finetune.training.best import Best


def seen(losses, min_improvement=0.0):
    best = Best()
    return best, [best.see(step, loss, min_improvement) for step, loss in enumerate(losses, 1)]


def test_a_lower_loss_is_better_and_an_equal_one_is_not():
    best, found = seen([3.0, 2.0, 2.0, 2.5, 1.0])
    assert found == [True, True, False, False, True]
    assert (best.loss, best.step, best.num_worse) == (1.0, 5, 0)


def test_a_fall_below_the_least_improvement_is_none():
    best, found = seen([3.0, 2.95, 2.85], min_improvement=0.1)
    assert found == [True, False, True]
    assert best.step == 3


def test_a_loss_that_is_not_a_number_is_never_the_best():
    best, found = seen([math.nan, 2.0, math.nan])
    assert found == [False, True, False]
    assert (best.step, best.num_worse) == (2, 1)


@pytest.mark.parametrize(("num_worse", "is_given_up"), [(1, False), (2, True), (3, True)])
def test_patience_ends_with_as_many_worse_validations(num_worse, is_given_up):
    best, _ = seen([1.0] + [2.0] * num_worse)
    assert best.is_given_up(EarlyStopping(patience=2)) is is_given_up


def test_without_a_rule_nothing_is_given_up():
    best, _ = seen([1.0] + [2.0] * 100)
    assert not best.is_given_up(None)


def test_what_a_checkpoint_keeps_makes_it_again():
    best, _ = seen([3.0, 4.0])
    assert Best(**vars(best)) == best
