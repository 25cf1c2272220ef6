"""Real runs of a very small model: prepared once, copied for each test, started as a user would."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

RECIPE = """\
name: tiny
base:
  scratch: {layers: 2, width: 64, heads: 1, positions: 128, vocabulary: 512, licence: apache-2.0}
data:
  sources:
    - {format: source_code, package: json, language: python}
    - {format: source_code, package: email, language: python}
  holdout: 0.1
sequences: {length: 128}
tune: {method: full}
train:
  tokens: 10240
  batch_tokens: 1024
  micro_batch: 2
  learning_rate: 1e-3
  precision: fp32
  validate_every: 5
  validation_tokens: 512
  checkpoint_every: 2
evaluate: {infilling_problems: 4, loss_tokens: 1024}
"""
LORA = "tune={method: lora, rank: 4, alpha: 8}"
FINETUNE = (sys.executable, "-c", "import sys; from finetune.cli import main; sys.exit(main())")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe of a two-layer model, ten steps of eight blocks."""
    file = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    file.write_text(RECIPE)
    return file


@pytest.fixture(scope="session")
def prepared(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder after `finetune prepare`; not to be changed."""
    runs = tmp_path_factory.mktemp("prepared")
    subprocess.run([*FINETUNE, "prepare", str(recipe), "--runs", str(runs)], check=True)
    return runs / "tiny"


@pytest.fixture
def runs(prepared: Path, tmp_path: Path) -> Path:
    """A folder of runs that holds the prepared run `tiny`."""
    shutil.copytree(prepared, tmp_path / "runs" / "tiny")
    return tmp_path / "runs"


@pytest.fixture
def start(recipe: Path, runs: Path) -> Start:
    """Start `finetune COMMAND tiny.yaml ...` in a process group of its own."""

    def started(command: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*FINETUNE, command, str(recipe), *arguments, "--runs", str(runs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            start_new_session=True,
        )

    return started


@pytest.fixture
def train(start: Start) -> Callable[..., str]:
    """Run `finetune train` to its end; its output."""

    def trained(*arguments: str, code: int = 0) -> str:
        process = start("train", *arguments)
        output, _ = process.communicate(timeout=560)
        assert process.returncode == code, output
        return output

    return trained


@pytest.fixture(scope="session")
def unbroken(
    recipe: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """The run folder of an uninterrupted run in one process, made once per set of overrides."""
    made: dict[tuple[str, ...], Path] = {}

    def run(*overrides: str) -> Path:
        if overrides not in made:
            folder = tmp_path_factory.mktemp("unbroken")
            shutil.copytree(prepared, folder / "tiny")
            command = [*FINETUNE, "train", str(recipe), *overrides, "--runs", str(folder)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            subprocess.run(command, check=True, env=environment, timeout=300)
            made[overrides] = folder / "tiny"
        return made[overrides]

    return run


@pytest.fixture
def stopped(runs: Path, unbroken: Callable[..., Path]) -> Path:
    """The run `tiny` as if it had been stopped behind its eighth step; one process began it."""
    from tests.training.launched import cut_back

    shutil.rmtree(runs / "tiny")
    return cut_back(unbroken(), 8, runs / "tiny")


def losses_of(run: Path) -> dict[int, float]:
    """Training loss by step."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}
