"""The outlook as tables for the terminal."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from finetune.planning.memory import GIB, Memory
from finetune.planning.outlook import Outlook, verdict
from finetune.planning.tuning import Tuning

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table

PARTS = {
    "weights": "weights",
    "gradients": "gradients",
    "masters": "weights in fp32",
    "moments": "Adam's moments",
    "copies": "copies by autocast",
    "activations": "activations",
    "loss": "loss",
    "communication": "communication",
    "step": "optimiser's step",
    "buffers": "buffers",
    "context": "CUDA context",
}
MOMENTS = {
    "loss": "at the loss",
    "backward": "in the backward pass",
    "embedding": "at the embedding's gradients",
    "step": "in the optimiser's step",
}
MOST_CHANGES = 6


def outlook_table(seen: Outlook) -> "Group":
    """Verdict, memory, run, what to change, assumptions."""
    from rich.console import Group
    from rich.text import Text

    style = "green" if seen.plan.fits else "red"
    parts: list[RenderableType] = [Text(verdict(seen), style=style)]
    if seen.changes:
        parts.append(_changes(seen))
    elif not seen.plan.fits:
        parts.append(Text("Nothing that is known here makes it fit: take a smaller base."))
    parts += [_memory(seen.plan.memory), _run(seen)]
    return Group(*parts, _list(seen.assumptions))


def _list(lines: Iterable[str]) -> "Table":
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    for line in lines:
        grid.add_row("-", line)
    return grid


def _memory(memory: Memory) -> "Table":
    table = _table(f"Memory per GPU, {MOMENTS[memory.moment]}", "GiB")
    for name, size in memory.parts().items():
        if size >= GIB / 200:  # else it is 0.00
            table.add_row(PARTS[name], f"{size / GIB:.2f}")
    table.add_section()
    table.add_row("all", f"{memory.total / GIB:.2f}")
    return table


def _run(seen: Outlook) -> "Table":
    plan, effort, tuning = seen.plan, seen.effort, seen.tuning
    rows = [
        ("parameters", f"{tuning.base:,}"),
        ("trained", f"{tuning.trained:,} ({_of_base(tuning)})"),
        ("micro-batch", f"{plan.micro_batch} x {seen.request.length:,} tokens"),
        ("passes per step", f"{plan.accumulation}"),
        ("activation checkpointing", "on" if plan.checkpointing else "off"),
        ("steps", f"{effort.steps:,}"),
        ("tokens", f"{effort.tokens:,}"),
        ("FLOPs", f"{effort.flops:.3g}"),
        ("tokens/s", f"{effort.tokens_per_second:,.0f}"),
        ("hours", _hours(effort.hours)),
        ("GPU-hours", _hours(effort.gpu_hours)),
        ("energy", f"{effort.kilowatt_hours:,.1f} kWh"),
    ]
    if effort.price is not None:
        rows.append(("price", f"{effort.price:,.2f}"))
    where = f"Run on {seen.machine.words}" + ("" if plan.fits else ", if it fitted")
    return _filled(where, "", rows)


def _of_base(tuning: Tuning) -> str:
    return "all" if tuning.trained == tuning.base else f"{tuning.trained / tuning.base:.2%}"


def _hours(hours: float) -> str:
    return f"{hours:,.2f}" if hours < 10 else f"{hours:,.0f}"


def _changes(seen: Outlook) -> "Table":
    rows = [
        (change.sentence, f"{change.plan.memory.total / GIB:.1f}")
        for change in seen.changes[:MOST_CHANGES]
    ]
    return _filled("What makes it fit, the cheapest first", "GiB", rows)


def _filled(what: str, unit: str, rows: Iterable[tuple[str, str]]) -> "Table":
    table = _table(what, unit)
    for row in rows:
        table.add_row(*row)
    return table


def _table(what: str, unit: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    table.add_column(what)
    table.add_column(unit, justify="right")
    return table
