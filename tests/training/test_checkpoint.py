"""Which checkpoint counts: whole ones, the newest of them."""

import json
from pathlib import Path

import pytest

from finetune.errors import UserError
from finetune.run_folder import sha256_of
from finetune.training.checkpoint import (
    _refuse_other_ranks,
    _rotate,
    is_whole,
    newest_checkpoint,
)


def write_checkpoint(folder: Path, step: int) -> Path:
    path = folder / f"step-{step}"
    path.mkdir(parents=True)
    (path / "weights").write_bytes(bytes([step]))
    files = {"weights": sha256_of(path / "weights")}
    (path / "checkpoint.json").write_text(json.dumps({"step": step, "files": files}))
    return path


def test_the_newest_is_by_number_not_by_name(tmp_path):
    write_checkpoint(tmp_path, 9)
    write_checkpoint(tmp_path, 10)
    assert newest_checkpoint(tmp_path) == tmp_path / "step-10"


def test_a_checkpoint_without_its_listing_is_passed_over(tmp_path):
    write_checkpoint(tmp_path, 1)
    (write_checkpoint(tmp_path, 2) / "checkpoint.json").unlink()
    assert newest_checkpoint(tmp_path) == tmp_path / "step-1"


def test_a_checkpoint_with_a_truncated_file_is_passed_over(tmp_path):
    write_checkpoint(tmp_path, 1)
    (write_checkpoint(tmp_path, 2) / "weights").write_bytes(b"")
    assert newest_checkpoint(tmp_path) == tmp_path / "step-1"


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


def test_rotation_keeps_the_newest_and_clears_leftovers(tmp_path):
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, step)
    (tmp_path / ".step-2.partial").mkdir()
    _rotate(tmp_path, 3, keep=2)
    assert {path.name for path in tmp_path.iterdir()} == {"step-2", "step-3"}


def test_rotation_never_counts_a_checkpoint_beyond_the_step_just_saved(tmp_path):
    """Step 9 was broken, so the run went on from an earlier one and has now saved step 4."""
    write_checkpoint(tmp_path, 4)
    write_checkpoint(tmp_path, 9)
    _rotate(tmp_path, 4, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-4"]


def test_shards_of_another_number_of_ranks_are_refused(tmp_path):
    (tmp_path / "state.json").write_text('{"processes": 4}')
    with pytest.raises(UserError, match="sharded over 4 processes, and 2 were started"):
        _refuse_other_ranks(tmp_path, 2)
