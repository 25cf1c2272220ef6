"""How training holds each number: bytes per weight and per activation, by method and engine.

This is the one place that says what `training/start.py`, `training/optimizer.py` and Accelerate do
with data types. Where they change, this changes with them; `tests/planning/test_holding.py` looks
at the real model and optimiser.

- One process and DDP, full tuning: weights, gradients and both moments in fp32. With bf16 or fp16
  the forward pass runs under autocast: every matrix is copied to 16 bits and the copy is kept for
  the backward pass, while the stream between the blocks stays in fp32.
- One process and DDP, adapters: the frozen base in 16 bits, the adapters and their states in fp32.
- DeepSpeed: weights in 16 bits, fp32 masters and moments of what is trained, gradients added up
  in the type that its file names, no autocast.
"""

from dataclasses import dataclass
from typing import Literal

from finetune.planning.zero import ZeroSettings

Precision = Literal["bf16", "fp16", "fp32"]
Device = Literal["cuda", "cpu"]

NF4_BYTES = 0.5 + (1 + 4 / 256) / 64
"""Per weight quantised twice (https://arxiv.org/abs/2305.14314, section 3): 4 bits, one byte of
scale per 64 weights, and 4 bytes per 256 of those."""

MOMENTS = 8
"""Bytes per trained weight: Adam's two averages in fp32."""


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Bytes of one number, by what it is."""

    frozen: int
    """A weight of the base that is not trained."""
    trained: int
    """A trained weight, as the forward pass sees it."""
    gradient: int
    """A gradient, as passes add it up."""
    wire: int
    """A gradient on its way to other processes."""
    master: int
    """A copy in fp32 beside the trained weight; 0 where that is in fp32 itself."""
    compute: int
    """An activation between a matrix and the next."""
    stream: int
    """An activation between blocks."""
    stats: int
    """A norm's mean, and its reciprocal deviation."""
    autocast: bool
    """Whether matrices are copied to 16 bits and the copies kept."""
    norm_in_fp32: bool
    """Whether norms read a copy in fp32 of a stream that is in 16 bits: autocast on a GPU."""
    step: int
    """Temporaries of the optimiser's step per trained weight: the foreach AdamW of torch, its
    default on a GPU, takes the square root of all second moments at once."""


def holding_of(
    method: str,
    precision: Precision,
    zero: ZeroSettings | None,
    device: Device,
    *,
    fused: bool = False,
) -> Holding:
    """What is held when weights are tuned by `method`. `fused`: AdamW in one kernel, which has no
    temporaries."""
    half, sharded = precision != "fp32", zero is not None
    compute = 2 if half else 4
    autocast = half and not sharded
    small_base = half and (sharded or method != "full")
    stream = 2 if small_base else 4
    gradient = 2 if half and zero is not None and not zero.fp32_gradients else 4
    return Holding(
        frozen=2 if small_base else 4,
        trained=2 if half and sharded else 4,
        gradient=gradient,
        wire=gradient if zero is None or zero.stage == 1 else compute,
        master=4 if sharded else 0,
        compute=compute,
        stream=stream,
        stats=4 if device == "cuda" else stream,
        autocast=autocast,
        norm_in_fp32=autocast and device == "cuda" and stream == 2,
        step=4 if device == "cuda" and not fused else 0,
    )
