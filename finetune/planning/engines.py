"""How an engine shares weights, gradients and states over N processes, and what it adds.

Of the numbers that are sharded each process holds one Nth
(https://arxiv.org/abs/1910.02054, figure 1). The buffers are those of DeepSpeed 0.19
(`runtime/zero/stage_1_and_2.py`, `stage3.py`, `bf16_optimizer.py`), with the sizes of
`deepspeed_configs/*.json`.
"""

from dataclasses import dataclass

from finetune.planning.architecture import Architecture
from finetune.planning.holding import Holding
from finetune.planning.tuning import Tuning
from finetune.planning.zero import ALLREDUCE, ZeroSettings


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Which share of each kind lies on one GPU; 0 where the host has it."""

    weights: float = 1.0
    gradients: float = 1.0
    states: float = 1.0
    """Masters and moments."""


def sharing_of(zero: ZeroSettings | None, processes: int) -> Sharing:
    """One process and DDP share nothing; gradients that are offloaded go with the states."""
    if zero is None:
        return Sharing()
    one = 1 / processes
    states = 0.0 if zero.offloads_states else one
    gradients = states if zero.stage >= 2 else 1.0
    weights = one if zero.stage == 3 else 1.0
    return Sharing(
        weights=0.0 if zero.offloads_weights else weights, gradients=gradients, states=states
    )


def bucket_bytes(
    zero: ZeroSettings | None, processes: int, tuning: Tuning, holding: Holding
) -> int:
    """Gradients on their way to other processes.

    DDP copies all of them into buckets. ZeRO-1 and 2 fill one bucket while they send another;
    ZeRO-3 has one. ZeRO-1 with gradients in fp32 beside weights in 16 bits has none: a pass's own
    gradients stand in 16 bits beside those sums, of which it lays 500 million at a time end to end.
    """
    if zero is None:
        return tuning.trained * holding.gradient if processes > 1 else 0
    if zero.stage == 1 and holding.wire != holding.compute:
        own = tuning.trained * holding.compute
        return own + min(tuning.trained, ALLREDUCE) * holding.gradient
    buckets = 2 if zero.overlaps and zero.stage < 3 else 1
    return buckets * zero.reduce_bucket * holding.wire


def gathered_bytes(zero: ZeroSettings | None, architecture: Architecture, holding: Holding) -> int:
    """Weights that ZeRO-3 has gathered from all processes at one time: the embedding (the loss
    needs it again), the block at work and the one fetched ahead; never more than there are.

    `stage3_max_live_parameters` allows more, which DeepSpeed uses where it saves a second fetch.
    """
    if zero is None or zero.stage < 3:
        return 0
    embedding = architecture.vocabulary * architecture.width
    numbers = embedding + 2 * architecture.layer_parameters
    return min(numbers, architecture.parameters) * holding.frozen


def step_bytes(zero: ZeroSettings | None, processes: int, tuning: Tuning, holding: Holding) -> int:
    """Temporaries of the optimiser's step beside the gradients.

    Those of AdamW itself. Under ZeRO the gradients end to end in fp32 as well: those of a sub-group
    of the share in ZeRO-3; of the whole share in ZeRO-1 and 2 unless they are in fp32 already,
    with a copy in their own type on the way.
    """
    if zero is None:
        return tuning.trained * holding.step
    if zero.offloads_states:
        return 0
    share = -(-tuning.trained // processes)
    if zero.stage == 3:
        return min(share, zero.sub_group) * (4 + holding.step)
    if holding.gradient == 4:
        return share * holding.step
    return share * (4 + max(holding.gradient, holding.step - holding.gradient))
