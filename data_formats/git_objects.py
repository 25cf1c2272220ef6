"""Objects of a repository by their ids: how large they are, what they hold, and commits.

What is missing or damaged is told, not raised: a repository can lack an object and be of use.
"""

import codecs
import os
import re
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

from data_formats.git_process import Git, as_text, printable, written

AT_ONCE = 32
"""Ids that are asked for together. Question and answer fit into the smallest pipe."""

# Decoded in one pass over the bytes, unlike punycode, and text, unlike what only encodes bytes.
_ENCODINGS = re.compile(
    r"utf-8|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|tis-620|"
    r"euc_\w+|shift_jis\w*|iso2022_\w+|gb2312|gbk|gb18030|big5\w*|hz|johab"
)
_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Commit:
    """What is read of a commit. Names and addresses are not."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    subject: str
    """The message's first paragraph on one line; empty where there is none."""
    message: str | None
    """None where its bytes do not agree with its stated encoding (UTF-8 where none is stated)."""
    author_time: int | None
    """Seconds since 1970, UTC; None where the commit states none."""


@dataclass(frozen=True)
class _Running:
    """A process that answers; ends with `stack`."""

    process: "subprocess.Popen[bytes]"
    errors: IO[bytes]
    stack: ExitStack


class Objects:
    """Objects of one repository by id, one after the other, through processes that stay open.

    A process that ends over an object is begun again for the next one.
    """

    def __init__(self, git: Git) -> None:
        self._git = git
        self._running: dict[str, _Running] = {}

    def close(self) -> None:
        """End the processes."""
        while self._running:
            self._running.popitem()[1].stack.close()

    def size(self, object_id: str) -> int | None:
        """Bytes of an object, or None where it is not in this clone. Its content is not read."""
        return self.sizes([object_id])[0]

    def sizes(self, object_ids: Sequence[str]) -> list[int | None]:
        """The size of each."""
        found: list[int | None] = []
        while len(found) < len(object_ids):
            asked = object_ids[len(found) : len(found) + AT_ONCE]
            answers = self._answers("--batch-check", asked)
            found += [answer[1] for answer in answers]
            if len(answers) < len(asked):  # git ended over the one after these
                found.append(None)
        return found

    def content(self, object_id: str) -> bytes | None:
        """All bytes of an object: look at its size first. None where it is missing or damaged."""
        content = self._content(object_id)[1]
        assert not isinstance(content, int)
        return content

    def content_up_to(self, object_id: str, most: int) -> bytes | int | None:
        """The same, and its size where that is more than `most`."""
        return self._content(object_id, most)[1]

    def commit(self, sha: str) -> Commit | None:
        """None where it is missing or damaged. Raises ValueError where it is no commit."""
        kind, content = self._content(sha)
        assert not isinstance(content, int)
        if content is None:
            return None
        if kind != "commit":
            raise ValueError(f"{self._git.folder}: {sha} is a {kind}; give the id of a commit")
        return _commit(sha, content)

    def _content(self, object_id: str, most: int | None = None) -> tuple[str, bytes | int | None]:
        """Type and content of an object; its size where that is more than `most`."""
        kind, size = next(iter(self._answers("--batch", [object_id])), ("", None))
        if size is None:
            return kind, None
        if most is not None and size > most:
            self._running.pop("--batch").stack.close()  # sooner than reading what is not wanted
            return kind, size
        stdout = self._running["--batch"].process.stdout
        assert stdout is not None
        content = stdout.read(size + 1)
        if len(content) <= size:
            self._end("--batch")
            return kind, None
        return kind, content[:-1]

    def _answers(self, mode: str, object_ids: Sequence[str]) -> list[tuple[str, int | None]]:
        """Type and size of objects, as far as git comes: the first lines of its answers."""
        process = self._process(mode)
        assert process.stdin is not None
        assert process.stdout is not None
        asked = "".join(f"{checked(one)}\n" for one in object_ids).encode()
        found: list[tuple[str, int | None]] = []
        try:
            # Past Python's buffer, which would try to write the same again when it is closed.
            os.write(process.stdin.fileno(), asked)
        except BrokenPipeError:
            self._end(mode)
            return found
        for object_id in object_ids:
            words = process.stdout.readline().decode().split()
            if words == [object_id, "missing"]:
                found.append(("", None))
            elif len(words) == 3:
                found.append((words[1], int(words[2])))
            else:
                self._end(mode)
                break
        return found

    def _process(self, mode: str) -> "subprocess.Popen[bytes]":
        if mode not in self._running:
            with ExitStack() as stack:
                errors = stack.enter_context(TemporaryFile())
                process = stack.enter_context(
                    self._git.started("cat-file", mode, errors=errors, stdin=subprocess.PIPE)
                )
                self._running[mode] = _Running(process, errors, stack.pop_all())
        return self._running[mode].process

    def _end(self, mode: str) -> None:
        """Wait for a process that has stopped answering.

        Raises where that was not for the object's sake: it was killed, or git said nothing.
        """
        running = self._running.pop(mode)
        for pipe in (running.process.stdin, running.process.stdout):
            assert pipe is not None
            pipe.close()
        code = running.process.wait()
        errors = written(running.errors)
        running.stack.close()
        if code <= 0:
            raise self._git.failure("cat-file", code, errors)


def subject_of(message: str) -> str:
    """The first paragraph of a message on one line, which is what git calls its subject."""
    lines: list[str] = []
    for line in message.split("\n"):
        if line.strip():
            lines.append(line.strip())
        elif lines:
            break
    return " ".join(lines)


def checked(object_id: str) -> str:
    """Refuse what is no full id: a name could stand for an option, or for a second line."""
    if not _OBJECT_ID.fullmatch(object_id):
        raise ValueError(f"`{printable(object_id)}` is no full object id; resolve it first")
    return object_id


def _commit(sha: str, content: bytes) -> Commit:
    """A commit from its object: lines of a key and a value, an empty line, the message."""
    head, _, body = content.partition(b"\n\n")
    parents, tree, encoding, author_time = [], "", "utf-8", None
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(as_text(value))
        elif key == b"tree" and not tree:
            tree = as_text(value)
        elif key == b"encoding":
            encoding = as_text(value)
        elif key == b"author" and (time := re.search(rb"> (\d{1,12}) [+-]\d+$", value)):
            author_time = int(time[1])
    message = _decoded(body, encoding)
    subject = subject_of(message) if message is not None else ""
    return Commit(sha, tree, tuple(parents), subject, message, author_time)


def _decoded(body: bytes, encoding: str) -> str | None:
    """The message as its encoding has it, None where that is not known or does not fit."""
    try:
        if not _ENCODINGS.fullmatch(codecs.lookup(encoding).name):
            return None
        message = body.decode(encoding)
        message.encode()  # some encodings can state half of a surrogate pair
    except (LookupError, ValueError):  # no such encoding; no such text
        return None
    return message
