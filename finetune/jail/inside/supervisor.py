"""Process 1 of a jail: starts one program at a time, shut in further, and ends all of it.

For each job it makes a watcher, and the watcher makes process 1 of a namespace of its own in which
the program runs. The watcher keeps the time, takes the output in, kills that process, and with it
the kernel kills whatever the program has started. It speaks to the evaluator over a socket that the
program does not have. Capabilities are held by this process and the watcher alone; neither runs a
line of what is judged.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from finetune.jail.inside.agent import serve
from finetune.jail.inside.confine import limit, new_namespaces, shut_in

HEADER = 4
CONTROL, WIRE = 0, 1
CPUCLOCK_SCHED = 2
"""The low bits of the clock of a process, after `linux/posix-timers.h`."""
TAIL = 500
"""Bytes at the end of the output that are kept whatever comes before them."""
COMPILE_FAILED = 120
"""Status of a program of several steps of which one before the last went wrong."""


def main(descriptor: int, warm: list[str]) -> None:
    """Answers the evaluator until it closes `descriptor`."""
    sys.path[:] = [entry for entry in sys.path if entry]
    for name in warm:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    requests = socket.socket(fileno=descriptor)
    requests.sendall(b"ready")
    while True:
        head, given, _, _ = socket.recv_fds(requests, HEADER, 2)
        if len(head) < HEADER:
            return
        job = json.loads(_whole(requests, int.from_bytes(head, "big")))
        watcher = os.fork()
        if watcher == 0:
            requests.close()
            _watch(job, given)
            os._exit(0)
        for one in given:
            os.close(one)
        os.waitpid(watcher, 0)


def _whole(source: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = source.recv(min(count, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _watch(job: dict[str, Any], given: list[int]) -> None:
    """Runs the job in a child and tells on `given[CONTROL]` how it ended."""
    control = socket.socket(fileno=given[CONTROL])
    output, program_output = os.pipe()
    shut, program_shut = os.pipe()
    try:
        new_namespaces()
        started = time.monotonic()
        program = os.fork()
        if program == 0:
            _become(job, given, program_output, program_shut)
        os.close(program_output)
        os.close(program_shut)
        for one in given[WIRE:]:
            os.close(one)
        kept, total, late = _wait(program, control, output, job)
        os.kill(program, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
        told: dict[str, Any] = {
            "status": status,
            "late": late or status in (-signal.SIGXCPU, 128 + signal.SIGXCPU),
            "seconds": time.monotonic() - started,
            "output": kept[: job["keep"]].decode("utf-8", "replace"),
            "tail": kept[-TAIL:].decode("utf-8", "replace"),
            "output_bytes": total,
        }
        if not os.read(shut, 1):
            told = {"broken": "could not be shut in: " + told["output"]}
    except OSError as error:
        told = {"broken": str(error)}
    text = json.dumps(told).encode()
    try:
        control.sendall(len(text).to_bytes(HEADER, "big") + text)
    except OSError:
        return  # the evaluator no longer listens


def _wait(
    program: int, control: socket.socket, output: int, job: dict[str, Any]
) -> tuple[bytes, int, bool]:
    """Until the program ends, its time is over, or the evaluator says so.

    The output in short, how long it was, and whether it was the time.
    """
    deadline, keep = time.monotonic() + job["wall"], job["keep"]
    ended = os.pidfd_open(program)
    poll = select.poll()
    for one in (ended, control.fileno(), output):
        poll.register(one, select.POLLIN)
    kept, total, over, late = b"", 0, False, False
    while not over:
        left = min(deadline - time.monotonic(), job["seconds"] - _cpu_seconds(program))
        late = left <= 0
        ready = {one for one, _ in poll.poll(max(0.0, left) * 1000)}
        over = late or bool(ready & {ended, control.fileno()})
        if output in ready:
            part = os.read(output, 1 << 16)
            total += len(part)
            kept = _cut(kept + part, keep)
            if not part:
                poll.unregister(output)
    return (*_rest(output, kept, keep, total), late)


def _cpu_seconds(process: int) -> float:
    """Time that a process has computed for; on a busy machine it is less than has gone by."""
    try:
        return time.clock_gettime((~process << 3) | CPUCLOCK_SCHED)
    except OSError:
        return 0.0  # it has ended


def _rest(output: int, kept: bytes, keep: int, total: int) -> tuple[bytes, int]:
    """What still lies in the pipe, without waiting for more."""
    os.set_blocking(output, False)
    try:
        part = os.read(output, 1 << 16)
    except BlockingIOError:
        part = b""
    return _cut(kept + part, keep), total + len(part)


def _cut(text: bytes, keep: int) -> bytes:
    """Its first `keep` bytes and its end."""
    return text if len(text) <= keep + TAIL else text[:keep] + text[-TAIL:]


def _become(job: dict[str, Any], given: list[int], output: int, shut: int) -> None:
    """The program itself; does not return. One byte on `shut` says that it is shut in."""
    status = 1
    try:
        os.setsid()  # else a signal to its group would reach this jail's other processes
        empty = os.open("/dev/null", os.O_RDONLY)
        wire = os.dup(given[WIRE]) if len(given) > WIRE else os.dup(empty)
        os.set_inheritable(wire, True)
        for number, one in enumerate((empty, output, output)):
            os.dup2(one, number)
        keep = os.dup(shut)
        os.dup2(wire, 3)
        os.dup2(keep, 4)
        os.closerange(5, 1024)
        shut_in(job)
        os.write(4, b"1")
        os.close(4)
        if job["steps"]:
            status = _steps(job)
        else:
            sys.stdin = open(0)  # noqa: SIM115
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
            serve(3, job["source"])
            status = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        try:
            sys.stdout.flush()
        finally:
            os._exit(status)


def _steps(job: dict[str, Any]) -> int:
    """Runs the commands one after the other; the last one has what came over the wire as input."""
    last = len(job["steps"]) - 1
    for number, step in enumerate(job["steps"]):
        if number == last:
            for path in job["hidden"]:
                Path(path).unlink()
        child = os.fork()
        if child == 0:
            if number == last:
                os.dup2(3, 0)
                limit(job["last_limits"])
            os.closerange(3, 1024)
            try:
                os.execve(step[0], step, job["environment"])
            finally:
                os._exit(127)
        status = os.waitstatus_to_exitcode(_reap(child))
        if number < last and status != 0:
            return COMPILE_FAILED
    return status if status >= 0 else 128 - status


def _reap(child: int) -> int:
    """Waits for `child`, and for orphans on the way: this is process 1."""
    while True:
        ended, status = os.wait()
        if ended == child:
            return status
