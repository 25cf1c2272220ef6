"""What `deepspeed_configs/ENGINE.json` says that decides on memory; DeepSpeed's defaults else."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from finetune.shipped import shipped

ALLREDUCE = 500_000_000
"""Numbers that DeepSpeed sums over the processes at a time where it has no buckets."""


@dataclass(frozen=True, kw_only=True)
class ZeroSettings:
    """Sizes in numbers, not bytes."""

    stage: int
    reduce_bucket: int = 500_000_000
    overlaps: bool = False
    """Whether one bucket is filled while another is sent (ZeRO-1 and 2)."""
    sub_group: int = 1_000_000_000
    """Weights that ZeRO-3's optimiser steps at a time."""
    max_live: int = 1_000_000_000
    """Gathered weights that ZeRO-3 may hold."""
    fp32_gradients: bool = False
    """Whether gradients of passes are added up in fp32, or in the type of the weights."""
    offloads_weights: bool = False
    offloads_states: bool = False


@cache
def zero_settings(engine: str) -> ZeroSettings | None:
    """Of the engine's file; None for an engine that is not DeepSpeed's."""
    if not engine.startswith("zero"):
        return None
    file = shipped(f"deepspeed_configs/{engine}.json")
    whole: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    zero = whole["zero_optimization"]
    return ZeroSettings(
        stage=zero["stage"],
        reduce_bucket=zero.get("reduce_bucket_size", ZeroSettings.reduce_bucket),
        overlaps=zero.get("overlap_comm", zero["stage"] == 3),
        sub_group=zero.get("sub_group_size", ZeroSettings.sub_group),
        max_live=zero.get("stage3_max_live_parameters", ZeroSettings.max_live),
        fp32_gradients=whole.get("data_types", {}).get("grad_accum_dtype") == "fp32",
        offloads_weights=_goes_to_host(zero, "offload_param"),
        offloads_states=_goes_to_host(zero, "offload_optimizer"),
    )


def _goes_to_host(zero: dict[str, Any], what: str) -> bool:
    return bool(zero.get(what, {}).get("device", "none") != "none")
