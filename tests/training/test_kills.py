"""SIGKILL in the middle of a run, and inside a checkpoint: the weights of an unbroken run."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.conftest import losses_of
from tests.training.launched import (
    kill_all,
    same_weights,
    steps_so_far,
    wait_for_step,
)

CHECKPOINT_WRITES = {
    "inside a weight": "transformer.h.1.ln_1.bias",
    "inside the state of the random numbers": "rng-0",
    "inside the listing of digests": "checkpoint.json",
    "before it gets its name": "",
}
"""Where the process kills itself: half way through this file of the second checkpoint."""

KILL_INSIDE = """
import os, signal, sys
import finetune.training.checkpoint as checkpoint

saves = 0
whole_save, whole_write = checkpoint.save_checkpoint, checkpoint.write_synced

def counted(*arguments, **keywords):
    global saves
    saves += 1
    return whole_save(*arguments, **keywords)

def deadly_write(path, content):
    if saves == 2 and {name!r} and path.name.startswith({name!r}):
        path.write_bytes(content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return whole_write(path, content)

def deadly_sync(folder):
    if saves == 2:
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint.save_checkpoint, checkpoint.write_synced = counted, deadly_write
checkpoint.sync_folder = deadly_sync
from finetune.training.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def start_rank(recipe: Path, runs: Path, *overrides: str) -> "subprocess.Popen[str]":
    """One process of training, without a launcher."""
    return subprocess.Popen(
        [sys.executable, "-m", "finetune.training", str(recipe), *overrides, "--runs", str(runs)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_a_run_killed_between_checkpoints_ends_with_the_same_weights(start, train, runs, unbroken):
    process = start("train")
    wait_for_step(runs / "tiny", 5, process)
    kill_all(process)
    assert not (runs / "tiny" / "model").exists()
    assert "resumed from step-" in train()
    assert same_weights(runs / "tiny", unbroken())


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(where, marks=pytest.mark.slow) if "random" in where else where
        for where in CHECKPOINT_WRITES
    ],
)
def test_a_run_killed_inside_a_checkpoint_ends_with_the_same_weights(where, recipe, runs, unbroken):
    program = KILL_INSIDE.format(name=CHECKPOINT_WRITES[where])
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
    process = start_rank(recipe, runs)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "resumed from step-2" in said
    assert same_weights(runs / "tiny", unbroken())
    assert losses_of(runs / "tiny") == losses_of(unbroken())


LONG = ("train.tokens=245760", "train.checkpoint_every=1", "train.validate_every=80")
"""240 steps, a third of whose time goes into checkpoints."""


def newest_step(run: Path) -> int:
    paths = (run / "checkpoints").glob("step-*")
    return max((int(path.name.removeprefix("step-")) for path in paths), default=0)


def kill_at_random(recipe: Path, runs: Path, draw: random.Random) -> bool:
    """Start, and kill: one time in five while it starts, else soon behind its first checkpoint.

    Returns whether it died inside a checkpoint.
    """
    began, before = time.time(), newest_step(runs / "tiny")
    process = start_rank(recipe, runs, *LONG)
    if draw.random() < 0.2:
        time.sleep(draw.uniform(0.0, 8.0))
    else:
        until = time.monotonic() + 120
        while newest_step(runs / "tiny") == before and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.002)
        time.sleep(draw.uniform(0.0, 0.4))
    assert process.poll() is None, process.communicate()[0]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    partial = (runs / "tiny" / "checkpoints").glob(".step-*.partial")
    return any(path.stat().st_ctime > began for path in partial)


@pytest.mark.slow
def test_twenty_kills_at_random_leave_the_weights_of_an_unbroken_run(recipe, runs, unbroken):
    draw, run, inside = random.Random(20), runs / "tiny", 0
    for _ in range(20):
        inside += kill_at_random(recipe, runs, draw)
        assert not (run / "model").exists(), "the run was over before it was killed"
    process = start_rank(recipe, runs, *LONG)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    print(f"{inside} of 20 kills came inside a checkpoint")
    assert inside >= 3, "else nothing was shown of kills inside a checkpoint"
    assert same_weights(run, unbroken(*LONG))
    assert losses_of(run) == losses_of(unbroken(*LONG))


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_sigterm_saves_and_ends_with_143(start, train, runs, unbroken, workers):
    """It resumes in the training process itself, with other micro-batches too."""
    process = start("train", f"train.workers={workers}")
    wait_for_step(runs / "tiny", 1, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143
    assert not holds_lock(runs / "tiny")  # no rank is left behind, still saving
    stopped_at = steps_so_far(runs / "tiny")[-1]
    process.communicate()
    assert stopped_at < 10
    assert f"resumed from step-{stopped_at}" in train()
    assert same_weights(runs / "tiny", unbroken())


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


def test_a_training_that_lost_its_parent_stops_by_itself(start, runs):
    process = start("train")
    wait_for_step(runs / "tiny", 1, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 30
    while time.monotonic() < until and holds_lock(runs / "tiny"):
        time.sleep(0.1)
    assert not holds_lock(runs / "tiny")
    process.communicate()
    assert not (runs / "tiny" / "model").exists()


def holds_lock(run: Path) -> bool:
    import fcntl

    with (run / ".train.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_changed_key_is_named_when_an_interrupted_run_goes_on(stopped, train):
    output = train("train.learning_rate=2e-3", code=2)
    assert "train.learning_rate changed since `train` ran" in output
    assert "--redo train" in output


def test_a_base_that_changed_under_an_interrupted_run_is_refused(stopped, train):
    weights = stopped / "base" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "base changed since `train` ran" in train(code=2)
