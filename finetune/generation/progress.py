"""The progress bar of a set of completions. Without a terminal it prints a line now and then."""

import atexit

from finetune.generation.completion import Completion
from finetune.generation.record import Show


def make_progress(name: str, total: int, done: int = 0) -> Show:
    """A function that shows completions as they come; `done` of `total` were there before."""
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
    tokens = 0
    if done:
        console.print(f"{name}: {done} of {total} completions were there already")

    def show(completion: Completion) -> None:
        nonlocal done, tokens
        done, tokens = done + 1, tokens + completion.tokens
        if not console.is_terminal:
            if done % every == 0 or done == total:
                console.print(f"{name}: {done}/{total} completions  {tokens:,} tokens")
            return
        if not bar.live.is_started:
            bar.start()
        bar.update(task, completed=done, status=f"{tokens:,} tokens")
        if done == total:
            bar.stop()

    return show
