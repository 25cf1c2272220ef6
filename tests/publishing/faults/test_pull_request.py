"""A release proposed to a repository of somebody else: its main stays, one request is opened."""

import itertools

import pytest

from finetune.publishing.artefacts import entries
from tests.hub.faults import CUT, LOST, WRONG, Fault
from tests.hub.store import Stored
from tests.publishing import pushed
from tests.publishing.pushed import TOKEN

OURS = "bob/model"


@pytest.fixture
def repo(hub):
    """A public repository that the token may read and not write, with one file of its own."""
    repo = hub.store.create(OURS, private=False)
    repo.commit("main", repo.main.files | {"old.txt": Stored(b"x")}, "by hand", repo.main.sha)
    return repo


@pytest.fixture
def publish():
    """What the recipe says."""
    return f"{{repo: {OURS}, private: false}}"


@pytest.fixture
def pushable(tmp_path, model_folder, release, publish, monkeypatch):
    stated = pushed.RECIPE.replace(f"{{repo: {pushed.REPO}}}", publish)
    assert publish in stated
    monkeypatch.setattr(pushed, "RECIPE", stated)
    return pushed.make_run(tmp_path, release)


@pytest.fixture
def propose(push):
    return lambda: push("--pull-request")


def proposed(hub, repo, number=1):
    found = hub.store.holds(OURS, f"refs/pr/{number}")
    return {name: data for name, data in found.items() if name != ".gitattributes"}


def contents(folder):
    return {name: (folder / name).read_bytes() for name in entries(folder)}


def test_a_request_holds_exactly_the_release_and_main_stays(propose, hub, repo, pushable):
    before = repo.main.sha
    ran = propose()
    assert ran.code == 0, ran.err
    assert proposed(hub, repo) == contents(pushable.release)
    assert repo.main.sha == before
    assert (repo.tags, list(repo.branches)) == ({}, ["main"])
    assert f"{hub.url}/{OURS}/discussions/1" in ran.out
    assert f"{len(contents(pushable.release))} of them downloaded afresh" in ran.out
    assert "it deletes old.txt" in ran.out


def test_whoever_cannot_write_is_refused_without_it(push, repo):
    ran = push()
    assert ran.code == 2
    assert "403" in ran.message


def test_a_second_push_opens_no_second_request(propose, hub, repo):
    propose()
    hub.calls.reset()
    ran = propose()
    assert ran.code == 0
    assert list(repo.pulls) == ["refs/pr/1"]
    assert (hub.calls.num("commit"), hub.calls.num("put")) == (0, 0)
    assert "/discussions/1" in ran.out


def test_a_closed_request_is_opened_anew(propose, repo):
    propose()
    repo.closed.add("refs/pr/1")
    assert "/discussions/2" in propose().out


def test_another_release_is_another_request(propose, hub, repo, pushable):
    propose()
    card = pushable.release / "README.md"
    card.write_text(card.read_text() + "\nOne more line.\n")
    assert propose().code == 0
    assert proposed(hub, repo, 2) == contents(pushable.release)


def test_a_request_whose_answer_was_lost_is_found(propose, hub, repo):
    hub.calls.faults = [Fault("commit", LOST)]
    ran = propose()
    assert ran.code == 0, ran.err
    assert list(repo.pulls) == ["refs/pr/1"]


SOME = [("commit", 503), ("put", CUT), ("discussions", 403), ("tree", 404)]
EVERY = itertools.product(
    ("discussions", "commit", "batch", "put", "info", "tree"),
    (401, 403, 404, 409, 412, 429, 500, 503, CUT, LOST),
)
REST = [case for case in EVERY if case not in (*SOME, ("commit", LOST))]


@pytest.mark.parametrize(
    ("route", "kind"), [*SOME, *(pytest.param(*case, marks=pytest.mark.slow) for case in REST)]
)
def test_a_fault_ends_in_one_message_and_a_second_run_completes(
    propose, hub, repo, pushable, route, kind
):
    before = repo.main.sha
    hub.calls.faults = [Fault(route, kind, times=99)]
    ran = propose()
    assert ran.code in (1, 2)
    assert OURS in ran.message
    assert "Traceback" not in ran.err
    assert TOKEN not in ran.err + ran.out
    assert repo.main.sha == before
    hub.calls.faults = []
    ran = propose()
    assert ran.code == 0, ran.err
    assert proposed(hub, repo) == contents(pushable.release)
    assert list(repo.pulls) == ["refs/pr/1"]


def test_what_comes_back_otherwise_is_told(propose, hub, repo):
    hub.calls.faults = [Fault("download", WRONG, times=99)]
    ran = propose()
    assert ran.code == 1
    assert "differs from the release in model.safetensors" in ran.message
    assert ran.message.endswith("if it stays so, close the pull request refs/pr/1 on the Hub first")


def test_a_repository_that_is_not_there_is_told(propose):
    ran = propose()
    assert ran.code == 2
    assert "a pull request needs a repository" in ran.message


@pytest.mark.parametrize("publish", [f"{{repo: {OURS}, hub: ./hub}}"])
def test_a_folder_takes_no_pull_requests(propose):
    ran = propose()
    assert ran.code == 2
    assert "a folder takes no pull requests" in ran.message


@pytest.mark.parametrize("publish", [f"{{repo: {OURS}}}"])
def test_what_is_private_is_not_proposed_to_a_public_repository(propose, repo):
    ran = propose()
    assert ran.code == 2
    assert "is public, and the recipe says publish.private: true" in ran.message
