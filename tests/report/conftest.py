"""Run folders as the stages would leave them, small enough to reason about."""

import functools
import json
import math
import random
from pathlib import Path

import pytest

from finetune.run_folder import RunFolder, write_json, write_text

RECIPE = """\
name: {name}
base: {base}
objective: {{type: pretrain}}
data:
  sources:
    - {{format: source_code, path: ./library, language: python}}
  holdout: 0.01
fim: {{rate: 0.5, spm: 0.5, cut: character}}
sequences: {{length: 512, isolate_documents: true, labels: all}}
tune: {tune}
train: {{tokens: 4915200, batch_tokens: 4096, learning_rate: 0.0005, micro_batch: 4,
  activation_checkpointing: false, precision: bf16}}
engine: single
toolkit:
  version: 0.1.0
  git_commit: 3f2a9c1
  versions: {{torch: 2.11.0, transformers: 5.23.0, peft: 0.21.2}}
"""
STARTS = {"left_to_right": 1.0, "psm": 1.06, "spm": 1.09}


def layouts(level):
    return {layout: level * factor for layout, factor in STARTS.items()}


def infilling(before, after, samples):
    settings = {"decoding": "greedy", "max_new_tokens": 48}
    return {
        "base": {"exact_match": before, "problems": 200, "settings": settings},
        "tuned": {
            "exact_match": after,
            "problems": 200,
            "settings": settings,
            "samples": samples,
        },
    }


SAMPLES = [
    {
        "path": "library/queue.py",
        "prefix": "class Queue:\n    def __init__(self, size: int) -> None:\n",
        "truth": "        self.size = size",
        "completion": "        self.size = size",
        "exact": True,
    },
    {
        "path": "library/render/page.py",
        "prefix": "def render(page: Page) -> str:\n",
        "truth": "    return template.format(page.title)",
        "completion": "    return template.render(page=page)",
        "exact": False,
    },
]


def scores(before, after, *, exact=(0.085, 0.31), languages=("python",), samples=SAMPLES):
    by_language = {
        language: {
            "base": layouts(before * (1 + 0.1 * position)),
            "tuned": layouts(after * (1 + 0.1 * position)),
        }
        for position, language in enumerate(languages)
    }
    return {
        "losses": {"base": layouts(before), "tuned": layouts(after)},
        "bits_per_byte": {"base": layouts(before / 2.6), "tuned": layouts(after / 2.6)},
        "losses_by_language": by_language,
        "infilling": infilling(*exact, samples),
        "gate": {"passed": True, "reasons": []},
        "jail": "no code was run",
    }


def log_lines(start, end, steps, every=100):
    """A loss that falls as losses do, with the noise of small batches."""
    noise = random.Random(0)
    for step in range(1, steps + 1):
        level = end + (start - end) * math.exp(-6 * step / steps)
        yield {
            "step": step,
            "tokens": step * 4096,
            "loss": level + noise.gauss(0, 0.06),
            "learning_rate": 5e-4,
            "tokens_per_second": 41_000 + noise.gauss(0, 900),
            "gradient_norm": 0.8,
            "losses": layouts(level),
            "mfu": 0.41,
            "data_wait": 0.012 if step > 1 else 0.2,
            "peak_memory": 3 * 2**30,
        }
        if step % every == 0:
            by_language = {"python": layouts(level), "cpp": layouts(level + 0.4)}
            line = {"step": step, "tokens": step * 4096, "validation": layouts(level)}
            yield {**line, "validation_by_language": by_language}


def write_lines(path: Path, lines) -> None:
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))


def write_recipe(run: RunFolder, base="{scratch: {licence: Apache-2.0}}", tune="{method: full}"):
    write_text(run.recipe, RECIPE.format(name=run.name, base=base, tune=tune))


def write_data(run: RunFolder) -> None:
    documents = [
        {
            "id": str(position),
            "path": f"library/{position}.py",
            "repo": "library",
            "licence": "MIT" if position % 3 else "BSD-3-Clause",
            "language": "python",
            "sha256": "0" * 64,
            "characters": 2_000,
            "split": "train" if position % 10 else "holdout",
        }
        for position in range(120)
    ]
    write_lines(run.manifest, documents)
    reasons = ["longest line over 1000 characters"] * 3 + ["generated"] * 5
    drops = [{"id": f"d{n}", "path": f"{n}.py", "reason": why} for n, why in enumerate(reasons)]
    write_lines(run.drops, drops)


def doctor(**fault):
    """doctor.json; `fault` is the words of one, where there is to be one."""
    found = [
        {"check": "weight files", "verdict": "ok", "what": "1 of 566,856 bytes"},
        {"check": "base", "verdict": "note", "what": "little learned: 6.232 nats"},
        {"check": "start", "verdict": "not applicable", "what": "begins at the base's weights"},
    ]
    faults = [{"check": "learning rate", "verdict": "fault", **fault}] if fault else []
    about = {"healthy": not fault, "engine": "single", "processes": 1, "seconds": 1.4}
    return {**about, "findings": [*found, *faults]}


def _write_run(folder: Path, name: str, *, losses=(3.1, 2.2), steps=300, **how) -> RunFolder:
    """A whole run. `how` goes to the recipe (`base`, `tune`) and to the scores."""
    run = RunFolder(folder / name)
    written = {key: how.pop(key) for key in ("base", "tune") if key in how}
    write_recipe(run, **written)
    write_lines(run.log, log_lines(*losses, steps))
    write_json(run.scores, scores(*losses, **how))
    write_data(run)
    write_json(run.doctor, doctor())
    write_json(
        run.stages,
        {
            "prepare": {"seconds": 12.4, "summary": "120 documents kept, 8 dropped"},
            "train": {"seconds": 754.0, "summary": f"{steps} steps, last loss {losses[1]:.3f}"},
            "merge": {"seconds": 3.1, "summary": "merged and proven"},
            "evaluate": {"seconds": 91.0, "summary": "base and tuned measured"},
        },
    )
    write_json(
        run.merge_proof,
        {
            "method": "lora" if "lora" in written.get("tune", "") else "none",
            "max_abs_logit_difference": 3.1e-6,
            "argmax_agreement": 1.0,
            "tolerance": 1e-4,
            "tied_embeddings": True,
        },
    )
    return run


def _write_lineage(folder: Path) -> RunFolder:
    """nano-base -> nano-python -> nano-my-code; the last of them."""
    languages = ("python", "cpp")
    _write_run(folder, "nano-base", losses=(8.34, 3.42), exact=(0.0, 0.095), languages=languages)
    _write_run(
        folder,
        "nano-python",
        losses=(3.42, 2.71),
        base="{run: nano-base}",
        exact=(0.095, 0.22),
        languages=languages,
    )
    return _write_run(
        folder,
        "nano-my-code",
        losses=(3.05, 2.14),
        base="{run: nano-python}",
        tune="{method: lora, rank: 16, alpha: 32}",
        exact=(0.18, 0.345),
    )


@pytest.fixture
def write_run(tmp_path):
    """Writes a whole run below a temporary runs folder."""
    return functools.partial(_write_run, tmp_path)


@pytest.fixture
def nano(tmp_path):
    """The last of nano-base -> nano-python -> nano-my-code."""
    return _write_lineage(tmp_path)
