"""Tokens per step -> blocks per process, micro-batches and accumulation; and the rate at a step."""

import math
from dataclasses import dataclass

from finetune.errors import UserError
from finetune.recipe.schema import Train

MICRO_BATCH_TOKENS = 16_384
"""Tokens per forward pass when the recipe leaves the micro-batch open."""


@dataclass(frozen=True)
class BatchPlan:
    """How one optimiser step is spread over processes."""

    blocks: int
    """Blocks per step over all processes."""
    micro_batch: int
    """Blocks per process and forward pass."""
    accumulation: int
    """Forward passes per process and step."""
    steps: int
    """Optimiser steps in all."""


def plan_batches(train: Train, length: int, processes: int) -> BatchPlan:
    """Raises UserError where the batch cannot be spread evenly."""
    blocks = train.batch_tokens // length
    if blocks % processes:
        raise UserError(
            f"train.batch_tokens: {blocks} blocks of {length} tokens cannot be shared evenly by "
            f"{processes} processes; make it a multiple of {processes * length}"
        )
    own = blocks // processes
    micro = train.micro_batch or _largest_divisor(own, max(1, MICRO_BATCH_TOKENS // length))
    if own % micro:
        raise UserError(
            f"train.micro_batch: {micro} does not divide the {own} blocks that each of "
            f"{processes} processes has per step"
        )
    steps = math.ceil(train.tokens / train.batch_tokens)
    return BatchPlan(blocks, micro, own // micro, steps)


def _largest_divisor(number: int, limit: int) -> int:
    return max(d for d in range(1, min(number, limit) + 1) if number % d == 0)


def learning_rate(train: Train, step: int, steps: int) -> float:
    """The rate of optimiser step `step` (0-based): linear warm-up, then the schedule's decay."""
    warmup = math.ceil(train.warmup * steps)
    if step < warmup:
        return train.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    if train.schedule == "constant":
        return train.learning_rate
    falling = 1 - done if train.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
    end = train.final_learning_rate
    return train.learning_rate * (end + (1 - end) * falling)
