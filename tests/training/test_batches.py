"""Tokens per step over processes, and the learning rate, by hand."""

import pytest

from finetune.errors import UserError
from finetune.recipe.schema import Train
from finetune.training.batches import learning_rate, plan_batches


def test_a_batch_is_shared_by_processes_and_passes():
    plan = plan_batches(Train(tokens=10_000, batch_tokens=4096, micro_batch=2), 512, 2)
    assert (plan.blocks, plan.micro_batch, plan.accumulation, plan.steps) == (8, 2, 2, 3)


def test_the_micro_batch_is_the_largest_that_divides_and_stays_small():
    # 12 blocks of 4096 tokens: at most 4 fit 16,384 tokens, and 4 divides 12
    plan = plan_batches(Train(tokens=1, batch_tokens=12 * 4096), 4096, 1)
    assert (plan.micro_batch, plan.accumulation) == (4, 3)


def test_a_block_longer_than_the_target_goes_alone():
    plan = plan_batches(Train(tokens=1, batch_tokens=2 * 32_768), 32_768, 1)
    assert (plan.micro_batch, plan.accumulation) == (1, 2)


def test_a_batch_that_processes_cannot_share_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="multiple of 1536"):
        plan_batches(Train(tokens=1, batch_tokens=1024), 512, 3)


def test_a_micro_batch_that_does_not_divide_is_refused():
    with pytest.raises(UserError, match="3 does not divide the 4 blocks"):
        plan_batches(Train(tokens=1, batch_tokens=2048, micro_batch=3), 512, 1)


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 0.5), (1, 1.0), (2, 1.0), (6, 0.55), (9, 0.1 + 0.9 * 0.0380602337443566)],
)
def test_cosine_rises_to_the_peak_and_falls_towards_a_tenth(step: int, rate: float):
    # 10 steps, 2 of warm-up; half way through the decay the cosine is at (1 + 0.1) / 2
    train = Train(tokens=1, learning_rate=1.0, warmup=0.2)
    assert learning_rate(train, step, 10) == pytest.approx(rate)


def test_linear_falls_evenly():
    train = Train(
        tokens=1, learning_rate=1.0, warmup=0.0, schedule="linear", final_learning_rate=0.0
    )
    assert [learning_rate(train, step, 4) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]


def test_constant_stays():
    train = Train(tokens=1, learning_rate=1.0, warmup=0.0, schedule="constant")
    assert {learning_rate(train, step, 4) for step in range(4)} == {1.0}
