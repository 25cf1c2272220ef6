"""Real launches and what they leave: started as a person would, waited for, compared."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from tests.training.conftest import losses_of

ROOT = Path(__file__).parent.parent.parent
LOSS_TOLERANCE = 1e-5
MEAN_TOLERANCE = 1e-6
WEIGHT_TOLERANCE = 1e-4
"""In fp32, where engines differ by the order of additions alone: losses were measured within 2e-8
at most and 1e-9 in the mean, weights within 2e-6."""

Process = subprocess.Popen[str]


def by_hand(
    config: str,
    recipe: Path,
    runs: Path,
    *overrides: str,
    options: tuple[str, ...] = ("--main_process_port", "0"),
    stderr: int = subprocess.STDOUT,
) -> Process:
    """`accelerate launch` as a person types it in the checkout's folder."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "accelerate.commands.launch"),
            *("--config_file", f"deepspeed_configs/{config}.yaml"),
            *options,
            *("recipes/train.py", str(recipe), *overrides, "--runs", str(runs)),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "60"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )


def ended(process: Process, *codes: int, seconds: float = 560) -> str:
    """What a process said, once it has ended with one of `codes`."""
    said, _ = process.communicate(timeout=seconds)
    assert process.returncode in codes, said
    return said


def curve_difference(run: Path, other: Path, steps: int = 10) -> tuple[float, float]:
    """Largest difference of two loss curves, and the mean with its sign: a drift."""
    mine, theirs = losses_of(run), losses_of(other)
    assert list(mine) == list(theirs) == list(range(1, steps + 1))
    differences = [mine[step] - theirs[step] for step in mine]
    return max(map(abs, differences)), sum(differences) / len(differences)


def assert_same_curve(run: Path, other: Path, steps: int = 10) -> None:
    largest, mean = curve_difference(run, other, steps)
    assert largest < LOSS_TOLERANCE
    assert abs(mean) < MEAN_TOLERANCE


def weights_of(run: Path) -> Path:
    """The file of what training made."""
    adapter = run / "adapter" / "adapter_model.safetensors"
    return adapter if adapter.is_file() else run / "model" / "model.safetensors"


def assert_close_weights(run: Path, other: Path) -> None:
    mine, theirs = load_file(weights_of(run)), load_file(weights_of(other))
    assert mine.keys() == theirs.keys()
    assert mine
    for name, tensor in mine.items():
        assert tensor.numel() > 0
        assert tensor.shape == theirs[name].shape
        assert (tensor - theirs[name]).abs().max() < WEIGHT_TOLERANCE


def same_weights(run: Path, other: Path) -> bool:
    """Whether every bit is the same."""
    mine, theirs = load_file(weights_of(run)), load_file(weights_of(other))
    return mine.keys() == theirs.keys() and all((mine[n] == theirs[n]).all() for n in mine)


def wait_for_step(run: Path, step: int, process: Process) -> None:
    """Until the log has this step. Fails where the process ends before."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[0]
        if (run / "log.jsonl").is_file() and max(steps_so_far(run), default=0) >= step:
            return
        time.sleep(0.002)
    pytest.fail(f"step {step} was not reached")


def steps_so_far(run: Path) -> list[int]:
    """Steps in a log whose last line may still be in the writing."""
    lines = (run / "log.jsonl").read_text().splitlines(keepends=True)
    whole = [json.loads(line) for line in lines if line.endswith("\n")]
    return [line["step"] for line in whole if "loss" in line]


def kill_all(process: Process) -> None:
    """SIGKILL for a command, its launcher and its ranks."""
    for one in [*psutil.Process(process.pid).children(recursive=True), process]:
        os.kill(one.pid, signal.SIGKILL)
    process.communicate()


def rank_process(process: Process, rank: int) -> psutil.Process:
    """The process of one rank below a command."""
    for one in psutil.Process(process.pid).children(recursive=True):
        if one.environ().get("RANK") == str(rank):
            return one
    raise AssertionError(f"no rank {rank}")


def cut_back(run: Path, step: int, target: Path) -> Path:
    """A copy of a finished run as if it had been stopped behind `step`."""
    shutil.copytree(run, target)
    for path in (target / "checkpoints").glob("step-*"):
        if int(path.name.removeprefix("step-")) > step:
            shutil.rmtree(path)
    for made in ("model", "adapter"):
        shutil.rmtree(target / made, ignore_errors=True)
    stages = json.loads((target / "stages.json").read_text())
    del stages["train"]
    (target / "stages.json").write_text(json.dumps(stages))
    return target
