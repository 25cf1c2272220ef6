"""A repository is read where it lies, and nothing of another one, whatever its parts name."""

import os
import shutil

import pytest
from git_samples import commit, git, history, put

from data_formats.git import open_repository, read_files


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "repository"
    history(folder, commit(b"0", put("a.py", b"mine")))
    return folder


@pytest.fixture
def other(tmp_path):
    folder = tmp_path / "other"
    history(folder, commit(b"0", put("secret.py", b"theirs")))
    return folder


def head_of(folder):
    """Path -> content of the newest commit."""
    repository = open_repository(folder)
    files = repository.files(repository.resolve("HEAD"))
    return {file.path: content for file, content in read_files(repository, files, repo="r")}


def refused(folder, message):
    with pytest.raises(ValueError, match=message):
        open_repository(folder)


NAMES = ["config", "HEAD", "packed-refs", "shallow", "refs/heads/main", "refs/heads/new"]


@pytest.mark.parametrize("name", [*NAMES, "objects/12", "objects/pack/pack-1.idx", "logs/HEAD"])
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(folder, name):
    file = folder / ".git" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    refused(folder, f"repository: .*{name} is no plain file, and git would wait for it")


def test_a_pipe_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "x").mkdir()
    os.mkfifo(tmp_path / "x" / ".git")
    refused(tmp_path / "x", "x: .*/.git is no plain file")


@pytest.mark.parametrize("section", ["include", 'includeIf "gitdir:/"'])
def test_what_a_config_includes_is_not_opened(folder, section):
    os.mkfifo(folder / "pipe")
    with (folder / ".git" / "config").open("a") as config:
        config.write(f"[{section}]\n\tpath = {folder / 'pipe'}\n")
    assert head_of(folder) == {"a.py": b"mine"}


@pytest.mark.parametrize("name", ["objects", "refs", "packed-refs", "refs/heads/main", "config"])
def test_a_link_in_the_place_of_a_part_is_refused(folder, other, name):
    git(other, "pack-refs", "--all")
    git(other, "update-ref", "refs/heads/main", "HEAD")
    part = folder / ".git" / name
    if part.is_dir():
        shutil.rmtree(part)
    part.unlink(missing_ok=True)
    part.symlink_to(other / ".git" / name)
    refused(folder, f"{name} is a link that leads to .*other/.git/{name}; put in its place")


def test_objects_that_another_repository_lends_are_refused_until_they_are_copied(folder, tmp_path):
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--shared", str(folder), str(clone))
    refused(
        clone, "alternates takes objects from .*repository/.git/objects, .*; `git repack -a -d`"
    )
    git(clone, "repack", "-a", "-d", "--quiet")
    (clone / ".git" / "objects" / "info" / "alternates").unlink()
    assert head_of(clone) == {"a.py": b"mine"}


def test_a_file_that_leads_to_another_repository_is_refused(other, tmp_path):
    for name, lead in (("file", False), ("link", True)):
        (tmp_path / name).mkdir()
        inside = tmp_path / name / ".git"
        if lead:
            inside.symlink_to(other / ".git")
        else:
            inside.write_text(f"gitdir: {other / '.git'}\n")
        refused(tmp_path / name, f"{name}/.git leads to .*other/.git, which does not belong to it")


def test_a_common_folder_that_is_another_repository_is_refused(folder, other):
    (folder / ".git" / "commondir").write_text(f"{other / '.git'}\n")
    refused(folder, "commondir leads to .*other/.git, which does not belong to it")


def test_a_part_of_ones_own_does_not_make_another_repository_ones_own(folder, other):
    """A folder inside that points back, and on to the other one as a worktree would."""
    shutil.move(folder / ".git", folder / "inner")
    (folder / ".git").write_text("gitdir: inner\n")
    (folder / "inner" / "gitdir").write_text(f"{folder / '.git'}\n")
    (folder / "inner" / "commondir").write_text(f"{other / '.git'}\n")
    refused(folder, "commondir leads to .*other/.git")


def test_a_git_folder_kept_elsewhere_inside_is_read(folder):
    shutil.move(folder / ".git", folder / ".bare")
    (folder / ".git").write_text("gitdir: ./.bare\n")
    assert head_of(folder) == {"a.py": b"mine"}


def test_a_worktree_is_read_and_one_that_its_repository_does_not_know_is_refused(folder, tmp_path):
    tree = tmp_path / "tree"
    git(folder, "worktree", "add", "--quiet", "--detach", str(tree))
    assert head_of(tree) == {"a.py": b"mine"}
    tree.rename(tmp_path / "moved")
    refused(tmp_path / "moved", "moved/.git leads to .*worktrees/tree, which does not belong to it")
    git(folder, "worktree", "repair", str(tmp_path / "moved"))
    assert head_of(tmp_path / "moved") == {"a.py": b"mine"}
    shutil.rmtree(folder / ".git" / "worktrees")
    refused(tmp_path / "moved", "which is not there; `git worktree repair`")


def test_what_a_branch_was_before_is_told_by_the_log_of_the_worktree_itself(folder, tmp_path):
    (first,) = git(folder, "rev-list", "HEAD").decode().split()
    tree = tmp_path / "tree"
    git(folder, "worktree", "add", "--quiet", "-b", "new", str(tree))
    git(tree, "commit", "--quiet", "--allow-empty", "-m", "1")
    git(tree, "commit", "--quiet", "--allow-empty", "-m", "2")
    second, third = (git(tree, "rev-parse", name).decode().strip() for name in ("HEAD~1", "HEAD"))
    git(tree, "checkout", "--quiet", "--detach", first)
    resolve = open_repository(tree).resolve
    assert [resolve(f"HEAD@{{{n}}}") for n in range(3)] == [first, third, second]
    assert [resolve("new@{1}"), resolve("@{-1}")] == [second, third]


def test_a_submodule_is_read(folder, other):
    git(
        folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "sub"
    )
    assert (folder / "sub" / ".git").is_file(), "else this test looks at nothing"
    assert head_of(folder / "sub") == {"secret.py": b"theirs"}


def test_a_head_that_is_a_link_to_a_branch_is_read(folder):
    (folder / ".git" / "HEAD").unlink()
    (folder / ".git" / "HEAD").symlink_to("refs/heads/main")
    assert head_of(folder) == {"a.py": b"mine"}


def test_a_head_that_is_a_link_to_something_else_is_refused(folder, tmp_path):
    (tmp_path / "file").write_text("a" * 40)
    (folder / ".git" / "HEAD").unlink()
    (folder / ".git" / "HEAD").symlink_to(tmp_path / "file")
    refused(folder, "not a git repository .its HEAD names no branch")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[core\n", r"config is no git config \(fatal: bad config line 1.*\); mend it"),
        ("[core]\nrepositoryformatversion = 2\n", r"not known here \(version 2\)"),
        ("[core]\nrepositoryformatversion = 1\n[extensions]\nfoo\n", r"not known here \(foo\)"),
        (f"[a]\nb = {'x' * 1_048_576}\n", "config is larger than 1048576 bytes"),
    ],
)
def test_a_config_that_cannot_be_relied_on_is_refused(folder, content, message):
    (folder / ".git" / "config").write_text(content)
    refused(folder, message)


def test_a_repository_without_a_config_or_with_one_of_its_own_is_read(folder):
    (folder / ".git" / "config").write_text("[extensions]\nworktreeConfig = true\n[a]\nb = c\n")
    assert head_of(folder) == {"a.py": b"mine"}
    (folder / ".git" / "config").unlink()
    assert head_of(folder) == {"a.py": b"mine"}
