"""Writes that are whole or not there, digests, and one writer per run."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest

from finetune.errors import UserError
from finetune.run_folder import (
    RunFolder,
    digest_of,
    locked,
    read_json,
    read_lines,
    sha256_of,
    whole_folder,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail_half_way(target, name):
    with whole_folder(target) as folder:
        (folder / name).write_text("half")
        raise RuntimeError


def test_naming_the_files_of_a_run_creates_nothing(tmp_path):
    run = RunFolder(tmp_path / "mine")
    assert run.name == "mine"
    assert run.merge_proof == tmp_path / "mine" / "merged" / "merge.json"
    assert list(tmp_path.iterdir()) == []


def test_a_text_is_written_with_its_folders_and_nothing_beside_it(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "é\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"\xc3\xa9\n"
    assert names(tmp_path / "a") == ["b.txt"]


def test_a_text_that_cannot_be_written_leaves_the_old_one(tmp_path):
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "new \udc00")
    assert file.read_text() == "old"


def test_json_comes_back_as_it_was(tmp_path):
    value = {"é": [1, 2.5, None, True]}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value


def test_json_lines_are_read_one_object_each(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    assert read_lines(tmp_path / "a.jsonl") == [{"a": 1}, {"a": 2}]


def test_a_whole_folder_appears_under_its_name_at_the_end(tmp_path):
    target = tmp_path / "model"
    with whole_folder(target) as folder:
        (folder / "a").write_text("new")
        assert not target.exists()
    assert (target / "a").read_text() == "new"
    assert names(tmp_path) == ["model"]


def test_a_whole_folder_replaces_the_old_one_with_all_its_files(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "stale").write_text("old")
    with whole_folder(target) as folder:
        (folder / "a").write_text("new")
        assert names(target) == ["stale"]
    assert names(target) == ["a"]
    assert names(tmp_path) == ["model"]


def test_an_exception_inside_a_whole_folder_leaves_the_old_one(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(RuntimeError):
        fail_half_way(target, "a")
    assert (target / "a").read_text() == "old"


def test_what_a_failed_attempt_left_is_not_in_the_next_one(tmp_path):
    target = tmp_path / "model"
    with pytest.raises(RuntimeError):
        fail_half_way(target, "stale")
    assert not target.exists()
    with whole_folder(target) as folder:
        (folder / "a").write_text("new")
    assert names(target) == ["a"]
    assert names(tmp_path) == ["model"]


def test_a_files_digest_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_equal_values_have_one_digest_whatever_their_order():
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})


def test_other_values_have_another_digest():
    digests = {digest_of(value) for value in ({"a": 1}, {"a": 2}, {"a": "1"}, [], "")}
    assert len(digests) == 5


HOLD = """
import sys
from pathlib import Path
from finetune.run_folder import RunFolder, locked
with locked(RunFolder(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the run `mine`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "mine")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_run_that_another_process_holds_is_refused(holder, tmp_path):
    with (
        pytest.raises(UserError, match="mine: another process is working on this run"),
        locked(RunFolder(tmp_path / "mine")),
    ):
        pytest.fail("two processes hold one run")


def test_another_run_is_free_meanwhile(holder, tmp_path):
    with locked(RunFolder(tmp_path / "other")):
        pass


def test_a_process_that_is_killed_holds_nothing(holder, tmp_path):
    holder.kill()
    holder.wait()
    with locked(RunFolder(tmp_path / "mine")):
        pass


def test_a_run_is_free_again_after_an_error(tmp_path):
    run = RunFolder(tmp_path / "mine")
    with pytest.raises(RuntimeError), locked(run):
        raise RuntimeError
    with locked(run):
        pass


def test_a_folder_that_failed_leaves_nothing_aside(tmp_path):
    def fill(folder):
        (folder / "weights").write_bytes(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError), whole_folder(tmp_path / "merged") as folder:
        fill(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
    (tmp_path / ".merged.old").mkdir()
    (tmp_path / ".merged.old" / "weights").write_bytes(b"old")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "merged"):
        raise RuntimeError
    assert (tmp_path / "merged" / "weights").read_bytes() == b"old"


def test_a_whole_folder_is_readable_by_others(tmp_path):
    with whole_folder(tmp_path / "merged") as folder:
        (folder / "weights").touch(mode=0o600)
    assert (tmp_path / "merged" / "weights").stat().st_mode & 0o077


def test_a_lock_does_not_live_on_in_a_child(tmp_path):
    """A manager or worker that was forked may outlive a parent that was killed."""
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    said, says = os.pipe()
    with locked(run):
        child = os.fork()
        if child == 0:
            os.write(says, b"!")
            time.sleep(20)
            os._exit(0)
        os.read(said, 1)  # the child is on its way
    try:
        with locked(run):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(said)
        os.close(says)
