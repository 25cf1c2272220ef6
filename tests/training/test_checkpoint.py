"""Which checkpoint counts, what is kept of them, and what a full disk leaves."""

import json
import os
import resource
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from finetune.errors import Failed, UserError
from finetune.training.checkpoint import (
    FORMAT,
    _rotate,
    complete_checkpoints,
    is_whole,
    load_checkpoint,
    newest_checkpoint,
    save_checkpoint,
)


def write_checkpoint(folder: Path, step: int) -> Path:
    path = folder / f"step-{step}"
    path.mkdir(parents=True)
    (path / "weights").write_bytes(bytes([step]))
    files = {"weights": {"bytes": 1, "sha256": sha256(bytes([step])).hexdigest()}}
    listing = {"format": FORMAT, "step": step, "files": files}
    (path / "checkpoint.json").write_text(json.dumps(listing))
    return path


def test_the_newest_is_by_number_not_by_name(tmp_path):
    write_checkpoint(tmp_path, 9)
    write_checkpoint(tmp_path, 10)
    assert newest_checkpoint(tmp_path) == tmp_path / "step-10"


def test_a_checkpoint_without_its_listing_is_passed_over(tmp_path):
    write_checkpoint(tmp_path, 1)
    (write_checkpoint(tmp_path, 2) / "checkpoint.json").unlink()
    assert newest_checkpoint(tmp_path) == tmp_path / "step-1"


@pytest.mark.parametrize(("content", "looks_complete"), [(b"", False), (b"x", True)])
def test_a_checkpoint_with_another_file_than_it_lists_is_passed_over(
    tmp_path, content, looks_complete
):
    """Sizes show what is cut off without reading; digests show everything."""
    write_checkpoint(tmp_path, 1)
    (write_checkpoint(tmp_path, 2) / "weights").write_bytes(content)
    assert newest_checkpoint(tmp_path) == tmp_path / "step-1"
    first = next(complete_checkpoints(tmp_path))
    assert first.name == ("step-2" if looks_complete else "step-1")


def test_a_checkpoint_with_a_missing_file_is_not_whole(tmp_path):
    path = write_checkpoint(tmp_path, 3)
    (path / "weights").unlink()
    assert not is_whole(path)


def test_a_folder_still_being_written_does_not_count(tmp_path):
    write_checkpoint(tmp_path, 4).rename(tmp_path / ".step-4.partial")
    assert newest_checkpoint(tmp_path) is None


def test_no_folder_means_no_checkpoint(tmp_path):
    assert newest_checkpoint(tmp_path / "checkpoints") is None


def test_a_listing_cut_off_in_the_middle_is_passed_over(tmp_path):
    write_checkpoint(tmp_path, 1)
    listing = write_checkpoint(tmp_path, 2) / "checkpoint.json"
    listing.write_text(listing.read_text()[:-5])
    assert newest_checkpoint(tmp_path) == tmp_path / "step-1"


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    listing = write_checkpoint(tmp_path, 2) / "checkpoint.json"
    listing.write_text(json.dumps({**json.loads(listing.read_text()), "format": FORMAT + 1}))
    with pytest.raises(UserError, match="written by another version"):
        newest_checkpoint(tmp_path)


def test_rotation_keeps_the_newest_and_clears_leftovers(tmp_path):
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, step)
    (tmp_path / ".step-2.partial").mkdir()
    _rotate(tmp_path, 3, keep=2, best=0)
    assert {path.name for path in tmp_path.iterdir()} == {"step-2", "step-3"}


def test_rotation_keeps_the_best(tmp_path):
    for step in (1, 2, 3, 4):
        write_checkpoint(tmp_path, step)
    _rotate(tmp_path, 4, keep=1, best=2)
    assert {path.name for path in tmp_path.iterdir()} == {"step-2", "step-4"}


def test_rotation_never_counts_a_checkpoint_beyond_the_step_just_saved(tmp_path):
    """Step 9 was broken, so the run went on from an earlier one and has now saved step 4."""
    write_checkpoint(tmp_path, 4)
    write_checkpoint(tmp_path, 9)
    _rotate(tmp_path, 4, keep=1, best=0)
    assert [path.name for path in tmp_path.iterdir()] == ["step-4"]


