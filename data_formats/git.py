"""A git repository: its commits, their files, and what they change, without a checkout.

Nothing of a repository runs, see `git_process`. Links and submodules are named, never followed.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal

from data_formats.document import Drop
from data_formats.git_process import Git, as_text, printable

Kind = Literal["file", "symlink", "submodule"]

RENAME_LIMIT = 1000
"""Renames with edits are looked for among at most this many added and deleted files."""

_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_KINDS: dict[str, Kind] = {"120000": "symlink", "160000": "submodule"}


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One entry of a commit's tree, folders opened."""

    path: str
    """With forward slashes; bytes that are not UTF-8 as `\\xNN`."""
    object_id: str
    size: int | None
    """Bytes. None for a submodule, and where the object is not in this clone."""
    kind: Kind


@dataclass(frozen=True, slots=True)
class Commit:
    """What is read of a commit. Names and addresses are not."""

    sha: str
    parents: tuple[str, ...]
    subject: str
    """The message's first paragraph on one line; empty where there is none."""
    message: str | None
    """None where its bytes do not agree with its stated encoding (UTF-8 where none is stated)."""
    author_time: int | None
    """Seconds since 1970, UTC; None where the commit states none."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file that differs between two commits."""

    status: str
    """A added, D deleted, M modified, R renamed, T of another kind."""
    old_path: str
    new_path: str
    old_id: str
    """All zeros where the file is added."""
    new_id: str
    old_mode: str
    """Octal; all zeros where the file is added."""
    new_mode: str


@dataclass(frozen=True)
class Repository:
    """A repository on this disk. Holds paths and no process: it can be sent to other processes."""

    git: Git

    def resolve(self, revision: str) -> str:
        """The full id of the commit that a branch, tag, id, `HEAD~3`, ... names.

        Raises ValueError where there is none.
        """
        if revision and not revision.startswith("-") and "\0" not in revision:
            done = self.git.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
            if done.returncode == 0:
                return done.stdout.decode().strip()
        if not self.git.output("rev-list", "-n", "1", "--all"):
            raise ValueError(f"{self.git.folder}: the repository has no commit yet; make one")
        names = as_text(self.git.output("for-each-ref", "--count=8", "--format=%(refname:short)"))
        known = ", ".join(["HEAD", *names.split()])
        shallow = "; the clone is shallow, and `git fetch --unshallow` brings the rest"
        raise ValueError(
            f"{self.git.folder}: no commit is called `{printable(revision)}`; give one of {known}, "
            f"..., or a commit's id{shallow if self.is_shallow() else ''}"
        )

    def is_shallow(self) -> bool:
        """Whether the history is cut off: some commits' parents are not here."""
        return self.git.output("rev-parse", "--is-shallow-repository").strip() == b"true"

    def commits(self, commit: str, *, first_parent: bool = False) -> list[str]:
        """Ids of the commit's history, itself included, parents before children.

        `first_parent` leaves out the commits that came in through a merge. Raises ValueError.
        """
        options = ["--reverse", "--topo-order", *(["--first-parent"] if first_parent else [])]
        return self.git.output("rev-list", *options, _checked(commit), "--").decode().split()

    def files(self, commit: str) -> Iterator[TreeFile]:
        """Every file, symbolic link and submodule of a commit, in git's order by path.

        Raises ValueError.
        """
        entries = self.git.records("ls-tree", "-r", "-z", _checked(commit))
        with self.objects() as objects:
            for entry in entries:
                facts, _, path = entry.partition(b"\t")
                mode, _, object_id = facts.decode().split(" ")
                kind = kind_of(mode)
                size = None if kind == "submodule" else objects.size(object_id)
                yield TreeFile(as_text(path), object_id, size, kind)

    def changes(self, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[Change]]]:
        """For each pair of a commit and its parent, in order: the commit, and what it changes.

        A file at least half of which stands under another name is renamed, `RENAME_LIMIT`
        permitting; beyond it, it is deleted and added. Raises ValueError.
        """
        options = ["--stdin", "--always", "-r", "-z", "--raw", "--no-abbrev", "-M50%"]
        options += [f"-l{RENAME_LIMIT}", "--ignore-submodules=none", "--no-ext-diff"]
        with TemporaryFile() as lines:
            for commit, parent in pairs:
                lines.write(f"{_checked(commit)} {_checked(parent)}\n".encode())
            lines.seek(0)
            found: tuple[str, list[Change]] | None = None
            records = self.git.records("diff-tree", *options, "--no-textconv", stdin=lines)
            for record in records:
                if record.startswith(b":"):
                    assert found is not None
                    found[1].append(_change(record, records))
                    continue
                if found is not None:
                    yield found
                found = (record.decode(), [])
            if found is not None:
                yield found

    @contextmanager
    def objects(self) -> Iterator["Objects"]:
        """A reader of objects by id. Its processes end with the `with`."""
        pipe = subprocess.PIPE
        with (
            TemporaryFile() as errors,
            self.git.started("cat-file", "--batch-check", errors=errors, stdin=pipe) as sizes,
            self.git.started("cat-file", "--batch", errors=errors, stdin=pipe) as contents,
        ):
            yield Objects(self.git, sizes, contents, errors)


