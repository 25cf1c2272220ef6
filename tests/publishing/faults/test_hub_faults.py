"""What the Hub can do to a push: it completes, or ends in a message with main as it was.

Each fault is injected for ever, and once. Run again without it, the push completes.
"""

import itertools
import shutil
import time

import pytest

from finetune.publishing.artefacts import entries
from tests.hub.faults import CUT, LOST, NONE, WRONG, Fault
from tests.publishing.pushed import REPO, TOKEN

CLIENT_TRIES = ("tree", "preupload", "batch", "put", "verify")
"""Routes that the stock client itself asks again."""
ROUTES = (
    *("info", "create", "refs", "branch", "validate-yaml", "commit", "head", "get", "download"),
    *("paths-info", "tag", "delete-branch", *CLIENT_TRIES),
)
AFTER_MAIN = {"tag", "delete-branch"}
"""Routes that are called once main holds the release."""
STATUSES = (401, 403, 404, 409, 412, 429, 500, 503)
PASSING = {429, 500, 503, CUT, LOST}
EVERY = [
    *itertools.product(ROUTES, (*STATUSES, CUT, LOST)),
    *itertools.product(("put", "get", "download", "tree"), (WRONG,)),
]
SOME = [("commit", 503), ("commit", LOST), ("put", CUT), ("download", WRONG), ("put", WRONG)]


def contents(folder):
    return {name: (folder / name).read_bytes() for name in entries(folder)}


def main_of(hub):
    repo = hub.store.repos.get(REPO)
    return None if repo is None else hub.store.holds(REPO)


def refuse_leaks(ran):
    assert "Traceback" not in ran.err
    assert TOKEN not in ran.err + ran.out
    assert "signature=secret" not in ran.err + ran.out


def some_or_slow(cases):
    slow = [pytest.param(*case, marks=pytest.mark.slow) for case in cases if case not in SOME]
    return SOME + slow


@pytest.mark.parametrize(("route", "kind"), some_or_slow(EVERY))
def test_a_fault_that_stays_ends_in_a_message_and_leaves_main(push, hub, pushable, route, kind):
    wanted = contents(pushable.release)
    hub.calls.reset(Fault(route, kind, error=f"injected {TOKEN} here"))
    ran = push()
    refuse_leaks(ran)
    assert hub.calls.num(route) > 0, "else this test looks at nothing"
    held = main_of(hub)
    done = kind == LOST and route in ("branch", "commit", "tag", "delete-branch")
    if done:  # what was asked was done, and found by looking
        assert ran.code == 0, ran.err
    else:
        assert ran.code in (1, 2)
        assert ran.message.startswith(f"{REPO}: "), ran.err
        assert held == wanted if route in AFTER_MAIN else held in (None, {})
        assert ("is as it was" in ran.message) == (route not in AFTER_MAIN)
    hub.calls.reset()
    again = push()
    assert again.code == 0, again.err
    assert hub.store.holds(REPO) == wanted
    assert list(hub.store.repos[REPO].branches) == ["main"]
    assert len(hub.store.repos[REPO].tags) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("route", "kind"), [c for c in EVERY if c[1] in PASSING])
def test_a_fault_that_passes_stops_nothing(push, hub, pushable, route, kind):
    hub.calls.reset(Fault(route, kind, times=1))
    ran = push()
    refuse_leaks(ran)
    assert ran.code == 0, ran.err
    assert hub.store.holds(REPO) == contents(pushable.release)
    repo = hub.store.repos[REPO]
    assert (list(repo.branches), list(repo.tags)) == (["main"], ["push-1"])
    titles = [commit.title for commit in repo.commits.values()]
    assert titles == ["initial commit", "Release", "Release"], "one for staging, one for main"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*STATUSES, CUT, LOST])
def test_a_fault_at_the_commit_to_main_leaves_an_older_release_as_it_was(push, hub, pushable, kind):
    push()
    before = contents(pushable.release)
    card = pushable.release / "README.md"
    card.write_text(card.read_text() + "\nOne more line.\n")
    hub.calls.reset(Fault("commit", kind, nth=2))
    ran = push()
    refuse_leaks(ran)
    assert ran.code == (0 if kind == LOST else ran.code)
    assert main_of(hub) == (contents(pushable.release) if kind == LOST else before)
    hub.calls.reset()
    assert push().code == 0
    assert main_of(hub) == contents(pushable.release)
    assert sorted(hub.store.repos[REPO].tags) == ["push-1", "push-2"]


def test_the_hub_is_given_the_time_that_it_asks_for(push, hub):
    hub.calls.reset(Fault("commit", 429, times=1, retry_after="37"))
    ran = push()
    assert ran.code == 0
    assert 37.0 in ran.waits
    assert "push: committing to finetune-staging: the Hub answers 429" in ran.err
    assert "again in 37 s" in ran.err


def test_a_wait_that_is_too_long_is_told_instead(push, hub):
    hub.calls.reset(Fault("commit", 503, retry_after="86400"))
    ran = push()
    assert ran.code == 1
    assert 86400.0 not in ran.waits
    assert hub.calls.num("commit") == 1
    assert "The Hub is in trouble: try again later" in ran.message


def test_a_push_that_was_cut_goes_on_and_sends_no_weights_again(push, hub, pushable):
    hub.calls.reset(Fault("commit", CUT))
    assert push().code == 1
    assert hub.calls.num("put") == 1
    assert main_of(hub) == {}
    hub.calls.reset()
    assert push().code == 0
    assert (hub.calls.num("put"), hub.calls.num("branch")) == (0, 0), "no second branch either"
    assert main_of(hub) == contents(pushable.release)


def test_storage_that_keeps_wrong_bytes_in_silence_is_found_out(push, hub):
    """The download is compared with the release before main knows of it."""
    hub.store.refuses_wrong_objects = False
    hub.calls.reset(Fault("put", WRONG))
    ran = push()
    assert ran.code == 1
    assert "what the Hub gives back differs from the release in model.safetensors" in ran.err
    assert main_of(hub) == {}


def test_a_slow_hub_is_waited_for(push, hub):
    slow = lambda: time.sleep(2)  # noqa: E731
    hub.calls.reset(*(Fault(route, NONE, times=1, before=slow) for route in ("put", "commit")))
    assert push().code == 0


@pytest.mark.slow
@pytest.mark.parametrize("file_name", ["README.md", "model.safetensors"])
def test_a_release_that_changes_during_a_push_is_sent_as_it_was_checked(
    push, hub, pushable, tmp_path, file_name
):
    """Between the check and the upload, files are written over and exchanged for links."""
    wanted = contents(pushable.release)
    secret = tmp_path / "secret"
    secret.write_text("not for others " * 100)

    def tamper():
        file = pushable.release / file_name
        file.write_bytes(b"evil" + file.read_bytes()[4:])
        other = pushable.release / "config.json"
        other.unlink()
        other.symlink_to(secret)
        shutil.copy(secret, pushable.release / "optimizer.pt")

    hub.calls.reset(Fault("branch", NONE, times=1, before=tamper))
    assert push().code == 0
    assert main_of(hub) == wanted
    kept = [*hub.store.objects.values(), *hub.store.refused]
    for commit in hub.store.repos[REPO].commits.values():
        kept += [file.data or b"" for file in commit.files.values()]
    assert len(kept) > 7, "else this test looks at nothing"
    assert not [one for one in kept if b"evil" in one or b"not for others" in one]