class Training:
    """A matrix and a frozen one under AdamW, as Accelerate prepares them."""

    def __init__(self, seed: int = 0) -> None:
        from accelerate import Accelerator

        torch.manual_seed(seed)
        self.accelerator = Accelerator(cpu=True)
        model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Linear(64, 2))
        model[1].requires_grad_(requires_grad=False)
        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=0.1)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)

    def step(self) -> None:
        self.model(torch.randn(4, 64)).square().sum().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def save(self, folder: Path, step: int) -> Path:
        state = {"step": step}
        return save_checkpoint(folder, step, **self.parts(), state=state, keep=9)

    def parts(self) -> dict[str, object]:
        return {"accelerator": self.accelerator, "model": self.model, "optimizer": self.optimizer}


def test_what_was_saved_goes_on_as_it_would_have(tmp_path):
    """Weights, moments, count of steps and random numbers: the next steps are the same."""
    one, other = Training(), Training(seed=1)
    for _ in range(3):
        one.step()
    path = one.save(tmp_path, 3)
    other.model[1].load_state_dict(one.model[1].state_dict())  # frozen: of the base, not saved
    for _ in range(2):
        one.step()
    assert load_checkpoint(path, **other.parts())["step"] == 3
    for _ in range(2):
        other.step()
    assert torch.equal(one.model[0].weight, other.model[0].weight)
    assert torch.equal(one.model[0].bias, other.model[0].bias)


def test_frozen_weights_are_not_saved(tmp_path):
    path = Training().save(tmp_path, 0)
    assert {file.name for file in (path / "weights").iterdir()} == {
        "0.weight.safetensors",
        "0.bias.safetensors",
    }
    assert is_whole(path)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 120 KiB: a checkpoint takes some 60."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def assert_refused_and_the_one_before_kept(training: Training, folder: Path, reason: str) -> None:
    with pytest.raises(Failed) as caught:
        training.save(folder, 2)
    assert "the checkpoint could not be written" in str(caught.value)
    assert reason in str(caught.value)
    assert "step-1 is kept" in str(caught.value)
    assert newest_checkpoint(folder) == folder / "step-1"
    assert [path.name for path in folder.iterdir()] == ["step-1"]


def test_a_full_disk_keeps_the_checkpoint_before_and_nothing_of_the_new_one(small_disk):
    training = Training()
    training.step()
    training.save(small_disk, 1)
    assert_refused_and_the_one_before_kept(training, small_disk, "No space left on device")
    (small_disk / "step-1").rename(small_disk / "step-0")  # else nothing would be refused at all
    with pytest.raises(Failed, match="No space left on device"):
        training.save(small_disk, 2)


def test_a_file_that_may_not_grow_keeps_the_checkpoint_before(tmp_path):
    training = Training()
    training.step()
    training.save(tmp_path, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        assert_refused_and_the_one_before_kept(training, tmp_path, os.strerror(27))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert is_whole(training.save(tmp_path, 2))


def test_a_full_disk_before_the_first_checkpoint_is_said_so(small_disk):
    (small_disk / "filler").write_bytes(bytes(100_000))
    with pytest.raises(Failed, match="there is none before it"):
        Training().save(small_disk, 1)


class TestScale:
    """fp16's loss scale goes from one kind of engine to the other."""

    class OfDeepSpeed:
        dynamic, cur_scale, cur_iter, last_overflow_iter = True, 1024.0, 17, 9

    def test_a_scale_of_deepspeed_goes_on_with_torch(self):
        from types import SimpleNamespace

        from finetune.training.scale import read_scale, write_scale

        scaler = torch.amp.GradScaler("cpu")
        torch_engine = SimpleNamespace(scaler=scaler)
        zero = SimpleNamespace(optimizer=SimpleNamespace(loss_scaler=self.OfDeepSpeed()))
        plain = SimpleNamespace(optimizer=torch.optim.SGD([torch.zeros(1)], lr=1.0))
        stored = read_scale(SimpleNamespace(scaler=None), zero)
        assert stored == {"scale": 1024.0, "steps": 7}  # steps 10 to 16
        write_scale(torch_engine, plain, stored)
        assert read_scale(torch_engine, plain) == stored
        zero.optimizer.loss_scaler = self.OfDeepSpeed()
        write_scale(torch_engine, zero, {"scale": 8.0, "steps": 3})
        assert read_scale(torch_engine, zero) == {"scale": 8.0, "steps": 3}
