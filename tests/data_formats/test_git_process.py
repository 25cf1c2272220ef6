"""Nothing of a repository runs, and nothing in it or around it changes what is read.

Each trap is sprung by plain git first: a trap that never bites would prove nothing.
"""

import os
import subprocess
from pathlib import Path

import pytest
from git_samples import ENVIRONMENT, commit, git, gone, history, put

from data_formats.document import Drop
from data_formats.git import open_repository, read_files
from data_formats.git_history import read_commits
from data_formats.git_process import _ENVIRONMENT, Git

FILE = b"".join(b"line %d\n" % number for number in range(20))


@pytest.fixture
def trap(tmp_path):
    """A repository, and a program that leaves a mark where it is run."""
    folder = tmp_path / "repository"
    history(
        folder,
        commit(b"0", put("a.py", FILE), put(".gitattributes", b"*.py diff=trap filter=trap\n")),
        commit(b"1", gone("a.py"), put("b.py", FILE + b"more\n")),
        commit(b"2", put("b.py", FILE + b"and more\n")),
    )
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho run >> {tmp_path}/mark\nexit 1\n")
    program.chmod(0o755)
    return folder, program, tmp_path / "mark"


def read_all(folder: Path) -> list[object]:
    """Everything that a reader asks of a repository."""
    repository = open_repository(folder)
    sha = repository.resolve("HEAD")
    with pytest.raises(ValueError, match="no commit is called"):
        repository.resolve("nowhere")
    commits = repository.commits(sha)
    files = list(repository.files(sha))
    found: list[object] = [repository.is_shallow(), commits, files]
    found += read_files(repository, files, repo="r")
    return [*found, *read_commits(repository, commits, repo="r")]


def spring(mark: Path, folder: Path, *command: str) -> None:
    """Show that plain git runs the program, and take the mark away."""
    subprocess.run(
        ["git", "-C", folder, *command], env=ENVIRONMENT, capture_output=True, check=False
    )
    assert mark.exists(), "the trap is not live: this test would look at nothing"
    mark.unlink()


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        ({"core.fsmonitor": "{program}"}, ("status",)),
        ({"diff.external": "{program}"}, ("diff", "HEAD~1")),
        ({"diff.trap.command": "{program}"}, ("diff", "HEAD~1")),
        ({"diff.trap.textconv": "{program}"}, ("diff", "HEAD~1")),
        ({"filter.trap.smudge": "{program}"}, ("cat-file", "--filters", "HEAD:b.py")),
        ({"filter.trap.process": "{program}"}, ("cat-file", "--filters", "HEAD:b.py")),
        ({"core.sshCommand": "{program}", "remote.o.url": "ssh://x/y"}, ("fetch", "o")),
        ({"alias.trap": "!{program}"}, ("trap",)),
        ({"include.path": "{folder}/.git/more"}, ("status",)),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_no_program_of_a_repositorys_config_runs(trap, settings, command):
    folder, program, mark = trap
    untouched = read_all(folder)
    (folder / ".git" / "more").write_text(f"[core]\n\tfsmonitor = {program}\n")
    git(folder, "reset", "--quiet", "--hard")
    for name, value in settings.items():
        git(folder, "config", name, value.format(program=program, folder=folder))
    spring(mark, folder, *command)
    assert read_all(folder) == untouched
    assert not mark.exists()


def test_no_hook_runs(trap):
    folder, program, mark = trap
    names = ("reference-transaction", "post-index-change", "post-checkout", "pre-auto-gc")
    for hook in names:
        (folder / ".git" / "hooks" / hook).write_bytes(program.read_bytes())
        (folder / ".git" / "hooks" / hook).chmod(0o755)
    spring(mark, folder, "checkout", "--quiet", "HEAD~1")
    git(folder, "-c", f"core.hooksPath={os.devnull}", "checkout", "--quiet", "main")
    read_all(folder)
    assert not mark.exists()


def make_partial(folder: Path, url: str) -> None:
    """Take away the content of `b.py`, and name a remote that promises to have it."""
    missing = git(folder, "rev-parse", "HEAD:b.py").decode().strip()
    (folder / ".git" / "objects" / missing[:2] / missing[2:]).unlink()
    git(folder, "config", "core.repositoryFormatVersion", "1")
    git(folder, "config", "extensions.partialClone", "o")
    git(folder, "config", "remote.o.promisor", "true")
    git(folder, "config", "remote.o.url", url)


