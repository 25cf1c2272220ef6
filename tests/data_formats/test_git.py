"""Reading a repository's commits, trees and changes, exact to the byte."""

import os
import pickle
from pathlib import Path

import pytest
from git_samples import commit, git, gone, history, put, renamed, submodule

from data_formats.document import Drop
from data_formats.git import TreeFile, open_repository, read_files
from data_formats.git_changes import Change
from data_formats.git_objects import subject_of

ELSEWHERE = "1234567890" * 4
EMPTY_ID = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
"""Git's id of an empty blob: the SHA-1 of `blob 0` and a NUL byte."""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "repository"


def test_a_tree_is_listed_with_kinds_sizes_and_exact_names(folder):
    (sha,) = history(
        folder,
        commit(
            b"x",
            put("a.py", b"x = 1\r\n"),
            put("b/ue \xfc\n.py", b""),
            put(b"c/\xe9.py", b"", "100755"),
            put("d", b"a.py", "120000"),
            submodule("e", ELSEWHERE),
        ),
    )
    files = list(open_repository(folder).files(sha))
    assert files[1:3] == [
        TreeFile("b/ue \xfc\n.py", EMPTY_ID, 0, "file"),
        TreeFile("c/\\xe9.py", EMPTY_ID, 0, "file"),
    ]
    assert files[4] == TreeFile("e", ELSEWHERE, None, "submodule")
    assert [(one.path, one.size, one.kind) for one in (files[0], files[3])] == [
        ("a.py", 7, "file"),
        ("d", 4, "symlink"),
    ]


def test_files_are_read_as_they_stand_and_what_is_not_read_is_named(folder):
    (sha,) = history(
        folder,
        commit(
            b"x",
            put("a.py", b"\xef\xbb\xbfx\0\r\n\xff"),
            put("big.py", b"x" * 11),
            put("fits.py", b"x" * 10),
            put("link", b"/etc/passwd", "120000"),
            submodule("lib", ELSEWHERE),
        ),
    )
    repository = open_repository(folder)
    found = list(read_files(repository, repository.files(sha), repo="r", max_bytes=10))
    assert [one if isinstance(one, Drop) else (one[0].path, one[1]) for one in found] == [
        ("a.py", b"\xef\xbb\xbfx\0\r\n\xff"),
        Drop(path="big.py", repo="r", reason="larger than 10 bytes"),
        ("fits.py", b"x" * 10),
        Drop(path="lib", repo="r", reason="submodule"),
        Drop(path="link", repo="r", reason="symbolic link"),
    ]


def test_a_history_runs_from_parents_to_children(folder):
    side = [
        commit(b"0"),
        commit(b"1"),
        commit(b"2 side", parents=(0,)),
        commit(b"3", parents=(1, 2)),
    ]
    shas = history(folder, *side)
    repository = open_repository(folder)
    found = repository.commits(shas[3])
    assert sorted(found) == sorted(shas)
    assert (found[0], found[3]) == (shas[0], shas[3])
    assert repository.commits(shas[3], first_parent=True) == [shas[0], shas[1], shas[3]]


def test_a_revision_is_a_branch_a_tag_or_the_beginning_of_an_id(folder):
    first, second = history(folder, commit(b"0"), commit(b"1"))
    git(folder, "tag", "-a", "-m", "annotated", "v1", first)
    resolve = open_repository(folder).resolve
    assert [resolve(one) for one in ("main", "HEAD", second[:9])] == [second] * 3
    assert [resolve(one) for one in ("v1", "HEAD~1", first)] == [first] * 3


@pytest.mark.parametrize("name", ["nowhere", "", "--all", "-h", "main:", "a\nb", "a\0b", EMPTY_ID])
def test_an_unknown_revision_is_refused_with_the_names_that_there_are(folder, name):
    history(folder, commit(b"0"))
    with pytest.raises(ValueError, match=r"no commit is called `.*`; give one of HEAD, main, "):
        open_repository(folder).resolve(name)


def test_a_repository_without_commits_says_so(folder):
    history(folder)
    with pytest.raises(ValueError, match=r"repository: the repository has no commit yet; make one"):
        open_repository(folder).resolve("HEAD")


def test_a_shallow_clone_says_what_brings_the_rest(folder, tmp_path):
    first, _ = history(folder, commit(b"0"), commit(b"1"))
    git(tmp_path, "clone", "--quiet", "--depth=1", folder.as_uri(), "clone")
    clone = open_repository(tmp_path / "clone")
    assert (clone.is_shallow(), open_repository(folder).is_shallow()) == (True, False)
    with pytest.raises(ValueError, match="the clone is shallow, and `git fetch --unshallow`"):
        clone.resolve(first)


@pytest.mark.parametrize(
    "message",
    ["one\n", "one\ntwo\n\nthree\n", "\n\n one \r\n two\n \nthree", "", "\n \n", "one\n\n\ntwo\n"],
)
def test_the_subject_is_the_one_that_git_tells(folder, message):
    history(folder, commit(message.encode()))
    told = git(folder, "log", "--format=%s").decode().removesuffix("\n")
    assert subject_of(message) == " ".join(told.split())


