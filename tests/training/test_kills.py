"""SIGKILL in the middle of a run, and inside a checkpoint: the weights of an unbroken run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.training.conftest import losses_of

CHECKPOINT_WRITES = {
    "after the weights, before the optimiser": ("torch.save", 1),
    "inside the second file": ("torch.save", 2),
    "before the listing of digests": ("finetune.training.checkpoint.sync_tree", 1),
}
"""Where the process kills itself: the call, and which time it is made in the second checkpoint."""

KILL_INSIDE = """
import os, signal, sys
import finetune.training.checkpoint as checkpoint
import torch

saves, calls = 0, 0
whole_save = checkpoint.save_checkpoint

def counted(*arguments, **keywords):
    global saves, calls
    saves, calls = saves + 1, 0
    return whole_save(*arguments, **keywords)

def deadly(function):
    def call(*arguments, **keywords):
        global calls
        calls += 1
        if saves == 2 and calls == {number}:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **keywords)
    return call

checkpoint.save_checkpoint = counted
{target} = deadly({target})
import finetune.training.checkpoint
from finetune.training.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def same_weights(one: Path, other: Path) -> bool:
    mine, theirs = load_file(one), load_file(other)
    return mine.keys() == theirs.keys() and all((mine[n] == theirs[n]).all() for n in mine)


def wait_for_step(run: Path, step: int, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[0]
        if (run / "log.jsonl").is_file() and max(losses_of_partial(run), default=0) >= step:
            return
        time.sleep(0.002)
    pytest.fail(f"step {step} was not reached")


def losses_of_partial(run: Path) -> list[int]:
    """Steps in a log whose last line may still be in the writing."""
    lines = (run / "log.jsonl").read_text().splitlines(keepends=True)
    whole = [json.loads(line) for line in lines if line.endswith("\n")]
    return [line["step"] for line in whole if "loss" in line]


def test_a_run_killed_between_checkpoints_ends_with_the_same_weights(start, train, runs, unbroken):
    process = start("train")
    wait_for_step(runs / "tiny", 5, process)
    kill_all(process)
    assert not (runs / "tiny" / "model").exists()
    assert "resumed from step-" in train()
    assert same_weights(
        runs / "tiny" / "model" / "model.safetensors", unbroken() / "model" / "model.safetensors"
    )


def kill_all(process: "subprocess.Popen[str]") -> None:
    """SIGKILL for the command, its launcher and the training process."""
    found = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    parents = {int(a): int(b) for a, b in (line.split() for line in found.stdout.splitlines()[1:])}
    doomed = {process.pid}
    while grown := {child for child, parent in parents.items() if parent in doomed} - doomed:
        doomed |= grown
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("where", CHECKPOINT_WRITES)
def test_a_run_killed_inside_a_checkpoint_ends_with_the_same_weights(
    where, recipe, train, runs, unbroken
):
    target, number = CHECKPOINT_WRITES[where]
    program = KILL_INSIDE.format(
        number=number, target=target.replace("finetune.training.checkpoint", "checkpoint")
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, str(recipe), "--runs", str(runs)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL
    checkpoints = runs / "tiny" / "checkpoints"
    assert [path.name for path in checkpoints.glob("step-*")] == ["step-2"]
    assert [path.name for path in checkpoints.glob(".*")] == [".step-4.partial"]
    assert "resumed from step-2" in train()
    assert same_weights(
        runs / "tiny" / "model" / "model.safetensors", unbroken() / "model" / "model.safetensors"
    )
    assert losses_of(runs / "tiny") == losses_of(unbroken())


@pytest.mark.parametrize("workers", [0, 2])
def test_sigterm_saves_and_ends_with_143(start, train, runs, unbroken, workers):
    """It resumes in the training process itself, with other micro-batches too."""
    process = start("train", f"train.workers={workers}")
    wait_for_step(runs / "tiny", 1, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert not holds_lock(runs / "tiny")  # no rank is left behind, still saving
    stopped_at = losses_of_partial(runs / "tiny")[-1]
    process.communicate()
    assert stopped_at < 10
    assert f"resumed from step-{stopped_at}" in train()
    assert same_weights(
        runs / "tiny" / "model" / "model.safetensors", unbroken() / "model" / "model.safetensors"
    )


def test_a_run_killed_with_workers_goes_on_with_others_and_other_micro_batches(
    start, train, runs, unbroken
):
    process = start("train", "train.workers=2")
    wait_for_step(runs / "tiny", 3, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    train("train.workers=1", "train.micro_batch=4")
    resumed, whole = losses_of(runs / "tiny"), losses_of(unbroken())
    assert resumed.keys() == whole.keys()
    assert all(abs(resumed[step] - whole[step]) < 1e-4 for step in whole)


def test_a_training_that_lost_its_parent_stops_by_itself(start, train, runs):
    process = start("train")
    wait_for_step(runs / "tiny", 1, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 30
    while time.monotonic() < until and holds_lock(runs / "tiny"):
        time.sleep(0.1)
    assert not holds_lock(runs / "tiny")
    process.communicate()
    train()


def holds_lock(run: Path) -> bool:
    import fcntl

    with (run / ".train.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_changed_key_is_named_when_an_interrupted_run_goes_on(start, train, runs):
    process = start("train")
    wait_for_step(runs / "tiny", 3, process)
    kill_all(process)
    output = train("train.learning_rate=2e-3", code=2)
    assert "train.learning_rate changed since `train` ran" in output
    assert "--redo train" in output


def test_a_base_that_changed_under_an_interrupted_run_is_refused(start, train, runs):
    process = start("train")
    wait_for_step(runs / "tiny", 3, process)
    kill_all(process)
    weights = runs / "tiny" / "base" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "base changed since `train` ran" in train(code=2)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(train, runs):
    output = train(
        "train.learning_rate=1e30", "train.clip=1e30", "train.checkpoint_every=1", code=1
    )
    assert "the loss is nan" in output or "the loss is inf" in output
    assert list((runs / "tiny" / "checkpoints").glob("step-*"))
