"""A merge that ends early leaves nothing under its name, and the next one is not disturbed."""

import hashlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from finetune.errors import Failed
from finetune.merging import tensors
from finetune.models import load
from finetune.run_folder import read_json
from tests.merging.made import merged

ROOT = Path(__file__).parent.parent.parent
SHARD = 20_000
MERGE = f"""
import os, resource, signal, sys
from pathlib import Path
from finetune.merging import tensors
from finetune.run_folder import RunFolder
from tests.merging.made import merged

written, save_tensors = [], tensors.save_tensors

def save(sources, planned, file):
    save_tensors(sources, planned, file)
    written.extend([file] if file.name.startswith("model-") else [])
    if len(written) == 2 and sys.argv[2] == "kill":
        with file.open("r+b") as half:
            half.truncate(file.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)

tensors.save_tensors = save
shard = {SHARD}
if sys.argv[2] != "kill":
    shard = 10**6
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
merged(RunFolder(Path(sys.argv[1])), shard=shard)
"""


def merge_elsewhere(run, how):
    command = [sys.executable, "-c", MERGE, str(run.path), how]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def digests(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_a_merge_that_was_killed_is_not_there_and_the_next_is_as_if_it_never_was(run):
    done = merge_elsewhere(run, "kill")
    assert done.returncode == -9, done.stderr
    assert not run.merged.exists()
    half = list((run.path / ".merged.partial").glob("*.safetensors"))
    assert len(half) == 2
    merged(run, shard=SHARD)
    again = digests(run.merged)
    assert not (run.path / ".merged.partial").exists()
    merged(run, shard=SHARD)
    assert digests(run.merged) == again


def test_a_merge_that_was_killed_leaves_an_earlier_one_as_it_was(run):
    merged(run)
    before = digests(run.merged)
    assert merge_elsewhere(run, "kill").returncode == -9
    assert digests(run.merged) == before


@pytest.mark.parametrize("limit", ["9000", "90000"], ids=["logits", "weights"])
def test_a_file_that_cannot_be_written_fails_the_merge_and_leaves_nothing(run, limit):
    done = merge_elsewhere(run, limit)
    assert done.returncode == 1
    assert "finetune.errors.Failed" in done.stderr
    assert "could not be written" in done.stderr
    assert [path.name for path in run.path.iterdir() if "merged" in path.name] == []


def test_a_merge_that_the_disk_cannot_hold_is_not_begun(run, monkeypatch):
    monkeypatch.setattr(tensors, "disk_usage", lambda _: SimpleNamespace(free=1_000))
    with pytest.raises(Failed, match=r"takes 0\.0 GB, and 0\.0 GB are free"):
        merged(run)
    assert [path.name for path in run.path.iterdir() if "merged" in path.name] == []


def test_a_merge_in_several_files_has_an_index_of_all_of_them(run):
    proof = merged(run, shard=SHARD)
    files = sorted(run.merged.glob("*.safetensors"))
    assert len(files) > 2
    assert all(file.stat().st_size <= 2 * SHARD for file in files)
    index = read_json(run.merged / "model.safetensors.index.json")
    assert set(index["weight_map"].values()) == {file.name for file in files}
    assert len(index["weight_map"]) == proof.compared_tensors
    assert index["metadata"]["total_size"] == 4 * sum(
        kind["tensors"] * _numbers(kind["shape"]) for kind in proof.shapes.values()
    )


def test_a_file_holds_five_gigabytes_at_most():
    assert load.SHARD_SIZE == "5GB"


def _numbers(shape):
    count = 1
    for size in shape:
        count *= size
    return count
