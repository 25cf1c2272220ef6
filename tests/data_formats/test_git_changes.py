"""What commits change, told within limits however much a few objects stand for."""

from collections import Counter

import pytest
from git_samples import commit, commit_of, git, gone, history, put, tower

from data_formats import git_changes
from data_formats.document import Document
from data_formats.git import MOST_ENTRIES, open_repository
from data_formats.git_changes import MOST_CHANGES, TOO_LARGE, TOO_MANY, Trees
from data_formats.git_history import read_commits


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "repository"


def reasons(folder, *shas):
    """Why each commit, or each of its files, is no document."""
    found = read_commits(open_repository(folder), shas, repo="r")
    return ["read" if isinstance(one, Document) else one.reason for one in found]


@pytest.mark.parametrize("content", [b"x", b""], ids=["files", "empty folders"])
def test_a_commit_that_stands_for_more_files_than_there_can_be_is_refused(folder, content):
    history(folder)
    sha = commit_of(folder, tower(folder, content, 12))
    repository = open_repository(folder)
    with pytest.raises(ValueError, match=f"has more than {MOST_ENTRIES} files and folders, or"):
        list(repository.files(sha))


def test_a_commit_whose_paths_are_too_long_is_refused(folder):
    history(folder)
    sha = git(folder, "hash-object", "-w", "--stdin", stdin=b"x").decode().strip()
    kind, mode = "blob", "100644"
    for _ in range(4):
        names = [f"{number:02}{'n' * 9_000}" for number in range(10)]
        lines = "".join(f"{mode} {kind} {sha}\t{name}\n" for name in names)
        sha = git(folder, "mktree", stdin=lines.encode()).decode().strip()
        kind, mode = "tree", "040000"
    newest = commit_of(folder, sha)
    with pytest.raises(ValueError, match="or more than 268435456 bytes of paths; give a smaller"):
        list(open_repository(folder).files(newest))


def test_one_name_that_is_too_long_is_refused(folder):
    history(folder)
    sha = git(folder, "hash-object", "-w", "--stdin", stdin=b"x").decode().strip()
    line = f"100644 blob {sha}\t{'n' * 2_000_000}\n"
    newest = commit_of(folder, git(folder, "mktree", stdin=line.encode()).decode().strip())
    with pytest.raises(ValueError, match="tells of a name of more than 1048576 bytes; take it"):
        list(open_repository(folder).files(newest))


@pytest.mark.parametrize("content", [b"y", b""], ids=["files", "empty folders"])
def test_a_commit_that_changes_too_much_is_dropped_and_the_next_one_is_read(folder, content):
    first, second = history(
        folder, commit(b"0", put("a.py", b"0\n")), commit(b"1", put("a.py", b"1\n"))
    )
    large = commit_of(folder, tower(folder, content, 12), first)
    small = commit_of(folder, tower(folder, b"z", 2), large)
    assert reasons(folder, large, small, second) == [TOO_MANY, TOO_MANY, "read"]


def test_the_largest_change_is_told_and_one_more_is_not(folder):
    files = [put(f"{number}.x", b"x") for number in range(MOST_CHANGES)]
    shas = history(
        folder, commit(b"0"), commit(b"1", *files), commit(b"2"), commit(b"3", put("one.x", b"x"))
    )
    repository = open_repository(folder)
    with repository.objects() as objects:
        trees = [objects.commit(sha).tree for sha in shas]
        reason = Trees(objects).reason
        assert reason(trees[0], trees[1], "absent") is None
        assert reason(trees[0], trees[3], "absent") == TOO_MANY
        assert reason(trees[1], trees[3], "absent") is None


def test_lists_of_files_are_read_up_to_a_limit(folder, monkeypatch):
    _, second = history(
        folder, commit(b"0", put("a.py", b"0\n")), commit(b"1", put("a.py", b"1\n"))
    )
    monkeypatch.setattr(git_changes, "MOST_LISTED", 2 * len(b"100644 a.py\0") + 2 * 20)
    assert reasons(folder, second) == ["read"]
    monkeypatch.setattr(git_changes, "MOST_LISTED", 2 * len(b"100644 a.py\0") + 2 * 20 - 1)
    assert reasons(folder, second) == [TOO_LARGE]


def test_changes_of_repositories_of_sha256_ids_are_counted(folder):
    _, second = history(
        folder,
        commit(b"0", put("d/a.py", b"0\n")),
        commit(b"1", put("d/a.py", b"1\n")),
        options=("--object-format=sha256",),
    )
    assert reasons(folder, second) == ["read"]


def test_a_folder_that_becomes_a_file_and_a_file_that_becomes_a_folder_are_told(folder):
    _, second = history(
        folder,
        commit(b"0", put("d/a.py", b"0\n"), put("e", b"1\n")),
        commit(b"1", gone("d/a.py"), put("d", b"2\n"), gone("e"), put("e/b.py", b"3\n")),
    )
    assert Counter(reasons(folder, second)) == {
        "nothing stands in the file after the commit": 2,
        "nothing stands in the file before the commit": 2,
    }
