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

DENIED: dict[str, tuple[int, int | None]] = {
    # Namespaces and mounts.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    # Other processes.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    # The kernel itself.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    # More of it.
    "syslog": (103, 116),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "_sysctl": (156, None),
    "uselib": (134, None),
    "iopl": (172, None),
    "ioperm": (173, None),
    "personality": (135, 92),
    # Keys and handles.
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    # Names.
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    # Memory that no limit counts.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
}
"""Calls that fail with EPERM, with their numbers on x86-64 and on ARM64 (None: not there)."""

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
    column = list(AUDIT_ARCHITECTURE).index(machine)
    for numbers in DENIED.values():
        if (number := numbers[column]) is not None:
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
