"""What rank 0 shows of the log."""

from collections.abc import Callable
from typing import Any

from finetune.bars import make_bar


def make_progress(steps: int) -> Callable[[dict[str, Any]], None]:
    """A function that shows lines of the log as they come."""
    bar = make_bar("step", steps)

    def show(line: dict[str, Any]) -> None:
        if "resumed" in line:
            bar.say(f"resumed from {line['resumed']}")
        elif "validation" in line:
            losses = "  ".join(f"{name} {loss:.3f}" for name, loss in line["validation"].items())
            bar.say(f"step {line['step']}/{steps}  held-out: {losses}")
        else:
            speed = f"{line['tokens_per_second']:,.0f} tokens/s"
            bar.at(line["step"], f"loss {line['loss']:.3f}  {speed}")

    return show
