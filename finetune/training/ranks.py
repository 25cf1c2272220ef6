"""How the ranks of one launch end, told to the command that started their launcher.

A launcher knows exit codes alone, turns each into 1, and adds a traceback of its own. So `finetune
train` names a folder in FINETUNE_RANKS; each rank writes there who it is, and at its end why. Who
is gone without a word was killed. A rank that has told its end exits with 0, and the launcher has
nothing to add.
"""

import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from finetune.run_folder import read_json, write_json

VARIABLE = "FINETUNE_RANKS"
STOPPED = 143
"""Exit code of a rank that saved after SIGTERM."""


@dataclass(frozen=True, kw_only=True)
class End:
    """Why a rank ended."""

    code: int
    """As of `finetune`: 0 done, 1 failed, 2 the user's mistake, 3 the doctor refused, 143 stopped
    after saving."""
    message: str = ""
    traceback: str = ""
    """Where nothing but a traceback explains it."""

    @property
    def is_failure(self) -> bool:
        return self.code not in (0, STOPPED)


def rank_here() -> int:
    """The number of this process among all, as launchers state it."""
    return int(os.environ.get("RANK", "0"))


def announce() -> None:
    """Write who this rank is, where somebody wants to know."""
    if VARIABLE in os.environ:
        write_json(_own_file(), {"pid": os.getpid()})


def tell(end: End) -> bool:
    """Write how this rank ends; whether somebody wants to know."""
    if VARIABLE not in os.environ:
        return False
    write_json(_own_file(), {"pid": os.getpid(), "time": time.time(), "end": asdict(end)})
    return True


def _own_file() -> Path:
    return Path(os.environ[VARIABLE]) / f"rank-{rank_here()}.json"


@dataclass
class Watch:
    """What the ranks of this machine have told so far, and who is gone without a word."""

    folder: Path
    lost: list[int] = field(default_factory=list)
    """Ranks that were killed, the first one first."""
    ends: dict[int, End] = field(default_factory=dict)
    """In the order in which they were told."""
    living: dict[int, int] = field(default_factory=dict)
    """Process ids by rank."""
    is_lost: bool = False
    """Whether the first thing that went wrong is that a rank was killed."""
    _is_decided: bool = False

    def look(self) -> None:
        """See what has changed."""
        told: list[tuple[float, int, End]] = []
        self.living = {}
        for file in sorted(self.folder.glob("rank-*.json")):
            rank = int(file.stem.partition("-")[2])
            is_running = _is_running(read_json(file)["pid"])
            found = read_json(file)  # again: it may have told its end before it was gone
            if "end" in found:
                told.append((found["time"], rank, End(**found["end"])))
            elif not is_running and rank not in self.lost:
                self.lost.append(rank)
            if is_running:
                self.living[rank] = found["pid"]
        self.ends = {rank: end for _, rank, end in sorted(told, key=lambda one: one[:2])}
        if self.is_broken and not self._is_decided:
            self.is_lost, self._is_decided = bool(self.lost), True

    @property
    def failures(self) -> dict[int, End]:
        """Ranks that have told a bad end, the first one first."""
        return {rank: end for rank, end in self.ends.items() if end.is_failure}

    @property
    def is_broken(self) -> bool:
        """Whether the others wait for a rank that will never come."""
        return bool(self.lost or self.failures)

    @property
    def is_stopped(self) -> bool:
        """Whether a rank saved and ended after SIGTERM."""
        return any(end.code == STOPPED for end in self.ends.values())

    def kill(self) -> None:
        """SIGKILL for the ranks that are left."""
        for pid in self.living.values():
            try:
                psutil.Process(pid).kill()
            except psutil.NoSuchProcess:
                continue  # it has ended since


def _is_running(pid: int) -> bool:
    try:
        status: str = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return False
    return status != str(psutil.STATUS_ZOMBIE)
