"""A folder of benchmarks on the Hub: real downloads by the stock client, known by their hashes."""

import shutil

import pytest

from tests.publishing.pushed import command

RECIPE = """\
name: tuned
base: ./model
data:
  sources:
    - {format: source_code, path: src}
  curate: {decontaminate: [humaneval]}
sequences: {length: 64}
train: {tokens: 256, batch_tokens: 128}
evaluate: {benchmarks: "hf://datasets/acme/benchmarks", tasks: [{name: mbpp, problems: 2}]}
"""
FILES = ("humaneval/HumanEval.jsonl.gz", "mbpp/mbpp.jsonl")


@pytest.fixture
def benchmarks(tmp_path, shared):
    """Two benchmarks as the folder holds them, and a file that is none."""
    folder = tmp_path / "benchmarks"
    for file in FILES:
        (folder / file).parent.mkdir(parents=True)
        shutil.copy(shared / "data" / "benchmarks" / file, folder / file)
    (folder / "other.bin").write_bytes(b"0" * 9)
    return folder


@pytest.fixture
def check(tmp_path, hub, model_folder):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x = 1\n")
    (tmp_path / "r.yaml").write_text(RECIPE)
    return lambda *arguments: command(tmp_path, hub, "check", "r.yaml", *arguments)


def test_known_files_are_fetched_and_nothing_else(hub, benchmarks, check, tmp_path):
    hub.store.add_model("acme/benchmarks", benchmarks)
    ran = check("--online")
    assert ran.code == 0, ran.err
    assert "mbpp: 2 problems" in ran.out
    snapshots = tmp_path / "hf" / "hub" / "datasets--acme--benchmarks" / "snapshots"
    names = {path.relative_to(path.parents[1]).as_posix() for path in snapshots.glob("*/*/*")}
    assert names == set(FILES)
    assert not list(snapshots.glob("*/other.bin"))


def test_without_a_network_they_are_told_as_missing_and_then_found(hub, benchmarks, check):
    hub.store.add_model("acme/benchmarks", benchmarks)
    before = len(hub.calls.seen)
    ran = check()
    assert ran.code == 0, ran.err
    assert "hf://datasets/acme/benchmarks: is not here yet" in ran.out
    assert len(hub.calls.seen) == before
    check("--online")
    online = len(hub.calls.seen)
    assert "mbpp: 2 problems" in check().out
    assert len(hub.calls.seen) == online


def test_a_changed_benchmark_is_refused(hub, benchmarks, check):
    with (benchmarks / FILES[1]).open("a") as file:
        file.write("\n")
    hub.store.add_model("acme/benchmarks", benchmarks)
    ran = check("--online")
    assert ran.code == 2
    assert "is not the file that the benchmark is known by" in ran.err


def test_a_repository_without_benchmarks_is_refused(hub, check, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README.md").write_text("x")
    hub.store.add_model("acme/benchmarks", tmp_path / "empty")
    ran = check("--online")
    assert ran.code == 2
    assert "holds none of the files that benchmarks are known by" in ran.err


def test_a_missing_repository_is_told_in_one_message(check):
    ran = check("--online")
    assert ran.code == 2
    assert "acme/benchmarks: as benchmarks: cannot be fetched" in ran.message
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "address", ["hf://acme/benchmarks", "hf://datasets/acme", "hf://datasets/a/b--c"]
)
def test_what_is_no_address_is_refused(check, address):
    ran = check(f"evaluate.benchmarks={address}")
    assert ran.code == 2
    assert "is no folder on the Hub; write hf://datasets/OWNER/NAME" in ran.err
