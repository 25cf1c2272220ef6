"""report.html and the terminal's table: what a run and the runs it stands on left behind.

Everything said here comes from a file in a run folder; what no file says is "not measured".

    runs.py          run folders -> RunView, oldest first
    wording.py       numbers as people read them
    inert.py         what a model wrote, made fit to be looked at
    tasks.py         the tasks of scores.json -> TaskView
    row.py           one measure of one run; table.py and task_rows.py make them from a RunView, the
                     same for the terminal and the page
    charts.py        loss curves and before/after bars as SVG, on axes.py
    course.py        losses by layout and language, and what a step cost
    task_bars.py     scores with whiskers; task_charts.py: differences beside zero, problems
    task_page.py     what the page says of each task; samples.py: infilled lines, cut to size
    health.py        the doctor's findings and the plan's choice
    page.py          the templates and style sheets -> report.html
    compare.py       two runs side by side; compare_table.py: the same for the terminal
"""

from finetune.report.page import render, write_report
from finetune.report.row import Row
from finetune.report.runs import RunView, lineage, read_run
from finetune.report.table import LEGEND, lineage_table, rows

__all__ = [
    "LEGEND",
    "Row",
    "RunView",
    "lineage",
    "lineage_table",
    "read_run",
    "render",
    "rows",
    "write_report",
]
