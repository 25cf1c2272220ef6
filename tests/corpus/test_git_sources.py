"""Sources that are git repositories of which something is missing, damaged or made to do harm."""

import subprocess
from collections import Counter

import pytest

from data_formats.document import Document
from finetune.corpus import open_source
from finetune.errors import Failed, UserError
from finetune.recipe.schema import Source

NOT_CLONED = "content is not in this partial clone"


def git(folder, *command):
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *command], check=True, capture_output=True
    )
    return done.stdout.decode().strip()


@pytest.fixture
def origin(tmp_path):
    """A repository of three commits, with a licence, that can be cloned in part."""
    folder = tmp_path / "lib"
    (folder / "d").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "uploadpack.allowFilter", "true")
    (folder / "LICENSE").write_text("Permission is hereby granted, as everybody knows.\n")
    for number in range(3):
        (folder / "d" / "m.py").write_text(f"x = {number}\n")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", f"Set x to {number}")
    return folder


def cloned(origin, *options):
    folder = origin.parent / "clone"
    git(origin, "clone", "-q", *options, origin.as_uri(), str(folder))
    return folder


def reader(folder, format_="source_code", revision="HEAD"):
    return open_source(Source(format=format_, path=str(folder), revision=revision), 0)


def outcomes(reader):
    """Path -> text, or why there is none."""
    found = reader.read(reader.works, Counter())
    return {one.path: one.text if isinstance(one, Document) else one.reason for one in found}


def remove(folder, name):
    sha = git(folder, "rev-parse", name)
    (folder / ".git" / "objects" / sha[:2] / sha[2:]).unlink()


def test_a_partial_clone_gives_what_it_has(origin):
    folder = cloned(origin, "--filter=blob:none")
    assert outcomes(reader(folder)) == {"d/m.py": "x = 2\n"}
    assert outcomes(reader(folder, revision="HEAD~1")) == {"d/m.py": NOT_CLONED}
    shas = git(folder, "rev-list", "HEAD").split()
    assert outcomes(reader(folder, "git_commits")) == {
        shas[2]: "first commit: nothing stands before it",
        f"{shas[1]}:d/m.py": NOT_CLONED,
        f"{shas[0]}:d/m.py": NOT_CLONED,
    }


def test_a_licence_file_that_is_not_there_is_not_taken_for_none(origin):
    (origin / "d" / "LICENSE").write_text("All rights are mine.\n")
    git(origin, "add", "-A")
    git(origin, "commit", "-q", "-m", "Keep the rights")
    whole = reader(origin).licences().statement("d/m.py")
    bare = reader(cloned(origin, "--filter=blob:none", "--bare")).licences()
    assert (whole.file, bare.statement("d/m.py")) == ("d/LICENSE", whole)


def test_the_history_of_a_clone_without_folders_is_a_mistake_that_says_what_brings_them(origin):
    folder = cloned(origin, "--filter=tree:0")
    assert outcomes(reader(folder)) == {"d/m.py": "x = 2\n"}
    with pytest.raises(UserError, match=r"clone: the folders of its commits are not in this"):
        reader(folder, "git_commits")
    with pytest.raises(UserError, match=r"folders of .* are not in this partial clone; `git fetc"):
        reader(folder, revision="HEAD~1")
    git(folder, "fetch", "-q", "--refetch", "--filter=blob:none")
    assert len(outcomes(reader(folder, "git_commits"))) == 3


def test_a_missing_folder_is_a_mistake_where_all_files_are_read(origin):
    remove(origin, "HEAD:d")
    with pytest.raises(UserError, match=r"lib: `git ls-tree` failed: .*; see what `git fsck` says"):
        reader(origin)
    with pytest.raises(UserError, match=r"lib: `git ls-tree` failed: .*; see what `git fsck` says"):
        reader(origin, "git_commits").licences()


def test_a_missing_folder_of_an_earlier_commit_costs_the_commits_beside_it(origin):
    shas = git(origin, "rev-list", "HEAD").split()
    remove(origin, "HEAD~2:d")
    history = reader(origin, "git_commits")
    history.licences()
    found = outcomes(history)
    assert found[shas[1]] == "object is missing or damaged"
    assert found["d/m.py"].endswith("x = 2\n")


def test_git_that_is_killed_ends_the_run_and_is_no_mistake_of_the_users(origin, monkeypatch):
    tree, history = reader(origin), reader(origin, "git_commits")
    program = origin.parent / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    for one in (tree, history):
        with pytest.raises(Failed, match="was ended by signal 9; where memory was short"):
            outcomes(one)
    with pytest.raises(Failed, match="was ended by signal 9"):
        tree.licences()


@pytest.mark.parametrize("format_", ["source_code", "git_commits"])
def test_a_repository_that_leads_to_another_is_a_mistake(origin, tmp_path, format_):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".git").write_text(f"gitdir: {origin / '.git'}\n")
    with pytest.raises(
        UserError, match=r"leads to .*, which does not belong to it; give the repos"
    ):
        reader(tmp_path / "mine", format_)
