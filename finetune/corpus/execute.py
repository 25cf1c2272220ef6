"""Runs the pipeline over a plan on this machine's cores, with a bar that shows how far it is.

Each process is one task of datatrove's local executor. They are started here and not by its pool,
which waits for ever for a process that was killed.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path
from threading import Event, Thread
from traceback import format_tb
from typing import TYPE_CHECKING, Any

from finetune.corpus.pipeline import is_whole, load_plan, steps
from finetune.errors import Failed, UserError

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

MESSAGE = 8_000
"""Characters of an error that a process hands on: a pipe holds them without being read."""
POLL = 0.2
"""Seconds between two looks at what is done."""


def execute(folder: Path, workers: int) -> None:
    """Write every shard of the plan in `folder` that is not whole yet.

    `workers` processes, 0 for one per core. They change nothing in what is written. Raises the
    UserError of a step, and Failed where a process was killed or failed otherwise; the shards that
    were finished stay, and the next call goes on from there.
    """
    num_shards = len(load_plan(folder).shards)
    left = sum(not is_whole(folder, shard) for shard in range(num_shards))
    if not left:
        return
    count = min(workers or len(os.sched_getaffinity(0)), left)
    with progress(folder, num_shards):
        if count == 1:
            run_task(folder, 0, 1)
        else:
            _run_side_by_side(folder, count)


def run_task(folder: Path, rank: int, tasks: int) -> None:
    """One task of several, on datatrove's local executor, in this process."""
    from datatrove.executor.local import LocalPipelineExecutor

    # What is done is known by the shards themselves: datatrove's own marks outlive a changed plan.
    LocalPipelineExecutor(
        steps(folder),
        tasks=tasks,
        workers=1,
        local_tasks=1,
        local_rank_offset=rank,
        logging_dir=str(folder / "logs"),
        skip_completed=False,
    ).run()


def _run_side_by_side(folder: Path, count: int) -> None:
    """`count` tasks, each in a process of its own; the first that fails ends the others."""
    context = get_context("spawn")
    errors = context.SimpleQueue()
    processes = [
        context.Process(target=_child, args=(folder, rank, count, errors), daemon=True)
        for rank in range(count)
    ]
    try:
        for process in processes:
            process.start()
        running = list(processes)
        while running:
            wait([process.sentinel for process in running])
            for process in [one for one in running if one.exitcode is not None]:
                running.remove(process)
                if process.exitcode:
                    raise _failure(process, errors)
    finally:
        for process in processes:
            _end(process)


def _end(process: "SpawnProcess") -> None:
    """With all that it has started: datatrove's manager does not notice that its parent is gone,
    and holds our output open."""
    if process.pid is None:
        return
    process.kill()
    process.join()
    with suppress(ProcessLookupError):  # nobody is left of its group
        os.killpg(process.pid, signal.SIGKILL)


def _child(folder: Path, rank: int, tasks: int, errors: Any) -> None:
    os.setsid()  # a group of its own, which ends together
    try:
        run_task(folder, rank, tasks)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except UserError as error:
        errors.put((str(error)[:MESSAGE], None))
        raise SystemExit(1) from None
    except Exception as error:
        # Its own words may hold a text of the corpus: its kind and where it arose say enough.
        errors.put((type(error).__name__, "".join(format_tb(error.__traceback__))[-MESSAGE:]))
        raise SystemExit(1) from None


def _failure(process: "SpawnProcess", errors: Any) -> Exception:
    if not errors.empty():
        said, traceback = errors.get()
        if traceback is None:
            return UserError(said)
        error = Failed(
            f"prepare: a process that read and curated failed with {said}; --traceback shows where"
        )
        error.add_note(traceback)
        return error
    code = process.exitcode or 0
    how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    return Failed(
        f"prepare: a process that read and curated {how}; where memory was short, fewer "
        "`data.workers` need less. What was finished stays: run it again to go on"
    )


@contextmanager
def progress(folder: Path, num_shards: int) -> Iterator[None]:
    """A bar on stderr while the block runs; on a terminal only, and for more than one shard."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("prepare"), BarColumn(), MofNCompleteColumn(), TextColumn("shards"))
    bar = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
    if num_shards < 2 or not console.is_terminal:
        yield
        return
    over = Event()

    def watch(task: Any) -> None:
        while not over.wait(POLL):
            done = sum(is_whole(folder, shard) for shard in range(num_shards))
            bar.update(task, completed=done)

    with bar:
        thread = Thread(target=watch, args=(bar.add_task("", total=num_shards),))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
