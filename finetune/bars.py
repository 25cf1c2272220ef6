"""A bar for what is counted. Without a terminal it prints a line now and then."""

import atexit
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a loop tells of itself."""

    at: Callable[[int, str], None]
    """How many are done, and what to say beside that."""
    say: Callable[[str], None]
    """A line of its own, above the bar."""


def make_bar(name: str, total: int, done: int = 0) -> Bar:
    """A bar of `total`, of which `done` were there before. It begins to be seen as it is told."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, TextColumn("{task.fields[status]}"), console=console)
    task = bar.add_task(name, total=total, completed=done, status="")
    every = max(1, total // 10)
    atexit.register(bar.stop)  # whatever ends the run, the terminal gets its cursor back

    def at(number: int, status: str) -> None:
        if not console.is_terminal:
            if number % every == 0 or number in (1, total):
                console.print(f"{name} {number}/{total}  {status}", soft_wrap=True)
            return
        if not bar.live.is_started:
            bar.start()
        bar.update(task, completed=number, status=status)
        if number == total:
            bar.stop()

    return Bar(at=at, say=console.print)
