"""The last steps of a process before it becomes a program that is not trusted.

Namespaces of its own within the jail's, an empty /tmp of bounded size, limits, no capabilities, and
a filter of system calls. Each step that the kernel refuses ends the process: nothing runs half shut
in.
"""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path
from typing import Any

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x20000, 0x8000000, 0x20000000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3 = 0x20080522
MAX_CAPABILITY = 63

libc = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """`struct sock_fprog`: a program for the kernel's packet filter."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def _checked(what: str, result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what + ": " + os.strerror(ctypes.get_errno()))


def new_namespaces() -> None:
    """The next child is process 1 of its own, and mounts are seen by none outside."""
    _checked("unshare", libc.unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID))
    _checked("mount /", libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))


def new_folder(path: str, size: int, files: int) -> None:
    """An empty folder at `path` that holds at most `size` bytes."""
    options = f"size={size},nr_inodes={files},mode=0777".encode()
    flags = MS_NOSUID | MS_NODEV
    _checked("mount " + path, libc.mount(b"tmpfs", path.encode(), b"tmpfs", flags, options))


def limit(limits: dict[str, int]) -> None:
    """Sets hard and soft limits by the names that `resource` gives them."""
    for name, most in limits.items():
        number = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(number)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # A signal comes at the soft limit of CPU time, and SIGKILL a second later.
        soft = max(1, most - 1) if name == "CPU" else most
        resource.setrlimit(number, (soft, most))


def drop_privileges(instructions: bytes) -> None:
    """No capabilities, none to be gained, and the filter of system calls."""
    for capability in range(MAX_CAPABILITY + 1):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # the kernel knows no more of them
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    _checked("capset", libc.capset(header, (ctypes.c_uint32 * 6)()))
    _checked("no_new_privs", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked("not dumpable", libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    program = Filter(len(instructions) // 8, instructions)
    _checked(
        "seccomp", libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    )


def shut_in(job: dict[str, Any]) -> None:
    """All of it, in the process that is to run the program."""
    if job["links"]:
        new_folder("/proc", 4096, 8)
    for path, target in job["links"].items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).symlink_to(target)
    new_folder("/tmp", job["tmp_bytes"], job["tmp_files"])
    os.chdir("/tmp")
    for path, text in job["files"].items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
    limit(job["limits"])
    drop_privileges(bytes.fromhex(job["filter"]))
