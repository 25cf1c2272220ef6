"""Micro-batch, accumulation and checkpointing: the fastest that fits."""

from dataclasses import dataclass

from finetune.errors import UserError
from finetune.planning.memory import Memory, capacity, memory_of
from finetune.planning.request import Request

TOKENS_PER_PASS = 16_384
"""Beyond so many tokens a pass gains nothing."""

OVERHEAD_TOKENS = 256
"""What a pass costs beside its tokens, launching kernels above all, in tokens: an estimate."""

GATHERING_TOKENS = 1024
"""The same under ZeRO-3, which gathers all weights anew in each pass."""

WORTHWHILE = 1.02
"""A gain of less is not worth more memory."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one optimiser step is spread over passes, and what that takes."""

    micro_batch: int
    """Blocks per process and pass."""
    accumulation: int
    """Passes per process and step."""
    checkpointing: bool
    fits: bool
    memory: Memory
    """Of one process, at the peak."""
    capacity: int
    """Bytes that it may take."""


def choose(request: Request) -> Plan:
    """The fastest plan that fits; where none does, the smallest, with `fits` false.

    What the recipe fixes stays. Without checkpointing where that fits, for it computes each block
    twice. Then the largest passes, for small ones cost more per token; where larger ones are hardly
    cheaper, the smaller. So more memory never turns checkpointing on, and never shrinks the
    micro-batch unless it turns checkpointing off. Raises UserError where the batch cannot be spread
    evenly.
    """
    plans = [_plan(request, micro, stored) for micro, stored in _candidates(request)]
    for checkpointing in (False, True):
        fitting = [plan for plan in plans if plan.fits and plan.checkpointing == checkpointing]
        if fitting:
            enough = min(_cost(request, plan) for plan in fitting) * WORTHWHILE
            near = [plan for plan in fitting if _cost(request, plan) <= enough]
            return min(near, key=lambda plan: plan.micro_batch)
    # Where the optimiser's step is the peak, passes do not matter to it; still the smallest.
    return min(plans, key=lambda one: (one.memory.total, not one.checkpointing, one.micro_batch))


def _cost(request: Request, plan: Plan) -> float:
    """Time per token, in units of a pass without anything beside its tokens."""
    beside = GATHERING_TOKENS if request.engine.startswith("zero3") else OVERHEAD_TOKENS
    return 1 + beside / (plan.micro_batch * request.length)


def recomputation(request: Request) -> float:
    """What a second forward pass makes of the time: 4/3 where the backward pass takes two forward
    passes; 3/2 for adapters, whose backward pass takes about one."""
    return 3 / 2 if request.tuning.has_adapters else 4 / 3


def own_blocks(request: Request) -> int:
    """Blocks of one process per step. Raises UserError where they cannot be shared evenly."""
    if request.blocks % request.processes or not request.blocks:
        raise UserError(
            f"train.batch_tokens: {request.blocks} blocks of {request.length} tokens cannot be "
            f"shared evenly by {request.processes} processes; make it a multiple of "
            f"{request.processes * request.length}"
        )
    own = request.blocks // request.processes
    if request.micro_batch is not None and own % request.micro_batch:
        raise UserError(
            f"train.micro_batch: {request.micro_batch} does not divide the {own} blocks that each "
            f"of {request.processes} processes has per step"
        )
    return own


def _candidates(request: Request) -> list[tuple[int, bool]]:
    """Micro-batches that divide a process's blocks, with and without checkpointing."""
    own = own_blocks(request)
    limit = max(1, TOKENS_PER_PASS // request.length)
    micros = [micro for micro in range(1, min(own, limit) + 1) if own % micro == 0]
    if request.micro_batch is not None:
        micros = [request.micro_batch]
    stored = [False, True] if request.checkpointing is None else [request.checkpointing]
    return [(micro, checkpointing) for checkpointing in stored for micro in micros]


def _plan(request: Request, micro_batch: int, checkpointing: bool) -> Plan:
    accumulation = own_blocks(request) // micro_batch
    memory = memory_of(
        request,
        micro_batch=micro_batch,
        checkpointing=checkpointing,
        accumulates=accumulation > 1,
    )
    limit = capacity(request)
    return Plan(
        micro_batch=micro_batch,
        accumulation=accumulation,
        checkpointing=checkpointing,
        fits=memory.total <= limit,
        memory=memory,
        capacity=limit,
    )
