"""The `git` program, started so that a repository which nobody trusts cannot make it do anything.

A repository's own `config`, hooks and attributes name programs, other files and other places, and
git obeys them: it starts the programs, waits for pipes and fetches what is missing. So git never
sees them. It is given a folder that stands in for the repository's `.git`: a config of ours, and
links to the branches and objects that `git_layout` has looked at. Only plumbing that reads is to be
started here.
"""

import os
import subprocess
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

QUICK = 60.0
"""Seconds that git has for an answer which takes it a moment on any repository."""
MOST_RECORD = 1 << 20
"""Bytes of one record that git writes: a name, and little else."""
MOST_HEAD = 1 << 16

_GIT = [
    "git",
    "--no-pager",
    "--no-replace-objects",
    "--literal-pathspecs",
    "-c",
    "core.commitGraph=false",  # a cache among the objects, which may state other parents
]

# Nothing is inherited but where programs and libraries are found. GIT_DIR is given besides: then
# git searches no folder above, and reads a repository that belongs to another user, which it else
# refuses so as not to obey its config.
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
_ENVIRONMENT = {
    "GIT_WORK_TREE": "/",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}

_COPIED = ("HEAD", "ORIG_HEAD", "FETCH_HEAD")
_LINKED = ("logs", "refs", "packed-refs", "reftable", "shallow")


@dataclass(frozen=True)
class Git:
    """Runs `git` on one repository."""

    folder: Path
    """As errors name it."""
    git_dir: Path
    """Where its HEAD lies: its `.git`, the bare repository itself, or a worktree's part of one."""
    common: Path
    """Where its objects and branches lie: the same, but for a worktree."""
    config: str = ""
    """What git needs to know of it, as a config file."""

    @contextmanager
    def started(
        self, *command: str, errors: IO[bytes], stdin: IO[bytes] | int = subprocess.DEVNULL
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A running command; waited for always, killed where an exception leaves the `with`."""
        with (
            self._places() as places,
            started(self.folder, *command, places=places, errors=errors, stdin=stdin) as process,
        ):
            yield process

    def run(
        self, *command: str, timeout: float | None = QUICK
    ) -> "subprocess.CompletedProcess[bytes]":
        """A command that has ended, well or not. Raises ValueError where it takes too long."""
        with self._places() as places:
            return run(self.folder, *command, places=places, timeout=timeout)

    def output(self, *command: str, timeout: float | None = QUICK) -> bytes:
        """All that a command writes. Raises ValueError where it fails."""
        done = self.run(*command, timeout=timeout)
        if done.returncode:
            raise self.failure(command[0], done.returncode, done.stderr)
        return done.stdout

    def records(
        self, *command: str, stdin: IO[bytes] | int = subprocess.DEVNULL
    ) -> Generator[bytes, None, None]:
        """What a command writes, split at NUL bytes, as it comes. Raises ValueError."""
        with (
            TemporaryFile() as errors,
            self.started(*command, errors=errors, stdin=stdin) as process,
        ):
            assert process.stdout is not None
            rest = b""
            while chunk := os.read(process.stdout.fileno(), 1 << 16):
                *records, rest = (rest + chunk).split(b"\0")
                yield from records
                if len(rest) > MOST_RECORD:
                    raise ValueError(
                        f"{self.folder}: `git {command[0]}` tells of a name of more than "
                        f"{MOST_RECORD} bytes; take it out of the repository"
                    )
            if code := process.wait():
                raise self.failure(command[0], code, written(errors))

    def failure(self, command: str, code: int | None, errors: bytes) -> ValueError:
        """The error for a command that failed, from what it wrote on its standard error.

        Raises ChildProcessError where it did not fail by itself but was ended by a signal.
        """
        if code is not None and code < 0:
            raise ChildProcessError(
                f"{self.folder}: `git {command}` was ended by signal {-code}; where memory was "
                "short, read with fewer processes"
            )
        said = printable(as_text(errors)) or "it ended early"
        return ValueError(
            f"{self.folder}: `git {command}` failed: {said}; see what `git fsck` says, or fetch "
            "the repository again"
        )

    @contextmanager
    def _places(self) -> Iterator[dict[str, str]]:
        """The folder that stands in for `.git`, as git is told of it."""
        with TemporaryDirectory(prefix="finetune-git-") as name:
            place = Path(name)
            (place / "config").write_text(self.config, encoding="utf-8")
            for one in _COPIED:
                if (content := head_of(self.git_dir / one)) is not None:
                    (place / one).write_bytes(content)
            linked = _LINKED
            if self.git_dir != self.common:  # a worktree has a log of its own HEAD
                (place / "logs").mkdir()
                if (log := self.git_dir / "logs" / "HEAD").is_file():
                    copyfile(log, place / "logs" / "HEAD")  # git reads no log through a link
                linked = ("logs/refs", *_LINKED[1:])
            for one in linked:
                if os.path.lexists(self.common / one):
                    (place / one).symlink_to(self.common / one)
            yield {"GIT_DIR": name, "GIT_OBJECT_DIRECTORY": str(self.common / "objects")}


def head_of(file: Path) -> bytes | None:
    """What a file like HEAD says, None where there is none.

    Once it was a link to the branch's file. That names a branch like the text in its place.
    """
    if file.is_symlink():
        return b"ref: " + os.fsencode(file.readlink())
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        return stream.read(MOST_HEAD)


@contextmanager
def started(
    where: Path,
    *command: str,
    places: Mapping[str, str],
    errors: IO[bytes],
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> Iterator["subprocess.Popen[bytes]"]:
    """As `Git.started`, with what tells git where to look."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    try:
        process = subprocess.Popen(
            [*_GIT, *command],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd="/",
            env=environment | _ENVIRONMENT | dict(places),
        )
    except FileNotFoundError:
        raise ValueError(f"{where}: no program `git` on the PATH; install git") from None
    with process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def run(
    where: Path,
    *command: str,
    places: Mapping[str, str],
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    timeout: float | None = QUICK,
) -> "subprocess.CompletedProcess[bytes]":
    """As `Git.run`, with what tells git where to look."""
    with (
        TemporaryFile() as errors,
        started(where, *command, places=places, errors=errors, stdin=stdin) as process,
    ):
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise ValueError(
                f"{where}: `git {command[0]}` has given no answer in {timeout:g} seconds; see "
                "whether its disk answers, or clone the repository again"
            ) from None
        return subprocess.CompletedProcess(command, process.returncode, output, written(errors))


def as_text(name: bytes) -> str:
    """Bytes as text that can be written: those that are not UTF-8 become `\\xNN`."""
    return name.decode("utf-8", "backslashreplace")


def printable(text: str) -> str:
    """On one line, without characters that could steer a terminal."""
    return "".join(one if one.isprintable() else " " for one in text).strip()


def written(file: IO[bytes]) -> bytes:
    """All that was written to a file, from its beginning."""
    file.seek(0)
    return file.read()
