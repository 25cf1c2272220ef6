"""A git repository: its commits, their files, and what they change, without a checkout.

Nothing of a repository runs, see `git_process`. Links and submodules are named, never followed.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from data_formats.document import Drop
from data_formats.git_changes import Changes, changes
from data_formats.git_layout import locate
from data_formats.git_objects import AT_ONCE, Objects, checked
from data_formats.git_process import Git, as_text, printable

Kind = Literal["file", "symlink", "submodule"]

MOST_ENTRIES = 1_000_000
"""Files and folders of a commit; each folder's list may be read many times over."""
MOST_NAMES = 256 << 20
"""Bytes of their paths together."""

NOT_CLONED = "content is not in this partial clone"
DAMAGED = "object is missing or damaged"

_KINDS: dict[str, Kind] = {"120000": "symlink", "160000": "submodule"}
_FOLDER = b"040000"


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One entry of a commit's tree, folders opened."""

    path: str
    """With forward slashes; bytes that are not UTF-8 as `\\xNN`."""
    object_id: str
    size: int | None
    """Bytes. None for a submodule, and where the object is not in this clone."""
    kind: Kind


@dataclass(frozen=True)
class Repository:
    """A repository on this disk. Holds paths and no process: it can be sent to other processes."""

    git: Git
    is_partial: bool = False
    """Contents were left out when it was cloned, and are not fetched now."""

    @property
    def absent(self) -> str:
        """Why an object is not there."""
        return NOT_CLONED if self.is_partial else DAMAGED

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
        command = ("rev-list", *options, checked(commit), "--")
        return self.git.output(*command, timeout=None).decode().split()

    def files(self, commit: str) -> Iterator[TreeFile]:
        """Every file, symbolic link and submodule of a commit, in git's order by path.

        Raises ValueError, before the first, where a folder of it is missing or damaged, or where
        it has more than `MOST_ENTRIES`.
        """
        self._refuse_too_many(commit)
        with self.objects() as objects, closing(self._entries(commit)) as entries:
            while some := list(islice(entries, AT_ONCE)):
                ids = [object_id for kind, object_id, _ in some if kind != "submodule"]
                sizes = iter(objects.sizes(ids))
                for kind, object_id, path in some:
                    size = None if kind == "submodule" else next(sizes)
                    yield TreeFile(path, object_id, size, kind)

    def changes(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Changes]:
        """For each pair of a commit and its parent, in order: the commit, and what it changes.

        See `git_changes`. Raises ValueError where one is no full id.
        """
        return changes(self.git, list(pairs))

    @contextmanager
    def objects(self) -> Iterator[Objects]:
        """A reader of objects by id. Its processes end with the `with`."""
        with closing(Objects(self.git)) as objects:
            yield objects

    def _entries(self, commit: str) -> Generator[tuple[Kind, str, str], None, None]:
        """Kind, id and path of all that is in a commit, folders left out."""
        for facts, path in self._listed(commit):
            if not facts.startswith(_FOLDER):
                mode, _, object_id = facts.decode().split(" ")
                yield kind_of(mode), object_id, as_text(path)

    def _listed(self, commit: str) -> Generator[tuple[bytes, bytes], None, None]:
        """With folders: any number of them can be without a file."""
        with closing(self.git.records("ls-tree", "-r", "-t", "-z", checked(commit))) as records:
            for record in records:
                facts, _, path = record.partition(b"\t")
                yield facts, path

    def _refuse_too_many(self, commit: str) -> None:
        num_bytes = 0
        try:
            with closing(self._listed(commit)) as listed:
                for number, (_, path) in enumerate(listed, start=1):
                    num_bytes += len(path)
                    if number > MOST_ENTRIES or num_bytes > MOST_NAMES:
                        break
                else:
                    return
        except ValueError as error:
            if not self.is_partial:
                raise
            raise ValueError(
                f"{self.git.folder}: folders of commit {commit[:12]} are not in this partial "
                "clone; `git fetch --refetch --filter=blob:none` brings them"
            ) from error
        raise ValueError(
            f"{self.git.folder}: commit {commit[:12]} has more than {MOST_ENTRIES} files and "
            f"folders, or more than {MOST_NAMES} bytes of paths; give a smaller repository, or a "
            "commit without them"
        )


def open_repository(path: Path) -> Repository:
    """The repository whose top folder is `path`: a clone, a worktree, or a bare one.

    Raises ValueError where it is none.
    """
    folder = path.expanduser().resolve()
    if not folder.is_dir():
        raise ValueError(f"{path}: there is no such folder; clone the repository or mend the path")
    git, is_partial = locate(folder)
    return Repository(git, is_partial)


def read_files(
    repository: Repository, files: Iterable[TreeFile], *, repo: str, max_bytes: int = 1_000_000
) -> Iterator[tuple[TreeFile, bytes] | Drop]:
    """The content of each file, read one by one; what is no file, too large, not here or damaged
    is dropped."""
    with repository.objects() as objects:
        for file in files:
            reason = kind_reason(file.kind) or size_reason(file.size, max_bytes, repository.absent)
            content = objects.content(file.object_id) if reason is None else None
            if content is None:
                yield Drop(path=file.path, repo=repo, reason=reason or DAMAGED)
            else:
                yield file, content


def kind_of(mode: str) -> Kind:
    """What an entry of a tree is, by its mode in octal."""
    return _KINDS.get(mode, "file")


def kind_reason(kind: Kind) -> str | None:
    """Why an entry of a tree is not read: what a link or a submodule points to may be anywhere."""
    return {"symlink": "symbolic link", "submodule": "submodule"}.get(kind)


def size_reason(size: int | None, max_bytes: int, absent: str = DAMAGED) -> str | None:
    """Why an object of this size is not read; None stands for one that is not there."""
    if size is None:
        return absent
    return f"larger than {max_bytes} bytes" if size > max_bytes else None
