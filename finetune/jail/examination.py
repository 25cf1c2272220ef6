"""The process in which Python tests run, as the evaluator sees it."""

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from finetune.jail.backends import outside_user
from finetune.jail.cell import BOOT, GRACE, START, Broken, boot

PARTS = ("wire", "examiner")


@dataclass(frozen=True)
class Finding:
    """What came of the tests."""

    passed: bool
    why: str
    """The first thing that went wrong; empty where nothing did."""
    broken: bool = False
    """Whether the tests themselves could not be run."""
    gone: bool = False
    """Whether the program ended before its tests did."""


class Examiner:
    """A process of ours, without our environment and rights, that runs tests. Not for threads."""

    def __init__(self, warm: Sequence[str] = ()) -> None:
        """Starts it; `warm` are modules that the tests will import. Raises Broken."""
        self.channel, theirs = socket.socketpair()
        with theirs:
            code = BOOT.replace("DESCRIPTOR", str(theirs.fileno()))
            self._process = subprocess.Popen(
                [sys.executable, "-sB", "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                cwd="/",
                start_new_session=True,
            )
        try:
            boot(self.channel, PARTS, [outside_user(), list(warm)])
            self.channel.settimeout(START)
            if self.channel.recv(5) != b"ready":
                raise Broken("the process for tests did not start")
        except OSError as error:
            raise Broken(f"the process for tests did not start: {error}") from None

    def start(self, tests: str, given: str, entry: str, wire: socket.socket) -> None:
        """Has the program at the other end of `wire` examined; the answer comes on `channel`."""
        text = json.dumps({"tests": tests, "given": given, "entry": entry}).encode()
        self.channel.settimeout(START)
        socket.send_fds(self.channel, [len(text).to_bytes(4, "big")], [wire.fileno()])
        self.channel.sendall(text)

    def finding(self) -> Finding | None:
        """What came of the tests; None where they do not end although their program has."""
        self.channel.settimeout(GRACE)
        try:
            count = int.from_bytes(self._exactly(4), "big")
            return Finding(**json.loads(self._exactly(count)))
        except TimeoutError:
            return None

    def _exactly(self, count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            part = self.channel.recv(count - len(parts))
            if not part:
                raise Broken("the process for tests has ended")
            parts += part
        return parts

    def close(self) -> None:
        """Ends it."""
        self.channel.close()
        self._process.kill()
        self._process.wait()
