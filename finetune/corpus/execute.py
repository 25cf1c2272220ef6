"""Runs the pipeline over a plan on this machine's cores, with a bar that shows how far it is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from finetune.corpus.pipeline import is_whole, load_plan, steps

POLL = 0.2
"""Seconds between two looks at what is done."""


def execute(folder: Path, workers: int) -> None:
    """Write every shard of the plan in `folder` that is not whole yet.

    `workers` processes, 0 for one per core. They change nothing in what is written. Raises whatever
    a step raises; the shards that were finished stay, and the next call goes on from there.
    """
    num_shards = len(load_plan(folder).shards)
    left = sum(not is_whole(folder, shard) for shard in range(num_shards))
    if not left:
        return
    cores = workers or len(os.sched_getaffinity(0))
    with progress(folder, num_shards):
        _run(folder, num_shards, min(cores, left))


def _run(folder: Path, num_shards: int, workers: int) -> None:
    from datatrove.executor.local import LocalPipelineExecutor

    # What is done is known by the shards themselves: datatrove's own marks outlive a changed plan.
    LocalPipelineExecutor(
        steps(folder),
        tasks=num_shards,
        workers=workers,
        logging_dir=str(folder / "logs"),
        skip_completed=False,
    ).run()


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

    def watch(task: "int") -> None:
        while not over.wait(POLL):
            done = sum(is_whole(folder, shard) for shard in range(num_shards))
            bar.update(task, completed=done)  # type: ignore[arg-type]

    with bar:
        thread = Thread(target=watch, args=(bar.add_task("", total=num_shards),))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
