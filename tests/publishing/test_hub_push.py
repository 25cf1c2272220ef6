"""A release on the Hub: private, whole, verified, and sent once. The client is the stock one."""

import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from finetune.publishing.artefacts import entries
from finetune.run_folder import sha256_of
from tests.hub.faults import NONE, Fault
from tests.hub.store import Stored
from tests.publishing.pushed import REPO, TOKEN, client_environment, command, make_run, restate

SENDING = ("create", "preupload", "batch", "put", "commit", "tag", "branch", "delete-branch")


def contents(folder):
    return {name: (folder / name).read_bytes() for name in entries(folder)}


def change_card(run):
    card = run.release / "README.md"
    card.write_text(card.read_text() + "\nOne more line.\n")


def test_a_push_makes_a_private_repository_of_exactly_these_files(push, hub, pushable):
    ran = push()
    assert (ran.code, ran.err) == (0, "")
    repo = hub.store.repos[REPO]
    assert hub.store.holds(REPO) == contents(pushable.release)
    assert repo.private
    assert (list(repo.branches), repo.tags) == (["main"], {"push-1": repo.main.sha})
    assert "holds 9 files: 9 downloaded afresh and compared by sha256, 0 unchanged" in ran.out


def test_a_second_push_of_the_same_release_sends_nothing(push, hub):
    push()
    hub.calls.reset()
    ran = push()
    assert ran.code == 0
    assert "(push-1, private) already holds these 9 files" in ran.out
    assert ran.out.endswith("by the Hub's own checksums: sent nothing\n")
    assert hub.calls.num(*SENDING) == 0
    assert hub.calls.num("tree") == 1, "else this test looks at nothing"


def test_of_a_changed_release_what_changed_is_sent(push, hub, pushable):
    push()
    change_card(pushable)
    hub.calls.reset()
    ran = push()
    assert "push-2" in ran.out
    assert "1 downloaded afresh and compared by sha256, 8 unchanged" in ran.out
    assert (hub.calls.num("put"), hub.calls.num("head")) == (0, 1)
    assert hub.store.holds(REPO) == contents(pushable.release)


def test_weights_are_sent_once_and_named_in_the_commit_to_main(push, hub):
    push()
    assert (hub.calls.num("commit"), hub.calls.num("put"), hub.calls.num("batch")) == (2, 1, 1)


def test_what_the_release_does_not_hold_goes_and_is_named(push, hub):
    push()
    repo = hub.store.repos[REPO]
    repo.commit("main", repo.main.files | {"demo.txt": Stored(b"x")}, "by hand", repo.main.sha)
    ran = push()
    assert ran.out.endswith("; deleted demo.txt\n")
    assert "demo.txt" not in hub.store.holds(REPO)


def test_large_files_go_in_parts(push, hub, pushable):
    hub.part_size = 1000
    save_file({"w": np.ones(1200, np.float32)}, pushable.release / "model.safetensors")
    restate(pushable.release)
    size = (pushable.release / "model.safetensors").stat().st_size
    assert push().code == 0
    assert hub.calls.num("put") == -(-size // 1000) == 5
    assert hub.calls.num("complete") == 1
    assert hub.store.holds(REPO) == contents(pushable.release)


def test_a_fresh_download_by_the_stock_client_has_the_same_hashes(push, hub, pushable, tmp_path):
    push()
    code = "import huggingface_hub as h, sys; print(h.snapshot_download(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, REPO],
        env=client_environment(tmp_path, hub, HF_HUB_DISABLE_PROGRESS_BARS="1"),
        capture_output=True,
        text=True,
        check=True,
    )
    got = type(tmp_path)(done.stdout.strip())
    for name in entries(pushable.release):
        assert sha256_of(got / name) == sha256_of(pushable.release / name), name


def test_a_commit_that_came_between_is_not_overwritten(push, hub, pushable):
    """Just before our commit to main, the second one, somebody else makes his."""
    push()
    repo = hub.store.repos[REPO]

    def other():
        repo.commit("main", repo.main.files | {"their.txt": Stored(b"x")}, "x", repo.main.sha)

    change_card(pushable)
    hub.calls.reset(Fault("commit", NONE, nth=2, times=1, before=other))
    ran = push()
    assert ran.code == 1
    assert "committing to main: the Hub answers 412" in ran.err
    assert "Somebody else pushed meanwhile: look at `finetune push --dry-run`" in ran.err
    assert "their.txt" in hub.store.holds(REPO)
    assert b"One more line" not in hub.store.holds(REPO)["README.md"]


def test_a_push_that_ended_before_its_tag_gets_it_later(push, hub):
    hub.calls.reset(Fault("tag", 403))
    ran = push()
    assert ran.code == 2
    assert "Its main branch holds the whole release, verified" in ran.err
    hub.calls.reset()
    assert "(push-1, private) already holds" in push().out
    assert (hub.calls.num("tag"), hub.calls.num("commit")) == (1, 0)
    assert list(hub.store.repos[REPO].branches) == ["main"]


