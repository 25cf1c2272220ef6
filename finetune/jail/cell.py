"""A jail that is running: programs go in one after the other, and each ends with all it started."""

import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import psutil

from finetune.jail.backends import Backend, outside_user
from finetune.jail.filters import seccomp_filter
from finetune.jail.limits import Limits

GRACE = 3.0
"""Seconds beyond a program's time in which the jail itself must have answered."""
PATIENCE = 3
"""How many times its computing time may go by until a program has ended: others compute, too."""
START = 60.0
"""Seconds in which a jail must be up, on a machine however loaded."""
TICK = 0.25
"""Seconds between two looks at the memory of a jail."""
ROOMY = 4
"""How many times as much compilers and their like may have."""
PARTS = ("wire", "agent", "confine", "supervisor")
BOOT = """
import socket, sys, types
def whole(count):
    parts = b""
    while len(parts) < count:
        part = given.recv(count - len(parts))
        if not part:
            sys.exit(0)
        parts += part
    return parts
given = socket.socket(fileno=DESCRIPTOR)
import json
sources, start, arguments = json.loads(whole(int.from_bytes(whole(8), "big")))
for name, text in sources.items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
sys.modules[start].main(given.detach(), *arguments)
"""
"""Takes our sources from the socket and runs the last: none of our files need be open to all."""
WARM = (
    "abc array ast bisect calendar cmath collections contextlib copy dataclasses datetime decimal "
    "enum fractions functools hashlib heapq inspect io itertools json math numbers operator os "
    "queue random re statistics string struct textwrap threading time traceback types typing"
).split()
"""Modules that are loaded before programs come, because many of them ask for one."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    status: int
    """Its exit status; negative for a signal. It proves nothing about tests."""
    late: bool
    """Whether it was ended because its time was over."""
    seconds: float
    output: str
    """The beginning of what it printed, as it came: not fit for a terminal."""
    output_bytes: int
    """All that it printed."""
    tail: str = ""
    """The end of what it printed."""
    overfull: bool = False
    """Whether the jail was ended because it held too much memory."""


class Broken(Exception):
    """The jail itself went wrong: nothing is known of the program."""


@dataclass(kw_only=True)
class Job:
    """A program to run: either Python source that answers calls, or files and commands."""

    source: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[Sequence[str]] = ()
    hidden: Sequence[str] = ()
    """Files that are removed before the last step."""
    environment: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    """Links below /proc, which is an empty folder otherwise, to what they lead to."""
    unlimited_address_space: bool = False
    """For runtimes that reserve far more than they use; the jail's whole memory is watched."""
    compile_seconds: float = 0.0
    """Added to the time, where there are steps before the last."""
    roomy: bool = False
    """For compilers and runtimes: more processes and larger files than a program may have."""


def sources(parts: Sequence[str]) -> dict[str, str]:
    """Texts of the files in `inside`, by the names under which they import each other."""
    folder = files("finetune.jail.inside")
    return {
        f"finetune.jail.inside.{part}": (folder / f"{part}.py").read_text(encoding="utf-8")
        for part in parts
    }


def boot(channel: socket.socket, parts: Sequence[str], arguments: Sequence[object]) -> None:
    """Sends what BOOT waits for; the last of `parts` is the one that is started."""
    start = f"finetune.jail.inside.{parts[-1]}"
    text = json.dumps([sources(parts), start, list(arguments)]).encode()
    channel.sendall(len(text).to_bytes(8, "big") + text)


