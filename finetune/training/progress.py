"""The progress bar of rank 0. Without a terminal it prints a line now and then."""

import atexit
from collections.abc import Callable
from typing import Any


def make_progress(steps: int) -> Callable[[dict[str, Any]], None]:
    """A function that shows lines of the log as they come."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = ("train", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, TextColumn("{task.fields[status]}"), console=console)
    task = bar.add_task("train", total=steps, status="")
    every = max(1, steps // 10)
    atexit.register(bar.stop)  # whatever ends the run, the terminal gets its cursor back

    def show(line: dict[str, Any]) -> None:
        if "resumed" in line:
            console.print(f"resumed from {line['resumed']}")
        elif "validation" in line:
            losses = "  ".join(f"{name} {loss:.3f}" for name, loss in line["validation"].items())
            console.print(f"step {line['step']}/{steps}  held-out: {losses}")
        else:
            _step(line)

    def _step(line: dict[str, Any]) -> None:
        status = f"loss {line['loss']:.3f}  {line['tokens_per_second']:,.0f} tokens/s"
        if not console.is_terminal:
            if line["step"] % every == 0 or line["step"] == 1:
                console.print(f"step {line['step']}/{steps}  {status}")
            return
        if not bar.live.is_started:
            bar.start()
        bar.update(task, completed=line["step"], status=status)
        if line["step"] == steps:
            bar.stop()

    return show
