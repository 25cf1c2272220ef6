"""What commits change: files that differ between two trees, as git tells it, renames included.

Git holds all changes of a commit in memory before it writes the first, and a few small trees can
stand for any number of files. So they are counted here first, tree by tree, up to a limit.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile

from data_formats.git_objects import Objects, checked
from data_formats.git_process import Git, as_text

RENAME_LIMIT = 1000
"""Renames with edits are looked for among at most this many added and deleted files."""
MOST_CHANGES = 10_000
"""Files and folders that a commit may change."""
MOST_LISTED = 64 << 20
"""Bytes of the lists of files that are read to tell it."""

KEPT = 1024
"""Lists that are kept, each of at most `SMALL` bytes."""
SMALL = 8192

TOO_MANY = f"commit changes more files and folders than {MOST_CHANGES}"
TOO_LARGE = f"commit changes folders whose lists of files are larger than {MOST_LISTED} bytes"

_SIMILAR, _EQUAL = "-M50%", "-M100%"
_ENTRY = {
    40: re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL),
    64: re.compile(rb"([0-7]+) ([^\0]+)\0(.{32})", re.DOTALL),
}
"""Of a tree, by the length of an id: mode, name, id."""

Entries = set[tuple[bytes, bytes, bytes]]


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


Changes = tuple[str, list[Change] | None]
"""A commit, and what it changes: None where that cannot be told."""


def changes(git: Git, pairs: Sequence[tuple[str, str]]) -> Iterator[Changes]:
    """For each pair of a commit and its parent, in order: the commit, and what it changes.

    A file at least half of which stands under another name is renamed, `RENAME_LIMIT` permitting;
    beyond it, and where a content to compare is missing, it is deleted and added.
    """
    for pair in pairs:
        for one in pair:
            checked(one)
    at = 0
    while at < len(pairs):
        try:
            for found in _told(git, pairs[at:], _SIMILAR):
                yield found
                at += 1
        except ValueError:  # git ended over this pair, or over the one behind it
            yield pairs[at][0], _alone(git, pairs[at])
            at += 1


class Trees:
    """The lists of files of a repository's folders. The latest are kept, for a commit begins with
    those that the one before it left."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._kept: dict[str, tuple[int, Entries]] = {}

    def entries(self, tree: str, most: int) -> tuple[int, Entries] | None:
        """Bytes and entries of a folder: no entries where there are more bytes than `most`.

        None where it is missing or damaged.
        """
        if tree in self._kept:
            return self._kept[tree]
        content = self._objects.content_up_to(tree, most)
        if content is None:
            return None
        if isinstance(content, int):
            return content, set()
        found = len(content), set(_ENTRY[len(tree)].findall(content))
        if len(content) <= SMALL:
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[tree] = found
        return found

    def reason(self, old: str, new: str, absent: str) -> str | None:
        """Why git is not asked what differs between two folders, or None.

        `absent` is the reason where one of them, or of the folders in them that differ, is not
        there.
        """
        num_found = num_bytes = 0
        pending: list[tuple[str | None, str | None]] = [(old, new)]
        while pending:
            sides: list[Entries] = []
            for tree in pending.pop():
                listed = self.entries(tree, MOST_LISTED - num_bytes) if tree else (0, set())
                if listed is None:
                    return absent
                num_bytes += listed[0]
                if num_bytes > MOST_LISTED:
                    return TOO_LARGE
                sides.append(listed[1])
            differ = (sides[0] - sides[1], sides[1] - sides[0])
            num_found += len({name for side in differ for _, name, _ in side})
            if num_found > MOST_CHANGES:
                return TOO_MANY
            before, after = (
                {name: id_.hex() for mode, name, id_ in side if _is_folder(mode)} for side in differ
            )
            names = before.keys() | after.keys()
            pending += [(before.get(name), after.get(name)) for name in names]
        return None


def _is_folder(mode: bytes) -> bool:
    return int(mode, 8) & 0o170000 == 0o040000


def _alone(git: Git, pair: tuple[str, str]) -> list[Change] | None:
    """The changes of one pair, if need be without looking for edits of what is renamed."""
    for renames in (_SIMILAR, _EQUAL):
        try:
            ((_, found),) = _told(git, [pair], renames)
        except ValueError:
            continue
        return found
    return None


def _told(
    git: Git, pairs: Sequence[tuple[str, str]], renames: str
) -> Iterator[tuple[str, list[Change]]]:
    """What git tells; raises ValueError where it ends early."""
    options = ["--stdin", "--always", "-r", "-z", "--raw", "--no-abbrev", renames]
    options += [f"-l{RENAME_LIMIT}", "--ignore-submodules=none", "--no-ext-diff", "--no-textconv"]
    with TemporaryFile() as lines:
        for commit, parent in pairs:
            lines.write(f"{checked(commit)} {checked(parent)}\n".encode())
        lines.seek(0)
        expected = [commit for commit, _ in reversed(pairs)]
        found: tuple[str, list[Change]] | None = None
        records = git.records("diff-tree", *options, stdin=lines)
        for record in records:
            if record.startswith(b":"):
                assert found is not None
                found[1].append(_change(record, records))
                continue
            if found is not None:
                yield found
            found = (record.decode(), [])
            if found[0] != expected.pop():  # git passes over what it cannot read
                raise git.failure("diff-tree", None, b"")
        if found is not None:
            yield found
        if expected:
            raise git.failure("diff-tree", None, b"")


def _change(record: bytes, records: Iterator[bytes]) -> Change:
    """One entry of `git diff-tree --raw -z`; its paths are the records that follow it."""
    old_mode, new_mode, old_id, new_id, status = record[1:].decode().split(" ")
    old_path = as_text(next(records))
    new_path = as_text(next(records)) if status[0] == "R" else old_path
    return Change(status[0], old_path, new_path, old_id, new_id, old_mode, new_mode)