class Objects:
    """Objects of one repository by id, one after the other, through processes that stay open."""

    def __init__(
        self,
        git: Git,
        sizes: "subprocess.Popen[bytes]",
        contents: "subprocess.Popen[bytes]",
        errors: IO[bytes],
    ) -> None:
        self._git, self._sizes, self._contents, self._errors = git, sizes, contents, errors

    def size(self, object_id: str) -> int | None:
        """Bytes of an object, or None where it is not in this clone. Its content is not read."""
        return self._ask(self._sizes, object_id)[1]

    def content(self, object_id: str) -> bytes:
        """All bytes of an object: look at its size first.

        Raises ValueError where it is not there, or damaged.
        """
        return self._content(object_id)[1]

    def commit(self, sha: str) -> Commit:
        """Raises ValueError where there is no such commit."""
        kind, content = self._content(sha)
        if kind != "commit":
            raise ValueError(f"{self._git.folder}: {sha} is a {kind}; give the id of a commit")
        return _commit(sha, content)

    def _content(self, object_id: str) -> tuple[str, bytes]:
        kind, size = self._ask(self._contents, object_id)
        if size is None:
            raise ValueError(
                f"{self._git.folder}: object {object_id} is not there; give an id of this "
                "repository, or fetch its whole history"
            )
        assert self._contents.stdout is not None
        content = self._contents.stdout.read(size + 1)
        if len(content) <= size:
            raise self._failure()
        return kind, content[:-1]

    def _ask(self, process: "subprocess.Popen[bytes]", object_id: str) -> tuple[str, int | None]:
        """Type and size of an object: the first line of the answer."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            # Past Python's buffer, which would try to write the same again when it is closed.
            os.write(process.stdin.fileno(), f"{_checked(object_id)}\n".encode())
        except BrokenPipeError:
            raise self._failure() from None
        words = process.stdout.readline().decode().split()
        if words == [object_id, "missing"]:
            return "", None
        if len(words) != 3:
            raise self._failure()
        return words[1], int(words[2])

    def _failure(self) -> ValueError:
        self._errors.seek(0)
        return self._git.failure("cat-file", self._errors.read())


def open_repository(path: Path) -> Repository:
    """The repository whose top folder is `path`: a clone, a worktree, or a bare one.

    Raises ValueError where it is none.
    """
    folder = path.expanduser().resolve()
    if not folder.is_dir():
        raise ValueError(f"{path}: there is no such folder; clone the repository or mend the path")
    inside = folder / ".git"
    git = Git(folder, inside if os.path.lexists(inside) else folder)
    done = git.run("rev-parse", "--git-dir")
    if done.returncode == 0:
        return Repository(git)
    above = next((one for one in folder.parents if os.path.lexists(one / ".git")), None)
    if above is not None and git.git_dir == folder:
        raise ValueError(f"{path}: lies inside the repository {above}; give that folder instead")
    raise ValueError(
        f"{path}: not a git repository ({printable(as_text(done.stderr))}); give the top folder "
        "of a clone, or a bare repository"
    )


def read_files(
    repository: Repository, files: Iterable[TreeFile], *, repo: str, max_bytes: int = 1_000_000
) -> Iterator[tuple[TreeFile, bytes] | Drop]:
    """The content of each file, read one by one; what is no file, too large or not here is dropped.

    Raises ValueError where an object is damaged.
    """
    with repository.objects() as objects:
        for file in files:
            reason = kind_reason(file.kind) or size_reason(file.size, max_bytes)
            if reason is not None:
                yield Drop(path=file.path, repo=repo, reason=reason)
            else:
                yield file, objects.content(file.object_id)


def kind_of(mode: str) -> Kind:
    """What an entry of a tree is, by its mode in octal."""
    return _KINDS.get(mode, "file")


def kind_reason(kind: Kind) -> str | None:
    """Why an entry of a tree is not read: what a link or a submodule points to may be anywhere."""
    return {"symlink": "symbolic link", "submodule": "submodule"}.get(kind)


def size_reason(size: int | None, max_bytes: int) -> str | None:
    """Why an object of this size is not read; None stands for one that is not there."""
    if size is None:
        return "content is not in this partial clone"
    return f"larger than {max_bytes} bytes" if size > max_bytes else None


def subject_of(message: str) -> str:
    """The first paragraph of a message on one line, which is what git calls its subject."""
    lines: list[str] = []
    for line in message.split("\n"):
        if line.strip():
            lines.append(line.strip())
        elif lines:
            break
    return " ".join(lines)


def _change(record: bytes, records: Iterator[bytes]) -> Change:
    """One entry of `git diff-tree --raw -z`; its paths are the records that follow it."""
    old_mode, new_mode, old_id, new_id, status = record[1:].decode().split(" ")
    old_path = as_text(next(records))
    new_path = as_text(next(records)) if status[0] == "R" else old_path
    return Change(status[0], old_path, new_path, old_id, new_id, old_mode, new_mode)


def _commit(sha: str, content: bytes) -> Commit:
    """A commit from its object: lines of a key and a value, an empty line, the message."""
    head, _, body = content.partition(b"\n\n")
    parents, encoding, author_time = [], "utf-8", None
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(value.decode())
        elif key == b"encoding":
            encoding = as_text(value)
        elif key == b"author" and (time := re.search(rb"> (\d{1,12}) [+-]\d+$", value)):
            author_time = int(time[1])
    try:
        message = body.decode(encoding)
        message.encode()  # some encodings can state half of a surrogate pair
    except (LookupError, ValueError):  # no such encoding; no such text
        return Commit(sha, tuple(parents), "", None, author_time)
    return Commit(sha, tuple(parents), subject_of(message), message, author_time)


def _checked(object_id: str) -> str:
    """Refuse what is no full id: a name could stand for an option, or for a second line."""
    if not _OBJECT_ID.fullmatch(object_id):
        raise ValueError(f"`{printable(object_id)}` is no full object id; resolve it first")
    return object_id