def test_changes_tell_edits_renames_modes_and_kinds_apart(folder):
    text = b"".join(b"line %d\n" % number for number in range(10))
    before, *after = history(
        folder,
        commit(b"0", put("a", text), put("b", b"b\n"), put("c", b"c\n"), put("d", b"d\n")),
        commit(b"1", renamed("a", "z"), put("z", text + b"more\n"), gone("b"), put("e", b"e\n")),
        commit(b"2", put("c", b"c\n", "100755"), put("d", b"c", "120000")),
        commit(b"3"),
    )
    repository = open_repository(folder)
    pairs = list(zip(after, [before, *after], strict=False))
    found = list(repository.changes(pairs))
    assert [sha for sha, _ in found] == after
    rows = [
        [(one.status, one.old_path, one.new_path, one.old_mode, one.new_mode) for one in changes]
        for _, changes in found
    ]
    assert rows == [
        [
            ("D", "b", "b", "100644", "000000"),
            ("A", "e", "e", "000000", "100644"),
            ("R", "a", "z", "100644", "100644"),
        ],
        [("M", "c", "c", "100644", "100755"), ("T", "d", "d", "100644", "120000")],
        [],
    ]
    mode = found[1][1][0]
    assert mode == Change("M", "c", "c", mode.old_id, mode.old_id, "100644", "100755")


def test_names_that_are_not_utf8_are_told_in_changes_too(folder):
    before, after = history(
        folder, commit(b"0", put(b"\xe9:\t.py", b"1")), commit(b"1", put(b"\xe9:\t.py", b"2"))
    )
    ((_, (change,)),) = open_repository(folder).changes([(after, before)])
    assert (change.old_path, change.new_path) == ("\\xe9:\t.py", "\\xe9:\t.py")


def test_a_repository_travels_to_another_process(folder):
    (sha,) = history(folder, commit(b"0", put("a.py", b"x")))
    repository = pickle.loads(pickle.dumps(open_repository(folder)))
    assert [one.path for one in repository.files(sha)] == ["a.py"]


def children():
    tasks = Path(f"/proc/{os.getpid()}/task")
    if not tasks.is_dir():
        pytest.skip("no /proc here: child processes cannot be listed")
    return {one for task in tasks.iterdir() for one in (task / "children").read_text().split()}


def test_no_process_is_left_by_a_reader_that_is_left_early(folder):
    many = [put(f"{number}.py", b"x" * 99) for number in range(3000)]
    (sha,) = history(folder, commit(b"0", *many))
    repository = open_repository(folder)
    before = children()
    files = repository.files(sha)
    next(files)
    assert len(children() - before) >= 2, "else this test looks at nothing"
    files.close()
    assert children() == before


def test_a_bare_repository_and_a_worktree_are_opened(folder, tmp_path):
    (sha,) = history(folder, commit(b"0", put("a.py", b"x")))
    git(folder, "clone", "--quiet", "--bare", str(folder), str(tmp_path / "bare.git"))
    git(folder, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    for name in ("bare.git", "tree"):
        repository = open_repository(tmp_path / name)
        assert repository.resolve("HEAD") == sha
        assert [one.path for one in repository.files(sha)] == ["a.py"]


def test_a_repository_of_sha256_ids_is_read(folder):
    (sha,) = history(folder, commit(b"0", put("a.py", b"x")), options=("--object-format=sha256",))
    assert len(sha) == 64
    repository = open_repository(folder)
    (file,) = repository.files(repository.resolve("main"))
    with repository.objects() as objects:
        assert objects.content(file.object_id) == b"x"


def test_what_is_no_repository_is_refused_with_the_remedy(folder, tmp_path):
    history(folder, commit(b"0"))
    (folder / "below").mkdir()
    (tmp_path / "plain").mkdir()
    with pytest.raises(ValueError, match=r"below: lies inside the repository .*; give that folder"):
        open_repository(folder / "below")
    with pytest.raises(ValueError, match=r"plain: not a git repository .*; give the top folder"):
        open_repository(tmp_path / "plain")
    with pytest.raises(ValueError, match="nowhere: there is no such folder"):
        open_repository(tmp_path / "nowhere")


def test_a_machine_without_git_is_told(folder, monkeypatch):
    history(folder)
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ValueError, match="no program `git` on the PATH; install git"):
        open_repository(folder)


@pytest.mark.parametrize("name", ["--all", "HEAD", "a" * 39, "a" * 40 + "\n" + "b" * 40])
def test_only_full_ids_are_asked_for(folder, name):
    history(folder, commit(b"0"))
    repository = open_repository(folder)
    with repository.objects() as objects, pytest.raises(ValueError, match="no full object id"):
        objects.size(name)
    with pytest.raises(ValueError, match="no full object id"):
        repository.commits(name)


def test_a_tree_that_is_not_there_is_an_error(folder):
    history(folder, commit(b"0"))
    with pytest.raises(ValueError, match="`git ls-tree` failed: fatal: not a tree object"):
        list(open_repository(folder).files(ELSEWHERE))
