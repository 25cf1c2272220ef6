"""The loss of a batch in chunks, side by side with plain cross-entropy and torch's own chunks.

    python benchmarks/loss_head.py            # about five minutes on two cores
    python benchmarks/loss_head.py --write    # the same, and results/loss_head.md

Each measurement has a process of its own: forward and backward pass; CPU seconds of all threads,
the best of three turns after one that is not counted; memory is the highest resident size above the
one before the first turn.
"""

import json
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sequences_tables import Section, machine

RESULTS = Path(__file__).with_name("results") / "loss_head.md"
VOCABULARY, TOKENS, WIDTH = 49152, 2048, 768
TURNS = 3
MEBIBYTE = 1 << 20
PATHS = ("plain", "torch, chunks of 512", "ours")
PASSES = ("head trained, fp32", "head trained, bf16", "head frozen, fp32", "head frozen, bf16")
STEPS = ("all weights, fp32", "all weights, labels on a tenth, fp32")


def head_pass(path: str, case: str) -> Callable[[], Any]:
    """Losses of hidden states, summed, and their gradients; returns the sum."""
    import torch

    from finetune.models.loss_head import head_losses

    dtype = torch.bfloat16 if case.endswith("bf16") else torch.float32
    torch.manual_seed(0)
    hidden = torch.randn(1, TOKENS + 1, WIDTH, dtype=dtype, requires_grad=True)
    weight = (torch.randn(VOCABULARY, WIDTH) / WIDTH**0.5).to(dtype)
    weight.requires_grad_(case.startswith("head trained"))
    wanted, labelled = torch.randint(VOCABULARY, (TOKENS,)), torch.arange(TOKENS)

    def turn() -> Any:
        hidden.grad = weight.grad = None
        if path == "ours":
            losses = head_losses(hidden, weight, labelled, wanted)
        elif path == "plain":
            logits = (hidden[0, :-1] @ weight.T).float()
            losses = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
        else:
            options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=512)
            losses = torch.nn.functional.linear_cross_entropy(
                hidden[0, :-1], weight, wanted, reduction="none", options=options
            )
        total = losses.float().sum()
        total.backward()
        return float(total.detach())

    return turn


def model_step(path: str, case: str) -> Callable[[], Any]:
    """A training step without the optimiser, of a GPT-BigCode of four layers."""
    import numpy as np
    import torch
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    from finetune.models import loss_head
    from finetune.models.forward import collate, token_losses
    from finetune.sequences import Block

    sizes = {"n_positions": 512, "n_embd": 512, "n_layer": 4, "n_head": 4, "n_inner": 2048}
    dropout = {"attn_pdrop": 0.0, "resid_pdrop": 0.0, "embd_pdrop": 0.0}
    torch.manual_seed(0)
    config = GPTBigCodeConfig(vocab_size=VOCABULARY, **sizes, **dropout)
    model = GPTBigCodeForCausalLM(config).train()
    rng, blocks = np.random.default_rng(0), []
    for _ in range(TOKENS // 512):
        ids = rng.integers(0, VOCABULARY, 512)
        labels = np.where(rng.random(512) < 0.9, -100, ids) if "tenth" in case else ids
        blocks.append(Block(ids, labels, np.arange(512), ()))
    batch = collate(blocks)
    if path == "plain":
        loss_head.PLAIN_HEADS = frozenset()  # every family's logits are taken whole

    def turn() -> Any:
        model.zero_grad(set_to_none=True)
        total = token_losses(model, batch).sum()
        total.backward()
        return float(total.detach())

    return turn


def measure(path: str, case: str) -> None:
    """One measurement: prints a line of JSON."""
    turn = (head_pass if case in PASSES else model_step)(path, case)
    Path("/proc/self/clear_refs").write_text("5")  # the highest size starts anew
    before = _resident("VmRSS")
    total, seconds = turn(), []
    for _ in range(TURNS):
        began = time.process_time()
        turn()
        seconds.append(time.process_time() - began)
    memory = _resident("VmHWM") - before
    print(json.dumps({"seconds": min(seconds), "memory": memory, "total": total}))


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def compare(title: str, note: str, cases: tuple[str, ...], paths: tuple[str, ...]) -> Section:
    """A table of `cases`, every path against the plain one."""
    columns = ("", "path", "CPU seconds", "of plain", "MiB", "of plain", "sum of losses")
    section = Section(title, note, columns)
    for case in cases:
        found = {}
        for path in paths:
            command = [sys.executable, __file__, "--path", path, "--case", case]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[path] = json.loads(done.stdout.splitlines()[-1])
        plain = found["plain"]
        for path, one in found.items():
            section.rows.append(
                (
                    case,
                    path,
                    f"{one['seconds']:.2f}",
                    f"{one['seconds'] / plain['seconds']:.2f}",
                    f"{one['memory'] / MEBIBYTE:.0f}",
                    f"{one['memory'] / plain['memory']:.2f}",
                    f"{one['total']:.2f}",
                )
            )
    section.show()
    return section


def main() -> None:
    """Measure everything, or one thing for a parent process."""
    parser = ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--path", choices=PATHS)
    parser.add_argument("--case", choices=(*PASSES, *STEPS))
    arguments = parser.parse_args()
    if arguments.case:
        measure(arguments.path, arguments.case)
        return
    import torch

    has_own = hasattr(torch.nn, "LinearCrossEntropyOptions")
    sections = [
        compare(
            "1. The head alone",
            f"{TOKENS} tokens, hidden size {WIDTH}, vocabulary {VOCABULARY}; losses of each token, "
            "summed, then the gradients. Plain: logits in fp32, then cross-entropy.",
            PASSES,
            PATHS if has_own else ("plain", "ours"),
        ),
        compare(
            "2. A training step without its optimiser",
            f"GPT-BigCode of 4 layers of 512, vocabulary {VOCABULARY}, {TOKENS // 512} blocks of "
            "512 tokens, one call of `token_losses` and its backward pass; gradients included.",
            STEPS,
            ("plain", "ours"),
        ),
    ]
    if arguments.write:
        facts = [*machine(), f"torch {version('torch')}, {torch.get_num_threads()} threads"]
        listed = "\n".join(f"- {fact}" for fact in facts)
        tables = "\n".join(section.markdown() for section in sections)
        RESULTS.write_text(
            "# The loss of a batch, side by side\n\nWritten by `python benchmarks/loss_head.py "
            f"--write`.\n\n{listed}\n\n{tables}",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
