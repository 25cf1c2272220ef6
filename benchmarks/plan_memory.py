"""The memory that `finetune plan` predicts, beside what a machine takes.

    python benchmarks/plan_memory.py [--device cuda|cpu] [--out FILE]

On a GPU: real architectures with random weights, made on the GPU, two optimiser steps of two passes
each through training's own calls; `torch.cuda.max_memory_allocated` beside the prediction. On a
CPU: small models, the tensors that autograd saves, and the peak of the tensors that live during the
second step.
"""

import argparse
import gc
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from plan_memory_saved import (
    gpt_bigcode,
    packed_blocks,
    peak_bytes,
    saved_bytes,
    starcoder2,
    two_steps,
)
from rich.console import Console
from transformers import PreTrainedModel
from transformers.utils import logging

from finetune.models.adapters import add_lora
from finetune.planning import Request, architecture_of, memory_of
from finetune.planning.activations import kept_bytes
from finetune.planning.memory import copied_bytes
from finetune.recipe.schema import Full, Lora, Train
from finetune.training.optimizer import make_optimizer

Pair = tuple[int, int]
"""Bytes, predicted and real."""

OUT = Path(__file__).parent / "results" / "plan_memory.md"
FULL, LORA = Full(method="full"), Lora(method="lora", rank=16)
DORA = Lora(method="dora", rank=16)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One configuration: an architecture, a method, a length."""

    name: str
    layers: int
    width: int
    heads: int
    kv_heads: int = 1
    tune: Full | Lora
    length: int
    micro_batch: int = 1
    checkpointing: bool = False
    precision: str = "bf16"
    attention: str = "sdpa"

    @property
    def words(self) -> str:
        """The case as cells of a row."""
        stored = "on" if self.checkpointing else "off"
        cells = [self.name, self.tune.method, self.precision, self.attention]
        return " | ".join([*cells, f"{self.micro_batch} x {self.length}", stored])


ONE_B = {"name": "StarCoderBase 1B", "layers": 24, "width": 2048, "heads": 16}
THREE_B = {"name": "StarCoderBase 3B", "layers": 36, "width": 2816, "heads": 22}
SEVEN_B = {"name": "StarCoderBase 7B", "layers": 42, "width": 4096, "heads": 32}
TWO_3B = {"name": "StarCoder2 3B", "layers": 30, "width": 3072, "heads": 24, "kv_heads": 2}
ON_GPU = (
    Case(**ONE_B, tune=FULL, length=2048),
    Case(**ONE_B, tune=FULL, length=8192, checkpointing=True),
    Case(**ONE_B, tune=FULL, length=2048, micro_batch=4, checkpointing=True),
    Case(**ONE_B, tune=LORA, length=2048, micro_batch=4),
    Case(**ONE_B, tune=DORA, length=2048),
    Case(**THREE_B, tune=LORA, length=2048),
    Case(**THREE_B, tune=LORA, length=8192, checkpointing=True),
    Case(**SEVEN_B, tune=LORA, length=2048),
    Case(**SEVEN_B, tune=LORA, length=8192, checkpointing=True),
    Case(**TWO_3B, tune=LORA, length=4096, checkpointing=True),
)
SMALL = {"name": "GPT-BigCode", "layers": 4, "width": 128, "heads": 4}
SMALL_2 = {"name": "StarCoder2", "layers": 4, "width": 128, "heads": 4, "kv_heads": 2}
ON_CPU = (
    Case(**SMALL, tune=FULL, length=256, precision="fp32"),
    Case(**SMALL, tune=FULL, length=256, precision="fp32", checkpointing=True),
    Case(**SMALL, tune=FULL, length=128, micro_batch=4),
    Case(**SMALL, tune=FULL, length=256, micro_batch=2, precision="fp32", attention="eager"),
    Case(**SMALL, tune=LORA, length=256),
    Case(**SMALL, tune=LORA, length=512, checkpointing=True),
    Case(**SMALL, tune=DORA, length=256, precision="fp32"),
    Case(**SMALL_2, tune=FULL, length=256, precision="fp32"),
    Case(**SMALL_2, tune=LORA, length=256, micro_batch=2),
)


def make(case: Case, *, on_gpu: bool) -> PreTrainedModel:
    """The case's model with random weights, where it will train."""
    vocabulary, positions = (49152, 8192) if on_gpu else (512, 512)
    frozen_bf16 = case.tune.method != "full" and case.precision == "bf16"
    torch.manual_seed(0)
    with torch.device("cuda" if on_gpu else "cpu"):
        if case.kv_heads > 1:
            model = starcoder2(
                case.layers, case.width, case.heads, case.kv_heads, vocabulary=vocabulary
            )
        else:
            model = gpt_bigcode(
                case.layers, case.width, case.heads, vocabulary=vocabulary, positions=positions
            )
    model.config._attn_implementation = case.attention
    return model.bfloat16() if frozen_bf16 else model


def request_for(case: Case, model: PreTrainedModel, *, on_gpu: bool) -> Request:
    """What the planner is asked: two passes per step in one process."""
    return Request(
        architecture=architecture_of(model.config.to_dict()),
        tune=case.tune,
        engine="single",
        processes=1,
        memory=2**40,
        device="cuda" if on_gpu else "cpu",
        precision=case.precision,
        attention=case.attention,
        length=case.length,
        blocks=2 * case.micro_batch,
    )


