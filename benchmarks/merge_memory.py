"""What a merge with its proof takes of memory, beside PEFT's own merge without any.

    python benchmarks/merge_memory.py            # a quarter of an hour on one core, 10 GB of disk
    python benchmarks/merge_memory.py --write    # and results/merge_memory.md

GPT-BigCode models with random weights in bf16 and an adapter on every matrix of the blocks. Each
merge runs in a process of its own; its peak is `VmHWM` (pages of mapped files included), less that
of a process that only imports the same.
"""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sequences_tables import Section, machine

RESULTS = Path(__file__).with_name("results") / "merge_memory.md"
SIZES = {"20 layers": 20, "42 layers": 42}
WIDTH, HEADS, VOCABULARY, LENGTH = 1536, 12, 49152, 256
SHARD = 5_000_000_000
MEBIBYTE = 1 << 20
IMPORTS = (
    "torch",
    "peft",
    "transformers.models.gpt_bigcode.modeling_gpt_bigcode",
    "finetune.merging.merge",
)


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to merge: what is called, and by what its memory is bounded."""

    words: str
    command: str
    method: str
    shard: int
    all_sizes: bool = False


WAYS = (
    Way(
        words="ours, with proof, files of 0.5 GB",
        command="ours",
        method="lora",
        shard=SHARD // 10,
        all_sizes=True,
    ),
    Way(words="PEFT, no proof", command="peft", method="lora", shard=10 * SHARD, all_sizes=True),
    Way(words="ours, with proof", command="ours", method="lora", shard=SHARD),
    Way(words="ours, with proof", command="ours", method="dora", shard=SHARD, all_sizes=True),
    Way(words="ours, with proof", command="ours", method="qlora", shard=SHARD),
)


def make(run: str, layers: str) -> None:
    """A run folder with a base and two adapters, as training leaves them."""
    import torch
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    from finetune.models.adapters import add_lora
    from finetune.recipe.schema import Lora
    from finetune.tokenizer import train_tokenizer
    from finetune.training.weights import gather_trainable, save_adapter

    folder, base = Path(run), Path(run) / "base"
    base.mkdir(parents=True)
    train_tokenizer([Path(__file__).read_text()] * 4, 512, LENGTH, base)
    config = GPTBigCodeConfig(
        vocab_size=VOCABULARY,
        n_positions=LENGTH,
        n_embd=WIDTH,
        n_layer=int(layers),
        n_head=HEADS,
        n_inner=4 * WIDTH,
        bos_token_id=0,
        eos_token_id=0,
        dtype="bfloat16",
    )
    torch.set_default_dtype(torch.bfloat16)
    model: Any = GPTBigCodeForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(base)
    for method in ("lora", "dora"):
        adapted: Any = add_lora(model, Lora(method=method), seed=0)
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.01)
        save_adapter(adapted, gather_trainable(adapted, keep=True), folder / method)
        model = adapted.unload()


def imports(*_: str) -> None:
    """Nothing: what every process has loaded."""


def ours(folder: str, method: str, shard: str) -> None:
    """`finetune merge`, its proof included."""
    import numpy as np

    from finetune.base import BaseFacts
    from finetune.merging.merge import merge
    from finetune.run_folder import RunFolder
    from finetune.sequences import Block
    from finetune.tokenizer import CodeTokenizer

    run = RunFolder(Path(folder))
    (run.path / ("dora" if method == "dora" else "lora")).rename(run.adapter)
    facts = BaseFacts(
        folder=run.base,
        description="random",
        model_id=None,
        licence="mit",
        model_type="gpt_bigcode",
        positions=LENGTH,
        modules=frozenset(),
    )
    ids = np.array(CodeTokenizer(run.base).encode(Path(__file__).read_text() * 2)[:LENGTH])
    block = Block(ids, ids, np.arange(LENGTH), ())
    try:
        merge(run, facts, method, [block], "bf16", int(shard))
    finally:
        run.adapter.rename(run.path / ("dora" if method == "dora" else "lora"))


def peft(folder: str, method: str, shard: str) -> None:
    """The plain way: load, merge, save."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(f"{folder}/base", dtype=torch.bfloat16)
    model = PeftModel.from_pretrained(base, f"{folder}/{method}").merge_and_unload(safe_merge=True)
    model.save_pretrained(f"{folder}/merged", max_shard_size=int(shard))


COMMANDS: dict[str, Callable[..., None]] = {
    "make": make,
    "imports": imports,
    "ours": ours,
    "peft": peft,
}


def one(command: str, *arguments: str) -> None:
    """Run a command here and print the peak of this process in bytes, and its seconds."""
    for name in IMPORTS:
        importlib.import_module(name)
    began = time.monotonic()
    COMMANDS[command](*arguments)
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    print(json.dumps({"peak": int(found[1]) * 1024, "seconds": time.monotonic() - began}))


def measured(*arguments: str) -> dict[str, float]:
    """What `one` prints, from a fresh process."""
    command = [sys.executable, __file__, "--one", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def versions() -> list[str]:
    """What else takes part, and on how many threads."""
    names = ("torch", "peft", "safetensors", "bitsandbytes")
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    return [f"and {', '.join(f'{n} {version(n)}' for n in names)}", f"threads: {threads}"]


def table(folder: Path) -> Section:
    """All ways at all sizes; the models go as soon as they are measured."""
    section = Section(
        "Peak memory of a merge",
        "Peak less that of the imports. Bound: 1.2 times the weights, and one file of the merge.",
        (
            *("model", "weights MiB", "method", "way"),
            *("peak MiB", "peak / weights", "bound MiB", "within", "s"),
        ),
    )
    empty = measured("imports")["peak"]
    for index, (name, layers) in enumerate(SIZES.items()):
        run = folder / f"{layers}"
        measured("make", str(run), str(layers))
        weights = sum(file.stat().st_size for file in run.glob("base/*.safetensors"))
        for way in (w for w in WAYS if w.all_sizes or index == 0):
            found = measured(way.command, str(run), way.method, str(way.shard))
            shutil.rmtree(run / "merged")
            peak, bound = found["peak"] - empty, 1.2 * weights + min(way.shard, weights)
            section.rows.append(
                (
                    *(name, f"{weights / MEBIBYTE:,.0f}", way.method, way.words),
                    *(f"{peak / MEBIBYTE:,.0f}", f"{peak / weights:.2f}"),
                    *(f"{bound / MEBIBYTE:,.0f}", "yes" if peak <= bound else "**no**"),
                    f"{found['seconds']:.0f}",
                )
            )
            print(section.rows[-1], flush=True)
        shutil.rmtree(run)
    return section


def main() -> None:
    """Measure, print, and write where asked."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--one", nargs="+", help="one measurement, in this process")
    asked = parser.parse_args()
    if asked.one:
        one(*asked.one)
        return
    with tempfile.TemporaryDirectory() as folder:
        section = table(Path(folder))
    section.show()
    if asked.write:
        listed = "\n".join(f"- {fact}" for fact in (*machine(), *versions()))
        written = "Written by `python benchmarks/merge_memory.py --write`."
        text = f"# Memory of a merge\n\n{written}\n\n{listed}\n\n{section.markdown()}"
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
