"""Tries to get out of a jail, and prints as JSON what it could do that it should not.

Runs as a judged program does, after everything is shut.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
import time
from collections.abc import Callable

CLONE_NEWUSER = 0x10000000
PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS = 23, 39
LOOKED_AT = (
    "/proc/1/environ",
    "/proc/self/environ",
    "/sys/kernel",
    "/etc/passwd",
    "/root",
    "/home",
)
WRITTEN_TO = ("/x", "/usr/x", "/dev/x", "/etc/x", "/bin/x")
OWN_VARIABLES = {"PYTHONHASHSEED", "LC_CTYPE", "PWD", "SHLVL", "_"}
libc = ctypes.CDLL(None, use_errno=True)


def succeeds(attempt: Callable[[], object]) -> bool:
    """Whether the attempt raises no error of the system's."""
    try:
        attempt()
    except (OSError, RuntimeError):
        return False
    return True


def main(canary: str, port: int, abstract: str, processes: int, tmp_bytes: int) -> None:
    """`canary` is a file of the host's; `port` and `abstract` are listened to by the host."""
    holes = [f"reads {path}" for path in (*LOOKED_AT, canary) if os.path.exists(path)]  # noqa: PTH110
    holes += [f"writes {path}" for path in WRITTEN_TO if succeeds(lambda p=path: open(p, "w"))]  # type: ignore[misc]  # noqa: PTH123, SIM115
    if succeeds(lambda: socket.create_connection(("127.0.0.1", port), 1)):
        holes.append("reaches the host's network")
    if succeeds(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)):
        holes.append("opens sockets of the internet")
    if succeeds(lambda: socket.socket(socket.AF_UNIX).connect(abstract)):
        holes.append("reaches the host's local sockets")
    holes += [f"sees the variable {name}" for name in set(os.environ) - OWN_VARIABLES]
    if os.geteuid() == 0 or os.getegid() == 0:
        holes.append("is root")
    if os.getpid() != 1:
        holes.append("is not process 1 of its own")
    if any(libc.prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1 for number in range(41)):
        holes.append("may gain capabilities")
    if libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1:
        holes.append("may gain privileges")
    if libc.unshare(CLONE_NEWUSER) == 0:
        holes.append("makes user namespaces")
    holes += [f"holds descriptor {n}" for n in range(4, 256) if succeeds(lambda n=n: os.fstat(n))]  # type: ignore[misc]
    holes += filled(tmp_bytes) + multiplied(processes)
    print(json.dumps(holes), flush=True)


def filled(most: int) -> list[str]:
    """Whether files can hold more than `most` bytes."""
    written, piece = 0, b"x" * (1 << 20)
    for number in range(2 * most // len(piece)):
        with open(f"/tmp/fill{number}", "wb", buffering=0) as file:  # noqa: PTH123
            try:
                written += file.write(piece)
            except OSError:
                break
    return [f"writes {written:,} bytes of files"] if written > most else []


def multiplied(most: int) -> list[str]:
    """Whether there can be more than `most` processes; those that are stay behind."""
    for number in range(2 * most):
        try:
            child = os.fork()
        except OSError:
            return []
        if child == 0:
            os.setsid()
            while True:
                time.sleep(60)
        if number > most:
            break
    return [f"starts more than {most} processes"]


if __name__ == "candidate":
    main(*json.loads(sys.argv[-1]))
