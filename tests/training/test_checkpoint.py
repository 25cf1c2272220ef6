"""Which checkpoint counts: whole ones, the newest of them."""

import json
from pathlib import Path

from finetune.run_folder import sha256_of
from finetune.training.checkpoint import is_whole, newest_checkpoint


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
