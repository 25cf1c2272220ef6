"""What one model is worth as it is, as a table for the terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from finetune.report import wording
from finetune.report.inert import inert_line
from finetune.report.table import two_lines
from finetune.report.tasks import not_run, tasks_of

if TYPE_CHECKING:
    from rich.table import Table


def scores_table(scores: Mapping[str, Any]) -> "Table":
    """A row a task, and what was not run below."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    tasks = tasks_of(scores)
    missing = [*not_run(scores), *(one for task in tasks for one in task.not_run)]
    told = [f"Not run: {one.what} ({one.why})." for one in missing]
    table = Table(
        title=Text(inert_line(str(scores["model"]))),
        caption=Text("\n".join(["Below a score is its 95% interval.", *told])),
        caption_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
    )
    table.add_column("Task", overflow="fold")
    table.add_column("Score", justify="right")
    table.add_column("Settings", overflow="fold")
    for task in tasks:
        interval = wording.interval(task.base.interval)
        table.add_row(
            two_lines(task.name, "", task.metric),
            two_lines(wording.share(task.base.score), "bold", interval),
            Text(f"{task.count_in_words}; {task.brief_settings}"),
        )
    return table
