"""A release as it is sent: copied aside, hashed while it is copied, and the copy checked.

What lies in release/ may change between a check and an upload; the copy is nobody else's. No link
is followed: a file is opened below the descriptor of its folder.
"""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from finetune.errors import UserError
from finetune.publishing.artefacts import Artefact, entries, foreign, is_allowed, kind_of
from finetune.publishing.checks import findings_of, refuse

_PIECE = 1 << 23


@dataclass(frozen=True, kw_only=True)
class SentFile:
    """A file of a release: where its bytes are, and what they come to."""

    path: Path
    size: int
    """In bytes."""
    sha256: str
    blob_id: str
    """What git calls these bytes: SHA-1 behind a header."""


@contextmanager
def snapshot(release: Path) -> Iterator[dict[str, SentFile]]:
    """The files of a checked copy of `release` by name; the copy goes when the block ends.

    Raises UserError where release/ is missing, holds what may not be released (all findings in one
    message), or changes meanwhile.
    """
    refuse_missing(release)
    artefact, aside = kind_of(release), release.with_name(".push")
    shutil.rmtree(aside, ignore_errors=True)  # of a push that was killed
    aside.mkdir(mode=0o700)
    try:
        unlisted = foreign(release, artefact)
        names = {finding.partition(":")[0] for finding in unlisted}
        files = _copy(release, aside, artefact, names)
        refuse([*unlisted, *findings_of(aside, artefact)])
        yield files
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def refuse_missing(release: Path) -> None:
    """Raise UserError where there is no release folder."""
    if not release.is_dir() or release.is_symlink():
        raise UserError(f"{release}: missing; run `finetune release` first")


def hashed(folder: Path) -> dict[str, SentFile]:
    """The files of a folder where they lie, for comparing."""
    found = {}
    for name in entries(folder):
        with (folder / name).open("rb") as file:
            found[name] = _digest(file, folder / name)
    return found


def _copy(release: Path, aside: Path, artefact: Artefact, bad: set[str]) -> dict[str, SentFile]:
    """Copy what is plain and allowed; what is `bad` is reported by others."""
    files = {}
    for folder, _, names, descriptor in os.fwalk(release, follow_symlinks=False):
        for file_name in names:
            name = Path(folder, file_name).relative_to(release).as_posix()
            if name in bad:
                continue
            with _opened(file_name, descriptor, release / name) as source:
                if not is_allowed(name, artefact):
                    raise UserError(f"{release / name}: appeared during the push; remove it")
                target = aside / name
                target.parent.mkdir(parents=True, exist_ok=True)
                files[name] = _copied(source, target)
    return files


@contextmanager
def _opened(name: str, folder: int, path: Path) -> Iterator[BinaryIO]:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        raise UserError(f"{path}: cannot be opened as a plain file ({error.strerror})") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123 -- a descriptor has no path to trust
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UserError(f"{path}: not a plain file")
        yield file


def _copied(source: BinaryIO, target: Path) -> SentFile:
    try:
        with target.open("xb") as copy:
            return _digest(source, target, copy)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"{target.parent}: no room for a copy of the release, which is what a push sends; "
            "make room for it"
        ) from error


def _digest(source: BinaryIO, path: Path, copy: BinaryIO | None = None) -> SentFile:
    """Read `source` once; what is hashed is what is written."""
    size = os.fstat(source.fileno()).st_size
    sha256, blob, seen = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size), 0
    while piece := source.read(_PIECE):
        sha256.update(piece)
        blob.update(piece)
        seen += len(piece)
        if copy is not None:
            copy.write(piece)
    if seen != size:
        raise UserError(f"{path.name}: changes while it is read; stop what writes to it")
    return SentFile(path=path, size=size, sha256=sha256.hexdigest(), blob_id=blob.hexdigest())
