"""A folder as the Hub: whole, verified, and nothing outside it."""

import json
import shutil

import pytest

from finetune.errors import Refused, UserError
from finetune.publishing import folder_hub, push_to_folder
from finetune.publishing.artefacts import entries

REPO = "ann/mylib-completion"


def contents(folder):
    return {name: (folder / name).read_bytes() for name in entries(folder)}


def written(folder):
    """Each file's inode and time of writing; reading it, which verifies, changes neither."""
    files = {name: (folder / name).stat() for name in entries(folder)}
    return {name: (file.st_ino, file.st_mtime_ns) for name, file in files.items()}


def record(hub):
    return json.loads((hub / "ann" / ".mylib-completion.json").read_text())


def test_the_hub_holds_exactly_the_files_of_the_release(release, tmp_path):
    said = push_to_folder(release, tmp_path / "hub", REPO, private=True)
    assert contents(tmp_path / "hub" / REPO) == contents(release)
    assert "9 files, verified by sha256 (push 1, private)" in said


def test_the_record_beside_it_has_every_hash_and_the_visibility(release, tmp_path):
    push_to_folder(release, tmp_path, REPO, private=True)
    kept = record(tmp_path)
    assert (kept["push"], kept["private"]) == (1, True)
    assert set(kept["files"]) == set(entries(release))
    assert all(len(digest) == 64 for digest in kept["files"].values())


def test_a_second_push_of_the_same_release_copies_nothing(release, tmp_path, monkeypatch):
    push_to_folder(release, tmp_path, REPO, private=True)
    monkeypatch.setattr(shutil, "copyfile", None)
    before = written(tmp_path / REPO)
    said = push_to_folder(release, tmp_path, REPO, private=True)
    assert "already holds these 9 files (push 1, private): copied nothing" in said
    assert written(tmp_path / REPO) == before


def test_a_changed_visibility_is_recorded_without_copying(release, tmp_path):
    push_to_folder(release, tmp_path, REPO, private=True)
    assert "copied nothing" in push_to_folder(release, tmp_path, REPO, private=False)
    assert record(tmp_path)["private"] is False


def test_a_changed_release_replaces_the_older_one_as_a_whole(release, tmp_path):
    push_to_folder(release, tmp_path, REPO, private=True)
    (tmp_path / REPO / "stray.txt").write_text("not of the release")
    card = release / "README.md"
    card.write_text(card.read_text() + "\nOne more line.\n")
    said = push_to_folder(release, tmp_path, REPO, private=True)
    assert "push 2" in said
    assert contents(tmp_path / REPO) == contents(release)
    assert record(tmp_path)["push"] == 2


def test_a_damaged_file_on_the_hub_is_repaired(release, tmp_path):
    push_to_folder(release, tmp_path, REPO, private=True)
    (tmp_path / REPO / "model.safetensors").write_bytes(b"rot")
    assert "verified" in push_to_folder(release, tmp_path, REPO, private=True)
    assert contents(tmp_path / REPO) == contents(release)


def test_the_hub_does_not_share_its_files_with_the_release(release, tmp_path):
    push_to_folder(release, tmp_path, REPO, private=True)
    for name in entries(release):
        assert not (tmp_path / REPO / name).samefile(release / name)


def test_a_copy_that_differs_is_refused_and_the_hub_keeps_what_it_had(
    release, tmp_path, monkeypatch
):
    push_to_folder(release, tmp_path, REPO, private=True)
    before = contents(tmp_path / REPO)
    card = release / "README.md"
    card.write_text(card.read_text() + "\nOne more line.\n")
    rotten = lambda source, target: target.write_bytes(b"rot")  # noqa: E731
    monkeypatch.setattr(folder_hub.shutil, "copyfile", rotten)
    with pytest.raises(Refused, match=r"differs from the release in README.md"):
        push_to_folder(release, tmp_path, REPO, private=True)
    assert contents(tmp_path / REPO) == before


@pytest.mark.parametrize(
    "repo",
    [
        "../x/y",
        "../x",
        "a/..",
        "/etc/x",
        "a/b/c",
        "name",
        "a/.hidden",
        "a/b..c",
        "a\\b/c",
        "",
        "a/",
    ],
)
def test_a_name_that_could_leave_the_hub_is_refused(release, tmp_path, repo):
    with pytest.raises(UserError, match="is no repository name"):
        push_to_folder(release, tmp_path / "hub", repo, private=True)
    assert not (tmp_path / "hub").exists()


def test_a_link_that_leads_out_of_the_hub_is_refused(release, tmp_path):
    (tmp_path / "hub").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "hub" / "ann").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="leads out of the hub"):
        push_to_folder(release, tmp_path / "hub", REPO, private=True)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_release_edited_by_hand_is_checked_again(release, tmp_path):
    (release / ".env").write_text("TOKEN=x")
    with pytest.raises(UserError, match=r"\.env: not on the list"):
        push_to_folder(release, tmp_path, REPO, private=True)
    assert not (tmp_path / "ann").exists()


def test_a_release_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="run `finetune release` first"):
        push_to_folder(tmp_path / "release", tmp_path, REPO, private=True)


def test_a_release_that_changes_after_its_check_is_not_copied(release, tmp_path, monkeypatch):
    check = folder_hub.check_release

    def check_then_tamper(folder, artefact):
        check(folder, artefact)
        (release / "config.json").write_text(json.dumps({"x": "/home/ann/x"}))

    monkeypatch.setattr(folder_hub, "check_release", check_then_tamper)
    with pytest.raises(UserError, match="absolute path /home/ann/x"):
        push_to_folder(release, tmp_path, REPO, private=True)
    assert not (tmp_path / REPO).exists()


def test_a_dry_run_tells_every_file_and_copies_nothing(release, tmp_path):
    told = folder_hub.dry_run_on_folder(release, tmp_path / "hub", REPO, private=True).splitlines()
    assert [line.split()[:2] for line in told[1:-1]] == [["new", n] for n in entries(release)]
    assert not (tmp_path / "hub").exists()
