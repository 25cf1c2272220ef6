"""The `git` program, started so that a repository which nobody trusts cannot make it do anything.

A repository's own `config`, hooks and attributes name programs, and many git commands start them.
Only plumbing that reads objects is to be started here. It gets no work tree, no transport, none of
the settings that name programs, and an environment of its own.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

# A repository's own config is read, and overridden where it could do harm. First what names a
# program (core.fsmonitor bites on the commands used here, the rest stays away all the same), then
# what changes an answer: a commit graph, for one, is a cache that may state other parents.
_SETTINGS = {
    "core.fsmonitor": "",
    "core.hooksPath": os.devnull,
    "core.sshCommand": "false",
    "core.alternateRefsCommand": "false",
    "credential.helper": "",
    "diff.external": "",
    "core.attributesFile": os.devnull,
    "core.bigFileThreshold": "512m",
    "core.commitGraph": "false",
}
_GIT = [
    "git",
    "--no-pager",
    "--no-replace-objects",
    "--literal-pathspecs",
    *(part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")),
]

# Nothing is inherited but where programs and libraries are found. GIT_DIR is given besides: then
# git searches no folder above, and reads a repository that belongs to another user, which it else
# refuses so as not to obey its config. GIT_ALLOW_PROTOCOL and not `protocol.allow`, because the
# `protocol.<name>.allow` of a repository outranks the latter.
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
_ENVIRONMENT = {
    "GIT_WORK_TREE": "/",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


@dataclass(frozen=True)
class Git:
    """Runs `git` on one repository."""

    folder: Path
    """As errors name it."""
    git_dir: Path
    """Its `.git`, or the bare repository itself."""

    @contextmanager
    def started(
        self, *command: str, errors: IO[bytes], stdin: IO[bytes] | int = subprocess.DEVNULL
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A running command; waited for always, killed where an exception leaves the `with`."""
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= _ENVIRONMENT | {"GIT_DIR": str(self.git_dir)}
        try:
            process = subprocess.Popen(
                [*_GIT, *command],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd="/",
                env=environment,
            )
        except FileNotFoundError:
            raise ValueError(f"{self.folder}: no program `git` on the PATH; install git") from None
        with process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise

    def run(self, *command: str) -> "subprocess.CompletedProcess[bytes]":
        """A command that has ended, well or not."""
        with TemporaryFile() as errors, self.started(*command, errors=errors) as process:
            output, _ = process.communicate()
            return subprocess.CompletedProcess(
                command, process.returncode, output, _written(errors)
            )

    def output(self, *command: str) -> bytes:
        """All that a command writes. Raises ValueError where it fails."""
        done = self.run(*command)
        if done.returncode:
            raise self.failure(command[0], done.stderr)
        return done.stdout

    def records(
        self, *command: str, stdin: IO[bytes] | int = subprocess.DEVNULL
    ) -> Iterator[bytes]:
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
            if process.wait():
                raise self.failure(command[0], _written(errors))

    def failure(self, command: str, errors: bytes) -> ValueError:
        """The error for a command that failed, from what it wrote on its standard error."""
        said = printable(as_text(errors)) or "it ended early"
        return ValueError(
            f"{self.folder}: `git {command}` failed: {said}; see what `git fsck` says, or fetch "
            "the repository again"
        )


def as_text(name: bytes) -> str:
    """Bytes as text that can be written: those that are not UTF-8 become `\\xNN`."""
    return name.decode("utf-8", "backslashreplace")


def printable(text: str) -> str:
    """On one line, without characters that could steer a terminal."""
    return "".join(one if one.isprintable() else " " for one in text).strip()


def _written(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
