"""What goes wrong in a run ends it with one clear message, and keeps what was saved."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.errors import UserError
from finetune.recipe import load_recipe
from finetune.run_folder import RunFolder
from finetune.training.basis import training_basis
from finetune.training.checkpoint import newest_checkpoint
from tests.training.launched import (
    assert_same_curve,
    rank_process,
    same_weights,
    steps_so_far,
    wait_for_step,
)

pytestmark = pytest.mark.slow


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(train, runs):
    output = train(
        "train.learning_rate=1e30",
        "train.clip=1e30",
        "train.checkpoint_every=1",
        "--despite-doctor",
        code=1,
    )
    assert "the loss is nan" in output or "the loss is inf" in output
    assert "Traceback" not in output
    assert "is kept; started again, it goes on from there" in output
    assert newest_checkpoint(runs / "tiny" / "checkpoints") is not None


INFINITE = """
import sys, torch
from finetune.training import loop

whole = loop.Trainer._forward_backward

def spoilt(trainer, own, labels):
    tally = whole(trainer, own, labels)
    if trainer.step == 2 and not hasattr(trainer.model, "get_global_grad_norm"):
        next(trainer.model.parameters()).grad[0, 0] = float({value!r})
    return tally

loop.Trainer._forward_backward = spoilt
from finetune.training.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("value", ["inf", pytest.param("nan", marks=pytest.mark.slow)])
def test_a_gradient_that_is_not_finite_is_never_applied(recipe, runs, value):
    """The loss is fine; one number of the third step's gradient is not."""
    program = INFINITE.format(value=value)
    done = subprocess.run(
        [sys.executable, "-c", program, str(recipe), "--runs", str(runs)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"step 3: the norm of the gradient is {value}" in done.stderr
    assert "the newest checkpoint is kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert steps_so_far(runs / "tiny") == [1, 2]
    newest = newest_checkpoint(runs / "tiny" / "checkpoints")
    assert newest is not None
    assert newest.name == "step-2"


@pytest.mark.parametrize("engine", ["ddp", pytest.param("zero3", marks=pytest.mark.slow)])
def test_a_rank_that_is_killed_ends_the_run_which_goes_on_when_started_again(
    engine, start, train, runs, unbroken
):
    process = start("train", f"engine={engine}")
    wait_for_step(runs / "tiny", 5, process)
    rank_process(process, 1).kill()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1, said
    assert "train: rank 1 was killed" in said
    assert "is kept; started again, it goes on from there" in said.splitlines()[-1]
    assert "resumed from step-" in train(f"engine={engine}")
    assert_same_curve(runs / "tiny", unbroken())


def test_data_that_vanishes_during_the_run_is_not_missed(start, runs, unbroken, tmp_path):
    """The token cache is open, and the corpus behind it is not read again."""
    process = start("train", FINETUNE_CACHE=str(tmp_path / "cache"))
    wait_for_step(runs / "tiny", 1, process)
    shutil.rmtree(tmp_path / "cache")
    shutil.rmtree(runs / "tiny" / "corpus")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert same_weights(runs / "tiny", unbroken())


@pytest.mark.parametrize("name", ["train.parquet", "holdout.parquet"])
def test_data_that_vanished_before_the_run_is_named(name, recipe, runs):
    (runs / "tiny" / "corpus" / name).unlink()
    with pytest.raises(UserError) as caught:
        training_basis(load_recipe(recipe, ()).recipe, RunFolder(runs / "tiny"))
    assert f"{name}: gone since `prepare` wrote it" in str(caught.value)
    assert "finetune prepare --redo" in str(caught.value)


@pytest.fixture
def small_disk(runs: Path):
    """Checkpoints have 2.5 MB: one takes 1.7."""
    folder = runs / "tiny" / "checkpoints"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2500k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ddp", "zero2"])
def test_a_full_disk_ends_all_ranks_and_keeps_the_checkpoint_before(
    engine, train, runs, small_disk
):
    output = train(f"engine={engine}", code=1)
    assert "train: the checkpoint could not be written: " in output
    assert "No space left on device; step-2 is kept" in output
    assert "Traceback" not in output
    assert [path.name for path in small_disk.iterdir()] == ["step-2"]
    assert newest_checkpoint(small_disk) == small_disk / "step-2"
    assert steps_so_far(runs / "tiny") == [1, 2, 3, 4]


@pytest.mark.slow
def test_sigterm_to_a_bare_launcher_saves_on_all_ranks(recipe, runs, train):
    import signal

    from tests.training.launched import by_hand, ended

    process = by_hand("cpu_ddp", recipe, runs, "engine=ddp")
    wait_for_step(runs / "tiny", 3, process)
    process.send_signal(signal.SIGTERM)
    said = ended(process, 1, seconds=120)  # the launcher turns any code into 1
    assert "stopped by SIGTERM; step-" in said
    assert "resumed from step-" in train("engine=ddp")
