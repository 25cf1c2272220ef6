"""The lineage in numbers. `rows` words them once, for the terminal and for the page."""

import math
from collections.abc import Sequence
from itertools import zip_longest
from statistics import median
from typing import TYPE_CHECKING

from finetune.report import wording
from finetune.report.row import Row, Verdict, compared
from finetune.report.runs import RunView, base_in_words, method_in_words, number
from finetune.report.task_rows import infilling_row, infilling_rows, task_rows
from finetune.report.wording import LAYOUTS, NOT_MEASURED

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

STYLES: dict[Verdict, str] = {"better": "green", "worse": "red"}
"""Every other verdict is dim."""
LEGEND = (
    "↓ lower is better, ↑ higher is better. Losses are in nats per token. Before is the run's own "
    "base, after is what it made, both on the same inputs. Below a score is its 95% interval; of a "
    "difference that is within chance nothing follows."
)
MOST_TILES = 4
"""Tasks at the top of the page; the table has them all."""


def rows(views: Sequence[RunView]) -> list[Row]:
    """Every run's rows, in the order of the views."""
    return [row for view in views for row in run_rows(view)]


def run_rows(view: RunView) -> list[Row]:
    """The rows of one run; one for all where there is no folder to read."""
    if not view.present:
        return [Row(run=view.name, measure="all measures", after=NOT_MEASURED)]
    return [
        *_losses(view),
        *infilling_rows(view),
        *task_rows(view),
        _gate(view),
        _training_time(view),
        _speed(view),
        _merge(view),
    ]


def headline(view: RunView) -> list[Row]:
    """The few numbers for the top of a page: losses over all languages, infilling, tasks."""
    tasks = [row for row in task_rows(view) if row.before]
    return [*_layout_rows(view, "loss", "losses"), infilling_row(view), *tasks[:MOST_TILES]]


def bits_per_byte(view: RunView) -> list[Row]:
    """Losses that do not depend on the tokenizer; none where they were not measured."""
    rows = _layout_rows(view, "bits per byte", "bits_per_byte")
    return [row for row in rows if (row.before, row.after) != (NOT_MEASURED, NOT_MEASURED)]


def lineage_table(views: Sequence[RunView]) -> "Table":
    """For a terminal of 100 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title="Before and after",
        caption=LEGEND,
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        collapse_padding=True,
    )
    table.add_column("Run", overflow="fold", max_width=20)
    table.add_column("Measure", overflow="fold")
    table.add_column("Before", justify="right", no_wrap=True)
    table.add_column("After", justify="right", no_wrap=True)
    table.add_column("Change", overflow="fold", max_width=24)
    for view in views:
        for titles in zip_longest(_titles(view), run_rows(view)):
            table.add_row(*_cells(*titles))
        table.add_section()
    return table


def _cells(title: "Text | None", row: Row | None) -> list["Text"]:
    """Text, never strings: what stands in a run folder is not markup."""
    from rich.text import Text

    if row is None:
        return [title or Text()]
    return [
        title or Text(),
        two_lines(row.label, "", row.note),
        two_lines(row.before, "dim" if row.before == NOT_MEASURED else "", row.before_interval),
        two_lines(row.after, "dim" if row.after == NOT_MEASURED else "bold", row.after_interval),
        Text(row.remark, style=STYLES.get(row.verdict, "dim")),
    ]


def two_lines(upper: str, style: str, lower: str) -> "Text":
    """A cell with something small below, where there is something."""
    from rich.text import Text

    return Text.assemble((upper, style), *([("\n" + lower, "dim")] if lower else []))


def _titles(view: RunView) -> list["Text"]:
    """The first column: it names the run beside its first rows."""
    from rich.text import Text

    name = Text(view.name, style="bold")
    if not view.present:
        return [name, Text("folder not found", style="red")]
    return [name, Text(method_in_words(view), style="dim"), Text(f"base: {base_in_words(view)}")]


def _losses(view: RunView) -> list[Row]:
    """By language; over all of them where that is not the same thing."""
    by_language = view.scores.get("losses_by_language") or {}
    rows = [
        row
        for language in sorted(by_language)
        for row in _layout_rows(view, _loss_in(view, language), "losses_by_language", language)
    ]
    return rows if len(by_language) == 1 else [*_layout_rows(view, "loss", "losses"), *rows]


def _loss_in(view: RunView, language: str) -> str:
    trained = view.scores.get("trained_languages")
    is_other = isinstance(trained, list) and language not in trained
    return f"loss, {language}{' (not trained on)' if is_other else ''}"


def _layout_rows(view: RunView, title: str, *keys: str) -> list[Row]:
    return [
        compared(
            view.name,
            f"{title}, {name}",
            number(view.scores, *keys, "base", layout),
            number(view.scores, *keys, "tuned", layout),
        )
        for layout, name in LAYOUTS.items()
    ]


def _gate(view: RunView) -> Row:
    gate = view.scores.get("gate")
    if not isinstance(gate, dict) or not isinstance(gate.get("passed"), bool):
        return Row(run=view.name, measure="gate", after=NOT_MEASURED)
    reasons = "; ".join(str(reason) for reason in gate.get("reasons") or [])
    passed = gate["passed"]
    return Row(
        run=view.name,
        measure="gate",
        after="passed" if passed else "refused",
        change=reasons,
        verdict="" if passed else "worse",
    )


def _training_time(view: RunView) -> Row:
    last = view.training[-1] if view.training else {}
    steps, tokens = number(last, "step"), number(last, "tokens")
    parts = [
        f"{steps:,.0f} steps" if steps is not None else "",
        f"{wording.compact(tokens)} tokens" if tokens is not None else "",
    ]
    return Row(
        run=view.name,
        measure="training time",
        after=wording.duration(number(view.stages, "train", "seconds")),
        change=", ".join(part for part in parts if part),
    )


def _speed(view: RunView) -> Row:
    """The median: a first step that compiles, or a checkpoint, does not move it."""
    speeds = [number(line, "tokens_per_second") for line in view.training]
    known = [speed for speed in speeds if speed is not None and math.isfinite(speed)]
    return Row(
        run=view.name,
        measure="tokens per second",
        after=wording.count(median(known) if known else None),
        change="median over steps" if known else "",
    )


def _merge(view: RunView) -> Row:
    difference = number(view.merge, "max_abs_logit_difference")
    tolerance = number(view.merge, "tolerance")
    if difference is None or tolerance is None:
        return Row(run=view.name, measure="merge proof", after=NOT_MEASURED)
    # Not `difference > tolerance`: a difference that is not a number proves nothing.
    proven = difference <= tolerance
    same = agreement(number(view.merge, "argmax_agreement"))
    return Row(
        run=view.name,
        measure="merge proof",
        after="holds" if proven else "fails",
        change=f"logits within {wording.small(difference)}, limit {wording.small(tolerance)}; "
        f"same argmax {same}",
        verdict="" if proven else "worse",
    )


def agreement(value: float | None) -> str:
    """Rounded down: 100 % means all of them."""
    return wording.share(None if value is None else math.floor(value * 1000) / 1000)
