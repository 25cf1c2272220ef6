"""What one judged program may use."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one program, all of its processes and threads together unless told otherwise."""

    seconds: float = 10.0
    """Computing time of its first process, so that a verdict does not hang on what else the
    machine does; three times as long may go by from its start to the end of its tests."""
    memory: int = 2048 * MEBIBYTE
    """Bytes of address space of one process, and of memory that all of them hold."""
    processes: int = 32
    """Processes and threads."""
    file_bytes: int = 8 * MEBIBYTE
    """Bytes of one file that it writes."""
    tmp_bytes: int = 32 * MEBIBYTE
    """Bytes of all its files: `/tmp` is the only place that can be written to."""
    tmp_files: int = 512
    """Files and folders there."""
    open_files: int = 64
    """File descriptors, per process."""
    output_bytes: int = 4000
    """Bytes of its output that are kept; what comes behind is thrown away."""
