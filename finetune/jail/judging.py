"""Verdicts on completions: each runs in the jail, and its tests say what it is worth."""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from finetune.jail.backends import Backend
from finetune.jail.cell import Broken, Cell, Ended, Job
from finetune.jail.examination import Examiner, Finding
from finetune.jail.interpreter import jail_python
from finetune.jail.languages import folders_of_toolchains, job, not_run
from finetune.jail.limits import Limits
from finetune.jail.programs import Program, imported
from finetune.jail.text import harmless
from finetune.tasks.runnable import unfit

Outcome = Literal["passed", "failed", "timed out", "broken"]
TRIES = 2
"""Times that a program is run whose jail broke: it may have been the program before it."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is known of one program."""

    outcome: Outcome
    """`broken` says that nothing is known of it: neither right nor wrong."""
    reason: str = ""
    """Why it did not pass; fit for a terminal."""
    output: str = ""
    """The beginning of what it printed; fit for a terminal."""
    seconds: float = 0.0


class Bench:
    """A jail and a process for tests, put up again where a program has brought one down."""

    def __init__(self, backend: Backend, limits: Limits, warm: Sequence[str]) -> None:
        self._backend, self._limits, self._warm = backend, limits, warm
        self._cell: Cell | None = None
        self._examiner: Examiner | None = None

    def judge(self, program: Program) -> Verdict:
        """The verdict on one program. Raises nothing that a program can cause."""
        reason = ""
        for _ in range(TRIES):
            try:
                return self._judge(program)
            except Broken as error:
                reason = str(error)
                self.close()
        return Verdict(outcome="broken", reason=harmless(reason))

    def _judge(self, program: Program) -> Verdict:
        reason = not_run(program.language, f"{program.source}\n{program.tests}")
        if not reason and (fault := unfit(program.language, program.tests)):
            reason = f"its tests {fault}"
        if reason:
            return Verdict(outcome="broken", reason=f"not run: {reason}")
        if self._cell is None:
            python, folders = jail_python()
            self._cell = Cell(self._backend, python, [*folders, *folders_of_toolchains()])
        if program.language == "python":
            return self._examined(program, self._cell)
        return self._proven(program, self._cell)

    def _proven(self, program: Program, cell: Cell) -> Verdict:
        """The tests stand in the program: what it prints at the end says that they ended."""
        number, mark = secrets.token_hex(16), secrets.token_hex(8)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                made = job(program.language, program.source, program.tests, mark)
                running = cell.start(made, self._limits, theirs)
                # While our copy of its end is open: a program may have ended by now.
                ours.sendall(f"{number}\n".encode())
                ours.shutdown(socket.SHUT_WR)
            running.wait()
            ended = running.end()
        if ended.overfull:
            self._drop_cell()
        return verdict_on(ended, proof(ended, f"{number} {mark}"))

    def _examined(self, program: Program, cell: Cell) -> Verdict:
        if self._examiner is None:
            self._examiner = Examiner(self._warm)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            running = cell.start(Job(source=program.source), self._limits, theirs)
            self._examiner.start(program.tests, program.given, program.entry, ours)
        running.wait(self._examiner.channel)
        ended = running.end()
        finding = self._examiner.finding()
        if finding is None:
            self._examiner.close()
            self._examiner = None
        if ended.overfull:
            self._drop_cell()
        return verdict_on(ended, finding)

    def _drop_cell(self) -> None:
        if self._cell is not None:
            self._cell.close()
            self._cell = None

    def close(self) -> None:
        """Ends both."""
        self._drop_cell()
        if self._examiner is not None:
            self._examiner.close()
            self._examiner = None


def verdict_on(ended: Ended, finding: Finding | None) -> Verdict:
    """What follows from how a program ended and what its tests found."""
    reason = finding.why if finding is not None else "the tests did not end"
    outcome: Outcome = "failed"
    if finding is not None and finding.passed:
        outcome = "passed"
    elif finding is not None and finding.broken:
        outcome = "broken"
    elif ended.overfull:
        reason = "it held more memory than it may"
    elif ended.late and (finding is None or finding.gone):
        outcome, reason = "timed out", "its time was over"
    return Verdict(
        outcome=outcome,
        reason=harmless(reason),
        output=harmless(ended.output),
        seconds=round(ended.seconds, 3),
    )


def proof(ended: Ended, evidence: str) -> Finding:
    """Whether a program that holds its tests has got behind the last of them."""
    if ended.status == 0 and evidence in " ".join(ended.tail.split()):
        return Finding(passed=True, why="")
    return Finding(
        passed=False,
        gone=True,
        why=f"status {ended.status}" if ended.status else "it ended before its tests did",
    )


def judge(
    programs: Sequence[Program],
    backend: Backend,
    *,
    limits: Limits | None = None,
    workers: int | None = None,
    told: Callable[[int], None] = lambda done: None,
) -> list[Verdict]:
    """A verdict per program, in their order, with a jail per worker; as many as there are cores.

    `told` is called with the number of programs judged so far.
    """
    limits = limits or Limits()
    count = min(workers or os.cpu_count() or 1, max(1, len(programs)))
    warm = sorted({name for one in programs for name in imported(one.given + "\n" + one.tests)})
    done, lock, local = 0, threading.Lock(), threading.local()

    def one(program: Program) -> Verdict:
        nonlocal done
        if not hasattr(local, "bench"):
            local.bench = Bench(backend, limits, warm)
            benches.append(local.bench)
        verdict: Verdict = local.bench.judge(program)
        with lock:
            done += 1
            told(done)
        return verdict

    with ThreadPoolExecutor(count) as pool, _closing() as benches:
        try:
            return list(pool.map(one, programs))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # where we are interrupted


@contextmanager
def _closing() -> Iterator[list[Bench]]:
    benches: list[Bench] = []
    try:
        yield benches
    finally:
        for bench in benches:
            bench.close()