class Cell:
    """One outer jail with its process 1. Not for several threads at once."""

    def __init__(self, backend: Backend, python: str, folders: Sequence[str] = ()) -> None:
        """Starts it. Raises Broken, with what the back end says, where it does not come up."""
        self._filter = seccomp_filter().hex()
        self._requests, theirs = socket.socketpair()
        number = theirs.fileno()
        run = [python, "-sSB", "-c", BOOT.replace("DESCRIPTOR", str(number))]
        # Set by nothing but this: what a launcher's own environment holds can be read inside.
        run = ["/usr/bin/env", "-i", "PYTHONHASHSEED=0", *run]
        user = outside_user()
        with theirs:
            self._process = subprocess.Popen(
                backend.command(folders, run, number),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[number],
                env={},
                cwd="/",
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self._said = self._process.stdout
        try:
            boot(self._requests, PARTS, [WARM])
            self._requests.settimeout(START)
            answer = self._requests.recv(5)
        except OSError as error:
            answer = str(error).encode()
        if answer != b"ready":
            said = self._last_words()
            raise Broken(f"{backend.name} did not start: {said or answer.decode() or 'no reason'}")

    @property
    def pid(self) -> int:
        """Of the back end's process; everything in the jail is below it."""
        return self._process.pid

    def _last_words(self) -> str:
        self.kill()
        with self._said as said:
            words = said.read(2000).decode("utf-8", "replace").strip()
        self.close()
        return words

    def start(self, job: Job, limits: Limits, wire: socket.socket | None = None) -> "Running":
        """Starts a program; `wire` is its end of a socket to whoever questions it."""
        control, theirs = socket.socketpair()
        seconds = limits.seconds + job.compile_seconds
        request = {
            "source": job.source,
            "files": dict(job.files),
            "steps": [list(step) for step in job.steps],
            "hidden": list(job.hidden),
            "environment": dict(job.environment),
            "links": dict(job.links),
            "seconds": seconds,
            "wall": seconds * PATIENCE,
            "keep": limits.output_bytes,
            "tmp_bytes": limits.tmp_bytes * (ROOMY if job.roomy else 1),
            "tmp_files": limits.tmp_files * (ROOMY if job.roomy else 1),
            "limits": _resource_limits(limits, job, seconds),
            "last_limits": {"CPU": int(limits.seconds) + 2},
            "filter": self._filter,
        }
        text = json.dumps(request).encode()
        given = [theirs.fileno(), *([wire.fileno()] if wire is not None else [])]
        try:
            self._requests.settimeout(START)
            socket.send_fds(self._requests, [len(text).to_bytes(4, "big")], given)
            self._requests.sendall(text)
        except OSError as error:
            control.close()
            raise Broken(f"the jail is gone: {error}") from None
        finally:
            theirs.close()
        return Running(control, time.monotonic() + seconds * PATIENCE + GRACE, self._hold(limits))

    def _hold(self, limits: Limits) -> Callable[[], bool]:
        """A look at the jail that ends it, and says so, where it holds too much memory."""

        def overfull() -> bool:
            if held_memory(self._process.pid) <= limits.memory:
                return False
            self.kill()
            return True

        return overfull

    def kill(self) -> None:
        """Ends the jail and everything in it."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._process.kill()

    def close(self) -> None:
        """Ends the jail and waits until it is gone."""
        self._requests.close()
        self._said.close()
        self.kill()
        self._process.wait()

    def __enter__(self) -> "Cell":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def held_memory(pid: int) -> int:
    """Bytes in the memory of a process and all below it."""
    try:
        top = psutil.Process(pid)
        family = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for one in family:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue  # ended since
    return total


def _resource_limits(limits: Limits, job: Job, seconds: float) -> dict[str, int]:
    more = ROOMY if job.roomy else 1
    own = {
        "CPU": int(seconds) + 2,
        "FSIZE": limits.file_bytes * more,
        "NOFILE": limits.open_files * more,
        "NPROC": limits.processes * more,
        "CORE": 0,
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
    }
    return own if job.unlimited_address_space else {**own, "AS": limits.memory}


class Running:
    """A program that was started."""

    def __init__(
        self, control: socket.socket, deadline: float, overfull: Callable[[], bool]
    ) -> None:
        self._control, self._deadline, self._overfull = control, deadline, overfull
        self._ended_for_memory = False

    def wait(self, also: socket.socket | None = None) -> bool:
        """Until the program has ended, or `also` can be read. Whether it is `also`.

        Raises Broken where the jail has not kept the program's time.
        """
        watched = [self._control, *([also] if also is not None else [])]
        while True:
            ready = select.select(watched, [], [], TICK)[0]
            if also is not None and also in ready:
                return True
            if ready:
                return False
            if self._overfull():
                self._ended_for_memory = True
                return False
            if time.monotonic() > self._deadline:
                raise Broken("the jail did not keep a program's time")

    def end(self) -> Ended:
        """Ends the program with all that it started, and tells how it ended. Raises Broken."""
        with self._control:
            if self._ended_for_memory:
                return Ended(-signal.SIGKILL, False, 0.0, "", 0, overfull=True)
            try:
                self._control.shutdown(socket.SHUT_WR)
                self._control.settimeout(GRACE)
                told: dict[str, Any] = json.loads(self._read())
            except (OSError, ValueError) as error:
                raise Broken(f"the jail is gone: {error}") from None
        if "broken" in told:
            raise Broken(told["broken"])
        return Ended(**told)

    def _read(self) -> bytes:
        parts = b""
        while part := self._control.recv(1 << 16):
            parts += part
        return parts[4:]
