"""Small repositories for tests, written by `git` itself from names and contents to the byte."""

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ann Author",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Carl Committer",
    "GIT_COMMITTER_EMAIL": "carl@example.org",
}


def git(folder: Path, *command: str, stdin: bytes = b"") -> bytes:
    """Plain git, as a person would run it: with the repository's own config."""
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(folder), *command],
        input=stdin,
        capture_output=True,
        env=ENVIRONMENT,
        check=True,
    )
    return done.stdout


def put(path: str | bytes, content: bytes, mode: str = "100644") -> bytes:
    """A file, or a symbolic link with mode 120000, in the stream of `git fast-import`."""
    return b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), quoted(path), len(content), content)


def submodule(path: str, sha: str) -> bytes:
    return b"M 160000 %s %s\n" % (sha.encode(), quoted(path))


def gone(path: str) -> bytes:
    return b"D %s\n" % quoted(path)


def renamed(old: str, new: str) -> bytes:
    return b"R %s %s\n" % (quoted(old), quoted(new))


def quoted(path: str | bytes) -> bytes:
    raw = path.encode() if isinstance(path, str) else path
    return b'"' + b"".join(b"\\%03o" % byte for byte in raw) + b'"'


def commit(
    message: bytes, *changes: bytes, parents: tuple[int, ...] | None = None, encoding: str = ""
) -> tuple[bytes, tuple[int, ...] | None, bytes]:
    """A commit for `history`; parents are positions in it, by default the one before."""
    named = f"encoding {encoding}\n".encode() if encoding else b""
    return named + b"data %d\n%s\n" % (len(message), message), parents, b"".join(changes)


def history(
    folder: Path,
    *commits: tuple[bytes, tuple[int, ...] | None, bytes],
    options: tuple[str, ...] = (),
) -> list[str]:
    """Make a repository with these commits on `main`, an hour apart; their ids."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main", *options)
    stream = []
    for number, (message, parents, changes) in enumerate(commits):
        parents = parents if parents is not None else (number - 1,) if number else ()
        time = 1_700_000_000 + 3600 * number
        stream.append(b"commit refs/heads/main\nmark :%d\n" % (number + 1))
        stream.append(b"author Ann Author <ann@example.org> %d +0100\n" % time)
        stream.append(b"committer Carl Committer <carl@example.org> %d +0100\n" % (time + 60))
        stream.append(message)
        stream += [
            b"%s :%d\n" % (b"merge" if place else b"from", parent + 1)
            for place, parent in enumerate(parents)
        ]
        stream.append(changes)
    marks = folder / ".git" / "marks"
    git(folder, "fast-import", "--quiet", f"--export-marks={marks}", stdin=b"".join(stream))
    return [line.split()[1] for line in sorted(marks.read_text().splitlines(), key=_mark)]


def _mark(line: str) -> int:
    return int(line.split()[0][1:])


def tower(folder: Path, content: bytes, height: int) -> str:
    """A tree of ten folders that each hold the next ten, and so on: 10 ** height times `content`.

    Empty content stands for a folder without a file.
    """
    kind, mode = ("blob", "100644") if content else ("tree", "040000")
    command = ("hash-object", "-w", "-t", kind, "--stdin")
    sha = git(folder, *command, stdin=content).decode().strip()
    for _ in range(height):
        lines = "".join(f"{mode} {kind} {sha}\t{number}\n" for number in range(10))
        sha = git(folder, "mktree", stdin=lines.encode()).decode().strip()
        kind, mode = "tree", "040000"
    return sha


def commit_of(folder: Path, tree: str, *parents: str) -> str:
    """A commit of a tree as it is; `main` leads to it."""
    options = [part for parent in parents for part in ("-p", parent)]
    sha = git(folder, "commit-tree", tree, "-m", "x", *options).decode().strip()
    git(folder, "update-ref", "refs/heads/main", sha)
    return sha
