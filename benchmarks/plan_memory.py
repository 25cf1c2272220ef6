"""The memory that `finetune plan` predicts, beside what a machine takes.

    python benchmarks/plan_memory.py [--device cuda|cpu] [--out FILE]

On a GPU: real architectures with random weights, made on the GPU, two optimiser steps of two passes
each through training's own calls; `torch.cuda.max_memory_allocated` beside the prediction. On a
CPU, which counts no allocations: small models, and the tensors that autograd saves.
"""

import argparse
import gc
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from plan_memory_saved import gpt_bigcode, packed_blocks, saved_bytes, starcoder2
from rich.console import Console
from transformers import PreTrainedModel
from transformers.utils import logging

from finetune.models.adapters import add_lora
from finetune.models.forward import collate, token_losses
from finetune.planning import Request, architecture_of, memory_of
from finetune.planning.activations import kept_bytes
from finetune.planning.memory import copied_bytes
from finetune.recipe.schema import Full, Lora, Train
from finetune.training.optimizer import make_optimizer

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


def on_cpu(case: Case) -> tuple[int, int]:
    """Bytes predicted and saved, body and loss together."""
    model = make(case, on_gpu=False)
    request = request_for(case, model, on_gpu=False)
    blocks = packed_blocks(case.micro_batch, case.length, 512)
    autocast = case.precision == "bf16"
    body, head = saved_bytes(tuned(case, model), blocks, autocast=autocast)
    tokens = case.micro_batch * case.length
    predicted = kept_bytes(request.shape, tokens, checkpointing=case.checkpointing)
    predicted += request.head.kept(tokens)
    if not case.checkpointing:
        predicted += copied_bytes(request, case.layers)
    return predicted, body + head


def on_gpu(case: Case) -> tuple[int, int]:
    """Bytes predicted and allocated at the peak of two optimiser steps."""
    gc.collect()
    torch.cuda.empty_cache()
    model = make(case, on_gpu=True)
    request = request_for(case, model, on_gpu=True)
    whole = tuned(case, model)
    optimizer = make_optimizer(whole, Train(tokens=1))
    request = replace(request, fused=bool(optimizer.defaults["fused"]))
    blocks = packed_blocks(case.micro_batch, case.length, 49152)
    for step in range(2):
        if step == 1:
            torch.cuda.reset_peak_memory_stats()
        for _ in range(2):
            batch = collate(blocks, "cuda")
            with torch.autocast("cuda", torch.bfloat16, enabled=case.precision == "bf16"):
                losses = token_losses(whole, batch)
            losses.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    predicted = memory_of(
        request, micro_batch=case.micro_batch, checkpointing=case.checkpointing, accumulates=True
    )
    return predicted.allocated, torch.cuda.max_memory_allocated()


HEAD = """\
| model | method | precision | attention | blocks x tokens | checkpointing | {unit} predicted | \
{unit} {measured} | difference |
| --- | --- | --- | --- | --- | --- | ---: | ---: | ---: |
"""
NO_GPU = """\
**No figure of this page was measured on a GPU yet.** It holds what a CPU can tell: the tensors that
autograd keeps for the backward pass, which are the activations of the plan. What the plan says of
weights, gradients, states, the loss at work and buffers on a GPU is computed from how training
holds them, and stands unmeasured until this script has run there.
"""


def page(rows: list[tuple[Case, int, int]], device: str) -> str:
    """The results as Markdown."""
    unit, size = ("GB", 1e9) if device == "cuda" else ("kB", 1e3)
    measured = "allocated" if device == "cuda" else "saved"
    where = torch.cuda.get_device_name() if device == "cuda" else "a CPU"
    worst = max(abs(predicted / real - 1) for _, predicted, real in rows)
    text = "# Planned memory beside measured memory\n\n"
    text += f"`python benchmarks/plan_memory.py --device {device}` on {where}, "
    text += (
        f"torch {torch.__version__.partition('+')[0]}. The largest difference is {worst:.2%}.\n\n"
    )
    if device == "cpu":
        text += NO_GPU + "\n"
    text += HEAD.format(unit=unit, measured=measured)
    for case, predicted, real in rows:
        numbers = f"{predicted / size:,.1f} | {real / size:,.1f} | {predicted / real - 1:+.2%}"
        text += f"| {case.words} | {numbers} |\n"
    return text


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
    rows, console = [], Console()
    for case in ON_GPU if device == "cuda" else ON_CPU:
        try:
            predicted, real = (on_gpu if device == "cuda" else on_cpu)(case)
        except torch.OutOfMemoryError:
            console.print(f"{case.words}: does not fit on this GPU; left out of the table")
            continue
        rows.append((case, predicted, real))
        line = f"{case.words}: {predicted:,} predicted, {real:,} measured"
        console.print(line, markup=False, soft_wrap=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(page(rows, device), encoding="utf-8")
    console.print(f"{options.out}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
