"""Memory of this machine, for training without a GPU."""

from pathlib import Path

import psutil

SHARE = 0.5
"""Of the host's memory; the rest is for the system, other programs and the data."""

CGROUP = Path("/sys/fs/cgroup/memory.max")


def host_memory(processes: int) -> int:
    """Bytes that each of `processes` may use. Of the memory in all, not of what is free now: a run
    that is resumed has to choose the same micro-batch."""
    total = psutil.virtual_memory().total
    if CGROUP.is_file():
        limit = CGROUP.read_text(encoding="ascii").strip()
        if limit.isdigit():  # `max` where there is none
            total = min(total, int(limit))
    return int(total * SHARE / processes)