def tuned(case: Case, model: PreTrainedModel) -> torch.nn.Module:
    """With adapters or without, checkpointing or not, in training mode."""
    if case.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    whole = add_lora(model, case.tune, 0) if isinstance(case.tune, Lora) else model
    return whole.train()


def planned_peak(request: Request, case: Case) -> int:
    """Bytes of two passes per step, without the context."""
    memory = memory_of(
        request, micro_batch=case.micro_batch, checkpointing=case.checkpointing, accumulates=True
    )
    return memory.allocated


def on_cpu(case: Case) -> list[Pair]:
    """Bytes predicted and real: kept for the backward pass, then at the peak of a step."""
    model = make(case, on_gpu=False)
    request = request_for(case, model, on_gpu=False)
    blocks = packed_blocks(case.micro_batch, case.length, 512)
    autocast, tokens = case.precision == "bf16", case.micro_batch * case.length
    whole = tuned(case, model)
    kept = kept_bytes(request.shape, tokens, checkpointing=case.checkpointing)
    kept += request.head.kept(tokens)
    if not case.checkpointing:
        kept += copied_bytes(request, case.layers)
    saved = sum(saved_bytes(whole, blocks, autocast=autocast))
    optimizer = make_optimizer(whole, Train(tokens=1))
    peak = peak_bytes(whole, optimizer, blocks, 2, autocast=autocast)
    return [(kept, saved), (planned_peak(request, case), peak)]


def on_gpu(case: Case) -> list[Pair]:
    """Bytes predicted and allocated at the peak of the second optimiser step."""
    gc.collect()
    torch.cuda.empty_cache()
    model = make(case, on_gpu=True)
    request = request_for(case, model, on_gpu=True)
    whole = tuned(case, model)
    optimizer = make_optimizer(whole, Train(tokens=1))
    request = replace(request, fused=bool(optimizer.defaults["fused"]))
    blocks = packed_blocks(case.micro_batch, case.length, 49152)
    steps = two_steps(whole, optimizer, blocks, 2, autocast=case.precision == "bf16")
    next(steps)
    torch.cuda.reset_peak_memory_stats()
    next(steps, None)
    return [(planned_peak(request, case), torch.cuda.max_memory_allocated())]


FIRST = "model | method | precision | attention | blocks x tokens | checkpointing"
CPU_HEAD = "kept: predicted, kB | saved, kB | | peak: predicted, kB | real, kB | "
GPU_HEAD = "peak: predicted, GB | allocated, GB | "
NO_GPU = """\
**No figure of this page was measured on a GPU yet.** It holds what a CPU can tell. *Kept* are the
tensors that autograd keeps for the backward pass: the activations of the plan. *Peak* is the most
that all tensors take at one time during an optimiser step of two passes, weights, gradients and
states included. What is another thing on a GPU (its kernels, types under autocast, the temporaries
of its AdamW, buffers between processes, the allocator) is computed, and stands unmeasured until
this script has run there.
"""


def page(rows: list[tuple[Case, list[Pair]]], device: str) -> str:
    """The results as Markdown."""
    size = 1e9 if device == "cuda" else 1e3
    where = torch.cuda.get_device_name() if device == "cuda" else "a CPU"
    worst = max(abs(predicted / real - 1) for _, pairs in rows for predicted, real in pairs)
    head = f"| {FIRST} | {GPU_HEAD if device == 'cuda' else CPU_HEAD}|"
    lines = [
        "# Planned memory beside measured memory",
        "",
        f"`python benchmarks/plan_memory.py --device {device}` on {where}, torch "
        f"{torch.__version__.partition('+')[0]}. The largest difference is {worst:.2%}.",
        "",
        *([NO_GPU] if device == "cpu" else []),
        head,
        "| --- " * FIRST.count("|") + "| --- " + "| ---: " * (head.count("|") - 7) + "|",
    ]
    for case, pairs in rows:
        cells = [
            f"{predicted / size:,.1f} | {real / size:,.1f} | {predicted / real - 1:+.2%}"
            for predicted, real in pairs
        ]
        lines.append(f"| {case.words} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", choices=("cuda", "cpu"))
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        print("--device cuda: this machine shows no GPU; use --device cpu", file=sys.stderr)
        return 2
    logging.set_verbosity_error()
    rows: list[tuple[Case, list[Pair]]] = []
    console = Console()
    for case in ON_GPU if device == "cuda" else ON_CPU:
        try:
            pairs = (on_gpu if device == "cuda" else on_cpu)(case)
        except torch.OutOfMemoryError:
            console.print(f"{case.words}: does not fit on this GPU; left out of the table")
            continue
        rows.append((case, pairs))
        figures = (f"{predicted:,} predicted, {real:,} real" for predicted, real in pairs)
        line = f"{case.words}: {'; '.join(figures)}"
        console.print(line, markup=False, soft_wrap=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(rows, device), encoding="utf-8")
    console.print(f"{options.out}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
