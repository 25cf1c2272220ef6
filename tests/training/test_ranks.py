"""What ranks tell of their ends, and which of it the command repeats."""

import os
import subprocess
import sys

import pytest

from finetune.errors import Failed, UserError
from finetune.training.launch import Outcome, _outcome, raise_for
from finetune.training.ranks import VARIABLE, End, Watch, announce, tell


@pytest.fixture
def as_rank(tmp_path, monkeypatch):
    """Run as a rank of a launch that is being watched."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))

    def become(rank):
        monkeypatch.setenv("RANK", str(rank))

    return become


def dead_rank(folder, rank):
    """A process that says who it is, and is killed."""
    program = "import os; from finetune.training.ranks import announce; announce(); os.abort()"
    environment = {**os.environ, VARIABLE: str(folder), "RANK": str(rank)}
    subprocess.run(
        [sys.executable, "-c", program], env=environment, check=False, capture_output=True
    )


def watched(folder):
    watch = Watch(folder)
    watch.look()
    return watch


def test_without_a_watcher_nothing_is_told(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    announce()
    assert tell(End(code=1, message="x")) is False


def test_a_living_rank_is_neither_lost_nor_ended(tmp_path, as_rank):
    as_rank(0)
    announce()
    watch = watched(tmp_path)
    assert watch.living == {0: os.getpid()}
    assert not watch.is_broken


def test_a_rank_that_is_gone_without_a_word_is_lost(tmp_path, as_rank):
    as_rank(0)
    announce()
    dead_rank(tmp_path, 1)
    watch = watched(tmp_path)
    assert watch.lost == [1]
    outcome = _outcome(watch, 1, is_terminated=False)
    assert outcome.code == 1
    assert "rank 1 was killed" in outcome.message


def test_what_follows_from_a_killed_rank_is_told_behind_it(tmp_path, as_rank):
    dead_rank(tmp_path, 1)
    as_rank(0)
    tell(End(code=1, message="RuntimeError: connection closed", traceback="long"))
    outcome = _outcome(watched(tmp_path), 1, is_terminated=False)
    assert outcome.message.splitlines()[0].startswith("rank 1 was killed")
    assert outcome.message.splitlines()[1] == "rank 0: RuntimeError: connection closed"


def test_ranks_that_are_killed_because_one_failed_are_not_the_reason(tmp_path, as_rank):
    as_rank(0)
    tell(End(code=2, message="mend this"))
    watch = watched(tmp_path)
    dead_rank(tmp_path, 1)
    watch.look()
    assert watch.lost == [1]
    assert _outcome(watch, 1, is_terminated=False) == Outcome(code=2, message="mend this")


def test_of_several_failures_the_first_is_told(tmp_path, as_rank):
    as_rank(3)
    tell(End(code=1, message="first"))
    as_rank(0)
    tell(End(code=1, message="second"))
    assert _outcome(watched(tmp_path), 0, is_terminated=False).message == "rank 3: first"


def test_what_all_ranks_tell_is_told_once_and_of_no_rank(tmp_path, as_rank):
    for rank in (1, 0):
        as_rank(rank)
        tell(End(code=1, message="the disk is full"))
    assert _outcome(watched(tmp_path), 0, is_terminated=False).message == "the disk is full"


def test_all_done_is_done_and_stopped_is_stopped(tmp_path, as_rank):
    as_rank(0)
    tell(End(code=0))
    assert _outcome(watched(tmp_path), 0, is_terminated=False) == Outcome(code=0)
    tell(End(code=143, message="step-3 is saved"))
    stopped = Outcome(code=143, message="step-3 is saved")
    assert _outcome(watched(tmp_path), 0, is_terminated=False) == stopped
    assert _outcome(watched(tmp_path), 0, is_terminated=True) == stopped


def test_a_launcher_that_ends_badly_before_its_ranks_begin_is_a_failure(tmp_path):
    outcome = _outcome(watched(tmp_path), 1, is_terminated=False)
    assert outcome == Outcome(code=1, message="the launcher ended with 1; its words stand above")


def test_each_outcome_is_raised_as_what_it_is(capsys):
    raise_for(Outcome(code=0), None)
    with pytest.raises(UserError, match="mend this"):
        raise_for(Outcome(code=2, message="mend this"), None)
    with pytest.raises(Failed, match="step-2 is kept; started again"):
        raise_for(Outcome(code=1, message="bad"), "step-2")
    with pytest.raises(Failed, match="there is no checkpoint yet"):
        raise_for(Outcome(code=1, message="bad"), None)
    with pytest.raises(SystemExit) as stopped:
        raise_for(Outcome(code=143, message="step-3 is saved"), "step-3")
    assert stopped.value.code == 143
    assert "step-3 is saved" in capsys.readouterr().err
