"""Completions in a file, line by line as they come: a kill loses the batch that was being written.

The first line holds the settings; completions of other settings, another model or another prompt
are never put beside them.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from finetune.errors import UserError
from finetune.generation.completion import Backend, Completion, Key, Request
from finetune.generation.sampling import Sampling
from finetune.run_folder import digest_of

Show = Callable[[Completion], None]
"""Is told of each completion as it comes."""

REMEDY = "give another file, or delete this one to write all of it again"


def complete_into(
    file: Path,
    backend: Backend,
    requests: Sequence[Request],
    sampling: Sampling,
    show: Show = lambda completion: None,
) -> list[Completion]:
    """The completion of every request, in their order; those that `file` holds are not made again.

    Raises UserError where `file` was made with other settings, is damaged, or is being written to
    by another process.
    """
    wanted = {request.key: request for request in requests}
    assert len(wanted) == len(requests), "a request stands twice"
    with _held(file) as stream:
        made = _read(stream, file, {**sampling.settings, **backend.identity})
        for key, (completion, digest) in made.items():
            if key in wanted and wanted[key].digest != digest:
                raise UserError(
                    f"{file}: holds {completion.task} {completion.id} with another prompt or other "
                    f"stop strings than are asked for now; {REMEDY}"
                )
        done = {key: completion for key, (completion, _) in made.items()}
        missing = [request for request in requests if request.key not in done]
        for completion in backend.complete(missing, sampling) if missing else ():
            _append(stream, {**asdict(completion), "request": wanted[completion.key].digest})
            done[completion.key] = completion
            show(completion)
        os.fsync(stream.fileno())
    return [done[request.key] for request in requests]


def read_completions(file: Path) -> list[Completion]:
    """All completions of a file, in its order. Raises UserError where it is not one, or damaged."""
    try:
        with file.open("rb") as stream:
            lines = [line for line in stream if line.endswith(b"\n")]  # a torn one was never whole
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
    rows = [_parsed(line, number, file) for number, line in enumerate(lines, start=1)]
    if not rows or not isinstance(rows[0].get("settings"), dict):
        raise UserError(f"{file}: is no file of completions; `--generate-only` writes them")
    return [_completion(row, number, file)[0] for number, row in enumerate(rows[1:], start=2)]


def num_written(file: Path, requests: Sequence[Request]) -> int:
    """How many of these requests a file already answers, where there is such a file."""
    if not file.is_file():
        return 0
    with file.open("rb") as stream:
        lines = [json.loads(line) for line in stream if line.endswith(b"\n")]
    written = {(line["task"], line["id"], line["sample"]) for line in lines[1:]}
    return sum(request.key in written for request in requests)


@contextmanager
def _held(file: Path) -> Iterator[IO[bytes]]:
    """The file, open for this process alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{file}: another process is writing to it; wait for it or stop it"
            ) from None
        yield stream


def _read(
    stream: IO[bytes], file: Path, settings: dict[str, Any]
) -> dict[Key, tuple[Completion, str]]:
    """What the file holds; a torn last line is cut off, and an empty file gets its first line."""
    stream.seek(0)
    lines = stream.read().split(b"\n")
    torn = lines.pop()
    if torn:
        stream.truncate(stream.tell() - len(torn))
        stream.seek(0, os.SEEK_END)
    if not lines:
        _append(stream, {"digest": digest_of(settings), "settings": settings})
        return {}
    head, *rows = (_parsed(line, number, file) for number, line in enumerate(lines, start=1))
    if not rows and head.get("digest") != digest_of(settings):  # nothing is lost
        stream.truncate(0)
        _append(stream, {"digest": digest_of(settings), "settings": settings})
        return {}
    _refuse_others(head, settings, file)
    made = {}
    for number, row in enumerate(rows, start=2):
        completion, digest = _completion(row, number, file)
        made[completion.key] = completion, digest
    return made


def _completion(row: dict[str, Any], number: int, file: Path) -> tuple[Completion, str]:
    """A line of a file, and the digest of the request that it answers."""
    try:
        digest = str(row.pop("request"))
        return Completion(**row), digest
    except (KeyError, TypeError):
        raise UserError(f"{file}:{number}: is no completion; {REMEDY}") from None


def _parsed(line: bytes, number: int, file: Path) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UserError(f"{file}:{number}: is not a JSON object; {REMEDY}")
    return value


def _refuse_others(head: dict[str, Any], settings: dict[str, Any], file: Path) -> None:
    if head.get("digest") == digest_of(settings):
        return
    there = head.get("settings")
    if not isinstance(there, dict):
        raise UserError(f"{file}:1: states no settings; {REMEDY}")
    differences = [
        f"{name} {there.get(name)!r} there, {settings.get(name)!r} here"
        for name in sorted({*there, *settings})
        if there.get(name) != settings.get(name)
    ]
    raise UserError(f"{file}: was made with other settings ({'; '.join(differences)}); {REMEDY}")


def _append(stream: IO[bytes], line: dict[str, Any]) -> None:
    # Half of a surrogate pair, which a server may send, is no UTF-8: escaped, it is plain ASCII.
    stream.write(json.dumps(line).encode() + b"\n")
    stream.flush()