def test_a_missing_object_is_told_and_not_fetched(trap):
    folder, program, mark = trap
    make_partial(folder, f"ext::{program}")
    repository = open_repository(folder)
    sha = repository.resolve("HEAD")
    reason = "content is not in this partial clone"
    drops = list(read_files(repository, repository.files(sha), repo="r"))[1:]
    assert [*drops, *read_commits(repository, [sha], repo="r")] == [
        Drop(path="b.py", repo="r", reason=reason),
        Drop(path=f"{sha}:b.py", repo="r", reason=reason),
    ]
    assert not mark.exists()


def test_even_a_git_without_settings_against_it_fetches_nothing(trap, monkeypatch):
    """An older git does not know all of them: it is not told either of what it could fetch from."""
    folder, program, mark = trap
    make_partial(folder, f"ext::{program}")
    git(folder, "config", "protocol.ext.allow", "always")
    spring(mark, folder, "-c", "protocol.allow=never", "cat-file", "-e", "HEAD:b.py")
    for name in ("GIT_NO_LAZY_FETCH", "GIT_ALLOW_PROTOCOL"):
        monkeypatch.delitem(_ENVIRONMENT, name)
    repository = open_repository(folder)
    sizes = [one.size for one in repository.files(repository.resolve("HEAD"))]
    assert sizes == [len(b"*.py diff=trap filter=trap\n"), None]
    assert not mark.exists()


def test_what_git_says_holds_no_advice(trap):
    folder, _, _ = trap
    with pytest.raises(ValueError, match=r"`git ls-tree` failed: fatal: not a tree object; see"):
        list(open_repository(folder).files("1234567890" * 4))


def test_a_git_that_does_not_answer_is_ended(trap, tmp_path, monkeypatch):
    folder, _, _ = trap
    repository = open_repository(folder)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ValueError, match=r"`git x` has given no answer in 0\.2 seconds; see wheth"):
        repository.git.run("x", timeout=0.2)


def test_the_environment_does_not_lead_elsewhere(trap, tmp_path, monkeypatch):
    folder, program, mark = trap
    untouched = read_all(folder)
    history(tmp_path / "other", commit(b"other"))
    for name in ("GIT_DIR", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(program))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(program))
    assert read_all(folder) == untouched
    assert not mark.exists()


def test_the_repository_of_another_user_is_read(trap):
    folder, _, _ = trap
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    untouched = read_all(folder)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, 12345, 12345)
    refused = subprocess.run(
        ["git", "-C", folder, "log"], env=ENVIRONMENT, capture_output=True, check=False
    )
    assert b"dubious ownership" in refused.stderr, "else this test looks at nothing"
    assert read_all(folder) == untouched


def test_a_work_tree_that_is_not_there_is_not_needed(trap):
    folder, _, _ = trap
    untouched = read_all(folder)
    git(folder, "config", "core.worktree", "../nowhere")
    assert read_all(folder) == untouched


def test_history_is_read_as_it_was_not_as_replacements_and_grafts_show_it(trap):
    folder, _, _ = trap
    untouched = read_all(folder)
    second, first = git(folder, "rev-list", "HEAD").decode().split()[1:]
    git(folder, "replace", "HEAD:b.py", git(folder, "rev-parse", "HEAD~1:b.py").decode().strip())
    git(folder, "replace", "--graft", second)
    (folder / ".git" / "info" / "grafts").write_text(f"{first} {second}\n")
    assert git(folder, "rev-list", "--count", "HEAD") != b"3\n", "else this looks at nothing"
    assert read_all(folder) == untouched


def test_what_git_says_cannot_steer_a_terminal():
    error = Git(Path("r"), Path("r"), Path("r")).failure("ls-tree", 128, b"fatal: \x1b[2J\xe9\n")
    assert str(error) == (
        "r: `git ls-tree` failed: fatal:  [2J\\xe9; see what `git fsck` says, or fetch the "
        "repository again"
    )
