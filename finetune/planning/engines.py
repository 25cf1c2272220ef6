"""How an engine shares weights, gradients and states over N processes, and what it adds.

Of the numbers that are sharded each process holds one Nth
(https://arxiv.org/abs/1910.02054, figure 1). The buffers are those of DeepSpeed 0.19
(`runtime/zero/stage_1_and_2.py`, `stage3.py`), with the sizes of `deepspeed_configs/*.json`.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from finetune.planning.architecture import Architecture
from finetune.planning.holding import Holding
from finetune.planning.tuning import Tuning
from finetune.shipped import shipped

ENGINES = ("single", "ddp", "zero1", "zero2", "zero3", "zero3_offload")


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Which share of each kind lies on one GPU; 0 where the host has it."""

    weights: float
    gradients: float
    states: float
    """Masters and moments."""


def sharing_of(engine: str, processes: int) -> Sharing:
    """The engine's shares. `zero3_offload` leaves on the GPU what its file does not offload."""
    one = 1 / processes
    if engine == "zero1":
        return Sharing(weights=1, gradients=1, states=one)
    if engine == "zero2":
        return Sharing(weights=1, gradients=one, states=one)
    if engine == "zero3":
        return Sharing(weights=one, gradients=one, states=one)
    if engine == "zero3_offload":
        weights = 0.0 if _offloads(engine, "offload_param") else one
        rest = 0.0 if _offloads(engine, "offload_optimizer") else one
        return Sharing(weights=weights, gradients=rest, states=rest)
    return Sharing(weights=1, gradients=1, states=1)


def communication_bytes(engine: str, tuning: Tuning, holding: Holding) -> int:
    """Buffers of the backward pass.

    DDP copies all gradients into buckets. ZeRO-1 and 2 fill one bucket of `reduce_bucket_size`
    numbers while they send another; ZeRO-3 has one.
    """
    if engine == "ddp":
        return tuning.trained * holding.gradient
    if not engine.startswith("zero"):
        return 0
    settings = zero_settings(engine)
    buckets = 1
    if not engine.startswith("zero3") and settings.get("overlap_comm"):
        buckets = 2
    return buckets * int(settings.get("reduce_bucket_size", 5e8)) * holding.gradient


def gathered_bytes(engine: str, architecture: Architecture, holding: Holding) -> int:
    """Weights that ZeRO-3 has gathered from all processes at one time: the embedding (the loss
    needs it again), the block at work and the one fetched ahead; never more than there are.

    `stage3_max_live_parameters` allows more, which DeepSpeed uses where it saves a second fetch.
    """
    if not engine.startswith("zero3"):
        return 0
    embedding = architecture.vocabulary * architecture.width
    numbers = embedding + 2 * architecture.layer_parameters
    return min(numbers, architecture.parameters) * holding.frozen


def step_bytes(engine: str, processes: int, tuning: Tuning, holding: Holding) -> int:
    """Temporaries of the optimiser's step beside the gradients.

    Those of AdamW itself; under ZeRO the gradients in fp32 as well: of the process's share, for
    which ZeRO-1 and 2 first lay the gradients end to end in a copy and then let both go, or of one
    sub-group of the share at a time in ZeRO-3.
    """
    trained = tuning.trained
    if not engine.startswith("zero"):
        return trained * holding.step
    share = -(-trained // processes)
    if engine == "zero3_offload" and _offloads(engine, "offload_optimizer"):
        return 0
    if engine.startswith("zero3"):
        share = min(share, int(zero_settings(engine).get("sub_group_size", 1e9)))
        return share * (4 + holding.step)
    return share * (4 + max(holding.gradient, holding.step - holding.gradient))


def _offloads(engine: str, what: str) -> bool:
    settings = zero_settings(engine)
    if not settings.get("stage"):
        return True  # no file of its own yet: all of it, as the recipe's help says
    return bool(settings.get(what, {}).get("device") == "cpu")


@cache
def zero_settings(engine: str) -> dict[str, Any]:
    """`zero_optimization` of the engine's file; empty where there is none."""
    file = shipped(f"deepspeed_configs/{engine}.json")
    if not file.is_file():
        return {}
    settings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["zero_optimization"]
    return settings
