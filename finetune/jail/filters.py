"""The filter of system calls: what no judged program needs and what would reach out of its jail.

A classic BPF program for `seccomp`, assembled here: one comparison a line. Everything else is
allowed, since namespaces, capabilities and limits hold it.
"""

import platform
import struct
from collections.abc import Sequence

from finetune.errors import Refused

LOAD_WORD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST, SECOND = 0, 4, 16, 24
"""Offsets in `struct seccomp_data`; of an argument, its lower 32 bits."""
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
NEW_NAMESPACES = 0x7E020080
"""Flags of clone(2) that make a namespace of any kind."""
AF_UNIX = 1
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
X32_BIT = 0x40000000

AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

DENIED = {
    "x86_64": {
        "namespaces and mounts": [272, 308, 165, 166, 155, 161, 428, 429, 430, 431, 432, 433, 442],
        "other processes": [101, 310, 311, 312, 438, 440, 448],
        "the kernel itself": [321, 298, 323, 425, 426, 427, 175, 313, 176, 246, 320, 169, 167, 168],
        "more of it": [103, 163, 164, 227, 159, 305, 179, 443, 212, 180, 156, 134, 172, 173, 135],
        "keys and handles": [248, 249, 250, 303, 304, 300, 301],
        "names": [170, 171, 153],
        "memory that no limit counts": [319, 447, 29, 64, 68, 240],
    },
    "aarch64": {
        "namespaces and mounts": [97, 268, 40, 39, 41, 51, 428, 429, 430, 431, 432, 433, 442],
        "other processes": [117, 270, 271, 272, 438, 440, 448],
        "the kernel itself": [280, 241, 282, 425, 426, 427, 105, 273, 106, 104, 294, 142, 224, 225],
        "more of it": [116, 89, 170, 112, 171, 266, 60, 443, 18, 42, 92],
        "keys and handles": [217, 218, 219, 264, 265, 262, 263],
        "names": [161, 162, 58],
        "memory that no limit counts": [279, 447, 194, 190, 186, 180],
    },
}
"""Numbers of unshare, setns, mount, pivot_root, ptrace, process_vm_writev, bpf, io_uring_setup,
memfd_create, shmget and their like, from the kernel's tables."""

SPECIAL = {
    "x86_64": {"clone": 56, "clone3": 435, "socket": 41, "socketpair": 53, "ioctl": 16},
    "aarch64": {"clone": 220, "clone3": 435, "socket": 198, "socketpair": 199, "ioctl": 29},
}


def seccomp_filter(machine: str = platform.machine()) -> bytes:
    """The program for this machine, 8 bytes an instruction. Raises Refused for a machine unknown.

    clone3 does not exist, since its flags lie in memory where a filter cannot look: the C library
    goes back to clone, whose flags are looked at. Sockets are local ones only: a virtual machine's
    own kind (AF_VSOCK) is not held by a network namespace.
    """
    if machine not in SPECIAL:
        raise Refused(f"no filter of system calls is known for {machine}: judge on x86-64 or ARM64")
    special = SPECIAL[machine]
    program = [
        _load(ARCHITECTURE),
        _instruction(JUMP_EQUAL, 1, 0, AUDIT_ARCHITECTURE[machine]),
        _answer(KILL),
        _load(NUMBER),
        _instruction(JUMP_GREATER_EQUAL, 0, 1, X32_BIT),
        _answer(ERRNO | ENOSYS),
    ]
    for numbers in DENIED[machine].values():
        for number in numbers:
            program += [_instruction(JUMP_EQUAL, 0, 1, number), _answer(ERRNO | EPERM)]
    program += [_instruction(JUMP_EQUAL, 0, 1, special["clone3"]), _answer(ERRNO | ENOSYS)]
    program += _when(special["clone"], FIRST, [(JUMP_ANY_BIT, NEW_NAMESPACES, True)], ERRNO | EPERM)
    for name in ("socket", "socketpair"):
        program += _when(special[name], FIRST, [(JUMP_EQUAL, AF_UNIX, False)], ERRNO | EAFNOSUPPORT)
    for request in (TIOCSTI, TIOCLINUX):
        program += _when(special["ioctl"], SECOND, [(JUMP_EQUAL, request, True)], ERRNO | EPERM)
    return b"".join([*program, _answer(ALLOW)])


def _instruction(code: int, when_true: int, when_false: int, operand: int) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, operand)


def _load(offset: int) -> bytes:
    return _instruction(LOAD_WORD, 0, 0, offset)


def _answer(value: int) -> bytes:
    return _instruction(RETURN, 0, 0, value)


def _when(
    number: int, argument: int, tests: Sequence[tuple[int, int, bool]], answer: int
) -> list[bytes]:
    """For that call alone: `answer` where the argument's test comes out as told, else go on."""
    ((code, operand, denied_when),) = tests
    body = [
        _load(argument),
        _instruction(code, 0, 1, operand) if denied_when else _instruction(code, 1, 0, operand),
        _answer(answer),
        _load(NUMBER),
    ]
    return [_instruction(JUMP_EQUAL, 0, len(body), number), *body]
