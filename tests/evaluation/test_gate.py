"""How far a measure may fall before a release is refused."""

import math

import pytest

from finetune.evaluation.gate import gate
from finetune.recipe.schema import Gate

LAYOUTS = ("left_to_right", "psm", "spm")


def losses(left_to_right=1.0, psm=2.0, spm=3.0):
    return dict(zip(LAYOUTS, (left_to_right, psm, spm), strict=True))


def judged(limits, tuned):
    gates = {name: Gate(max_loss_rise=rise) for name, rise in limits.items()}
    return gate(gates, {"base": losses(), "tuned": tuned}, {"base": {}, "tuned": {}})


def test_without_limits_the_gate_is_open():
    assert judged({}, losses(left_to_right=99.0)) == {"passed": True, "reasons": []}


def test_a_loss_that_fell_passes():
    assert judged(dict.fromkeys(LAYOUTS, 0.0), losses(0.5, 1.5, 2.5))["passed"]


def test_a_loss_that_rose_to_the_limit_passes():
    assert judged({"psm": 0.25}, losses(psm=2.25))["passed"]


def test_a_loss_that_rose_beyond_the_limit_is_refused_with_its_numbers():
    assert judged({"psm": 0.25}, losses(psm=2.5)) == {
        "passed": False,
        "reasons": ["psm loss rose by 0.5000, more than 0.25"],
    }


def test_only_the_layouts_with_a_limit_are_judged():
    assert judged({"psm": 0.1}, losses(left_to_right=9.0, spm=9.0))["passed"]


def test_every_layout_that_rose_has_its_reason():
    assert len(judged(dict.fromkeys(LAYOUTS, 0.1), losses(2.0, 3.0, 4.0))["reasons"]) == 3


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_does_not_pass(loss):
    assert not judged({"left_to_right": 5.0}, losses(left_to_right=loss))["passed"]


def test_a_limit_on_what_was_not_measured_is_refused():
    verdict = judged({"spm": 1.0}, {"left_to_right": 1.0})
    assert verdict["reasons"] == [
        "spm was not measured: no sentinels, or nothing held out can be cut"
    ]


def of_rates(base, tuned, points=2.0):
    gates = {"humaneval": Gate(max_drop_points=points)}
    return gate(gates, {"base": {}, "tuned": {}}, {"base": base, "tuned": tuned})


def test_a_rate_that_rose_or_fell_to_the_limit_passes():
    """0.30 - 0.28 is a hair more than 0.02."""
    assert of_rates({"humaneval": 0.30}, {"humaneval": 0.28})["passed"]
    assert of_rates({"humaneval": 0.30}, {"humaneval": 0.90})["passed"]


def test_a_rate_that_fell_beyond_the_limit_is_refused_with_its_numbers():
    found = of_rates({"humaneval": 0.305}, {"humaneval": 0.28})
    assert found == {
        "passed": False,
        "reasons": ["humaneval fell by 2.50 points, more than 2"],
    }


def test_a_rate_that_is_no_number_does_not_pass():
    assert not of_rates({"humaneval": 0.3}, {"humaneval": math.nan})["passed"]


def test_a_task_that_was_not_run_does_not_pass():
    assert of_rates({}, {})["reasons"] == ["humaneval was not measured"]
