"""A comparison of two runs as a table for the terminal."""

from typing import TYPE_CHECKING

from finetune.report import wording
from finetune.report.compare import Measure, RunComparison, Score
from finetune.report.row import ARROWS, Row, compared, difference
from finetune.report.table import STYLES, two_lines

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def comparison_table(found: RunComparison) -> "Table":
    """For a terminal of 100 columns. Base stands once where it is the same in both runs."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(f"{found.names[1]} against {found.names[0]}"),
        caption=Text(_caption(found)),
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
    )
    table.add_column("Measure", overflow="fold")
    bases = ["Base"] if found.same_base else [f"Base of {name}" for name in found.names]
    for name in (*bases, *found.names):
        table.add_column(Text(name), justify="right", overflow="fold", min_width=12)
    table.add_column(Text("Second against first"), overflow="fold", max_width=26)
    for measure in found.measures:
        table.add_row(*_cells(measure, 1 if found.same_base else 2))
    return table


def _caption(found: RunComparison) -> str:
    num_compared = sum(measure.contrast is not None for measure in found.measures)
    words = "↓ lower is better, ↑ higher is better. Below a score is its 95% interval."
    if num_compared > 1:
        words += (
            f" {num_compared} comparisons: of twenty between equal models, one looks like more "
            "than chance."
        )
    return "\n".join([words, *(f"Not compared: {note}." for note in found.notes)])


def _cells(measure: Measure, num_bases: int) -> list["Text"]:
    from rich.text import Text

    row = comparison_row(measure)
    return [
        two_lines(f"{ARROWS[measure.better]} {measure.name}", "", measure.note),
        *(_score(score, measure, "") for score in measure.bases[:num_bases]),
        *(_score(score, measure, "bold") for score in measure.tuned),
        Text(row.remark, style=STYLES.get(row.verdict, "dim")),
    ]


def _score(score: Score, measure: Measure, style: str) -> "Text":
    worded = wording.loss if measure.better == "lower" else wording.share
    return two_lines(worded(score.value), style, wording.interval(score.interval))


def comparison_row(measure: Measure) -> Row:
    """The second run as what became of the first."""
    before, after = (score.value for score in measure.tuned)
    if measure.better == "lower":
        return compared("", measure.name, before, after)
    contrast = measure.contrast
    moved = difference(before, after, 100.0, 1)
    words = f"{moved} points" if moved else ""
    return Row(
        run="",
        measure=measure.name,
        before=wording.share(before),
        after=wording.share(after),
        change=f"{words} ({contrast.evidence})" if contrast and contrast.evidence else words,
        verdict=contrast.verdict if contrast else "chance not assessed",
    )
