"""Which Python runs inside a jail."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from finetune.errors import Refused

SYSTEM = ("/usr/bin/python3", "/usr/local/bin/python3")
OLDEST = (3, 10)


@cache
def jail_python() -> tuple[str, tuple[str, ...]]:
    """The interpreter, and folders outside /usr that it needs.

    The system's, because a folder that only its owner may enter cannot be seen from a jail; else
    our own, where all may read it. Raises Refused where neither will do.
    """
    for path in SYSTEM:
        if Path(path).exists() and _version(path) >= OLDEST:
            return str(Path(path).resolve()), ()
    own, prefix = Path(sys.executable).resolve(), Path(sys.base_prefix)
    if open_to_all(own) and prefix != Path("/"):
        return str(own), (str(prefix),)
    raise Refused(
        f"no Python for the jail: {own} lies in a folder that only its owner may enter; install "
        f"the system's (apt-get install python3), {'.'.join(map(str, OLDEST))} or newer"
    )


def open_to_all(file: Path) -> bool:
    """Whether users without rights may run it."""
    return os.access(file, os.X_OK) and all(
        part.stat().st_mode & 0o001 for part in (file, *file.parents)
    )


def _version(path: str) -> tuple[int, ...]:
    code = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run(
        [path, "-I", "-S", "-c", code], capture_output=True, text=True, check=False, env={}
    )
    return tuple(int(part) for part in done.stdout.split()) if done.returncode == 0 else (0,)
