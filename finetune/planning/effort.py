"""How long a run takes: tokens, steps, floating-point operations, hours, energy, price.

Per token a model of M weights in matrices does 2 M operations forwards, 2 M for the gradients of
activations and 2 M for those of weights (https://arxiv.org/abs/2001.08361, section 2.1); attention
does 4 d for each token that is attended to and block, forwards, and twice that backwards. With L
blocks, width d and a vocabulary V, GPT-BigCode of head size 128 has M = L (10 d^2 + 256 d) + V d. A
token at place i of its document attends to i tokens: half of the document's length l on average,
and over a packed corpus sum(l^2) / (2 sum(l)).
"""

import math
from dataclasses import dataclass

from finetune.planning.architecture import Architecture
from finetune.planning.gpus import Machine
from finetune.planning.lengths import Lengths
from finetune.planning.tuning import Tuning


@dataclass(frozen=True, kw_only=True)
class Utilisation:
    """Model FLOPs per second as a share of the GPU's peak (https://arxiv.org/abs/2204.02311,
    appendix B), and where the number comes from."""

    share: float
    source: str
    checkpointed: bool
    """Whether the source's run checkpointed its activations, so that the time of recomputing is in
    the share."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """A whole run on all GPUs."""

    tokens: int
    steps: int
    flops_per_token: float
    flops: float
    tokens_per_second: float
    """Over all GPUs."""
    hours: float
    gpu_hours: float
    kilowatt_hours: float
    """GPU-hours at the boards' design power; nothing else of the machine."""
    price: float | None


def flops_per_token(architecture: Architecture, tuning: Tuning, attended: float) -> float:
    """Of one training step without recomputation. `attended`: tokens to which one attends, on
    average.

    Frozen weights have no gradient, and nothing below the lowest trained weight goes backwards.
    """
    per_block = sum(matrix.size for matrix in architecture.matrices)
    head = architecture.vocabulary * architecture.width
    above = architecture.layers - tuning.lowest
    forward = 2 * (architecture.layers * per_block + head)
    backward = 2 * (above * per_block + head)
    of_weights = 2 * _trained_matrices(architecture, tuning)
    query = architecture.heads * architecture.head_width
    attention = 4 * query * attended * (architecture.layers + 2 * above)
    return forward + backward + of_weights + attention


def _trained_matrices(architecture: Architecture, tuning: Tuning) -> int:
    """Numbers whose gradient is a product of matrices: the base's own that are trained, or the
    adapters'."""
    if tuning.has_adapters:
        return 0  # a hundredth of what the frozen base costs; the published figures leave it out
    sizes = {matrix.name: matrix.size for matrix in architecture.matrices}
    blocks = sum(sizes[name] for kept in tuning.kept_inputs for name in kept)
    head = architecture.vocabulary * architecture.width if tuning.trains_head else 0
    return blocks + head


MPT_1B = "MPT-1B, full, A100, {} tokens, without recomputing (llm-foundry)"
MPT_7B = "MPT-7B, full, 8 x A100-80GB, {} (llm-foundry)"
QWEN = "Qwen-7B, LoRA, one A100-80GB, {} tokens a second at {} tokens (Qwen's README)"
STARCODER = "StarCoderBase 15.5B, pretraining on 512 A100, 32-35% (model card)"


def utilisation(parameters: int, method: str, length: int, machine: Machine) -> Utilisation:
    """The published run that is nearest: by method, size and length of blocks.

    All were measured on A100s. On another GPU the share is scaled by how much of the peak its best
    product of matrices reaches there, against 271 of 312 TFLOP/s on an A100.
    """
    found = _published(parameters, method, length)
    scale = machine.gpu.reachable / (271.2 / 312)
    source = found.source
    if not math.isclose(scale, 1.0):
        source += f", times {scale:.2f} for the {machine.gpu.name}"
    return Utilisation(share=found.share * scale, source=source, checkpointed=found.checkpointed)


def _published(parameters: int, method: str, length: int) -> Utilisation:
    is_long = length > 4096
    if method != "full":
        share, speed, at = (0.344, 3077, 8192) if is_long else (0.303, 3151, 2048)
        source = QWEN.format(speed, at)
        if method != "lora":
            source += f"; none is published for {method}, which is slower"
        return Utilisation(share=share, source=source, checkpointed=False)
    if parameters > 10e9:
        return Utilisation(share=0.33, source=STARCODER, checkpointed=False)
    if parameters > 2e9:
        if is_long:
            source = MPT_7B.format("8192 tokens, recomputing")
            return Utilisation(share=0.545, source=source, checkpointed=True)
        source = MPT_7B.format("2048 tokens, without recomputing")
        return Utilisation(share=0.642, source=source, checkpointed=False)
    share, at = (0.567, 8192) if is_long else (0.599, 2048)
    return Utilisation(share=share, source=MPT_1B.format(at), checkpointed=False)


def effort_of(
    architecture: Architecture,
    tuning: Tuning,
    *,
    tokens: int,
    batch_tokens: int,
    lengths: Lengths,
    machine: Machine,
    used: Utilisation,
    recomputation: float,
    price_per_hour: float | None,
) -> Effort:
    """`recomputation`: what checkpointing makes of the time where `used` does not hold it."""
    steps = math.ceil(tokens / batch_tokens)
    done = steps * batch_tokens
    per_token = flops_per_token(architecture, tuning, lengths.attended)
    speed = machine.count * machine.gpu.tflops * 1e12 * used.share / per_token / recomputation
    hours = done / speed / 3600
    gpu_hours = hours * machine.count
    return Effort(
        tokens=done,
        steps=steps,
        flops_per_token=per_token,
        flops=per_token * done,
        tokens_per_second=speed,
        hours=hours,
        gpu_hours=gpu_hours,
        kilowatt_hours=gpu_hours * machine.gpu.watts / 1000,
        price=None if price_per_hour is None else gpu_hours * price_per_hour,
    )