def test_a_public_repository_gets_nothing_that_is_to_be_private(push, hub):
    hub.store.create(REPO, private=False)
    ran = push()
    assert ran.code == 2
    assert "is public, and the recipe says publish.private: true" in ran.err
    assert hub.calls.num(*SENDING) == 0
    assert push("publish.private=false", "--despite-gate").code == 2, "release stood on true"


@pytest.mark.parametrize("token", [None, "hf_" + "wrong" * 7])
def test_without_a_good_token_nothing_is_sent(push, hub, token):
    ran = push(token=token)
    assert ran.code == 2
    assert "HF_TOKEN" in ran.err
    assert "hf auth login" in ran.err
    assert hub.store.repos == {}


def test_the_token_of_the_file_will_do(push, hub, tmp_path):
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(TOKEN)
    assert push(token=None).code == 0


def test_a_namespace_of_somebody_else_is_refused(push, hub):
    hub.store.tokens[TOKEN] = "bob"
    ran = push()
    assert ran.code == 2
    assert "creating it: the Hub answers 403 (You don't have the rights" in ran.err
    assert f"Use a token that may write to {REPO}" in ran.err


def test_offline_mode_is_told(push):
    ran = push(HF_HUB_OFFLINE="1")
    assert ran.code == 2
    assert "HF_HUB_OFFLINE forbids it" in ran.err


def test_no_hub_at_all_is_told(push, hub):
    ran = push(HF_ENDPOINT="http://localhost:9")
    assert ran.code == 1
    assert "the connection to the Hub failed or was cut" in ran.err
    assert "Traceback" not in ran.err


def test_a_dry_run_tells_every_file_and_touches_nothing(push, hub, pushable, tmp_path):
    before = sorted(pushable.path.rglob("*"))
    ran = push("--dry-run")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == f"{hub.url}/{REPO}: would be created, private"
    for line, name in zip(lines[1:-1], entries(pushable.release), strict=True):
        file = pushable.release / name
        words = ["new", name, f"{file.stat().st_size:,}", sha256_of(file)]
        assert line.split() == words
    assert "9 to send" in lines[-1]
    assert all(address.startswith("GET") for _, address in hub.calls.seen)
    assert hub.store.repos == {}
    assert {*pushable.path.rglob("*")} - {*before} <= {pushable.path / ".run.lock"}


def test_a_dry_run_tells_what_would_change(push, hub, pushable):
    push()
    repo = hub.store.repos[REPO]
    repo.commit("main", repo.main.files | {"demo.txt": Stored(b"x")}, "by hand", repo.main.sha)
    change_card(pushable)
    (pushable.release / "generation_config.json").write_text("{}")
    restate(pushable.release)
    lines = push("--dry-run").out.splitlines()
    kinds = [line.split()[:2] for line in lines[1:-1]]
    assert kinds[0] == ["new", "generation_config.json"]
    assert kinds[1:3] == [["changed", "README.md"], ["changed", "provenance.json"]]
    assert kinds[-1] == ["deleted", "demo.txt"]
    assert "3 to send" in lines[-1]
    assert "7 unchanged, 1 to delete; a dry run: nothing was sent" in lines[-1]


def test_a_run_whose_gate_failed_is_not_pushed(tmp_path, model_folder, release, hub):
    make_run(tmp_path, release, passed=False)
    ran = command(tmp_path, hub, "push", "r.yaml")
    assert (ran.code, ran.message) == (3, "push: the gate did not pass: psm rose by 0.5")
    assert hub.store.repos == {}
    assert command(tmp_path, hub, "push", "r.yaml", "--despite-gate").code == 0


def test_card_metadata_that_the_hub_refuses_is_told(push, hub):
    hub.calls.reset(Fault("validate-yaml", 400, error="license must be one of a list"))
    ran = push()
    assert ran.code == 1
    assert "committing to finetune-staging: the Hub answers 400 (license must be one" in ran.err


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("license: bigcode-openrail-m", "license: bigscience-openrail-m", "paragraph 5.1 asks it"),
        ("license: bigcode-openrail-m", "license: apache-2.0", "paragraph 5.1 asks it"),
        ("license: bigcode-openrail-m\n", "", "`license` is missing"),
        ("base_model: bigcode/starcoderbase-1b", "base_model: ./base", "must be a Hub id"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["push", "dry run"])
def test_a_card_that_was_edited_by_hand_into_a_faulty_one_is_not_sent(
    push, hub, pushable, old, new, finding, options
):
    card = pushable.release / "README.md"
    assert old in card.read_text()
    card.write_text(card.read_text().replace(old, new, 1))
    ran = push(*options)
    assert ran.code == 2
    assert "README.md: " in ran.err
    assert finding in ran.err
    assert hub.calls.seen == []


def test_weights_that_are_not_those_of_the_release_are_not_sent(push, hub, pushable):
    save_file({"w": np.ones(3, np.float32)}, pushable.release / "model.safetensors")
    ran = push()
    assert ran.code == 2
    assert "model.safetensors: its bytes are not those that provenance.json states" in ran.err
    assert hub.calls.seen == []
