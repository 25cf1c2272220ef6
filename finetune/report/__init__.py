"""report.html and the terminal's table: what a run and the runs it stands on left behind.

Everything said here comes from a file in a run folder; what no file says is "not measured".

    runs.py      run folders -> RunView, oldest first
    table.py     RunView -> rows, the same for the terminal and the page
    wording.py   numbers as people read them
    charts.py    loss curves and before/after bars as SVG, on axes.py
    samples.py   infilling samples, cut to size
    page.py      page.html.j2 and page.css -> report.html
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
