"""A line per task for the table: both scores with their intervals, and what their difference is
worth. An improvement is claimed only where it is beyond chance."""

from finetune.evaluation.chance import Chance
from finetune.report import wording
from finetune.report.row import Row, difference
from finetune.report.runs import RunView
from finetune.report.tasks import TaskView, infilling_kinds, infilling_of, not_run, tasks_of


def task_rows(view: RunView) -> list[Row]:
    """Every task that was run, then what was not."""
    tasks = tasks_of(view.scores)
    parts = [(f"{task.name}, {one.what}", one.why) for task in tasks for one in task.not_run]
    missing = [*((one.what, one.why) for one in not_run(view.scores)), *parts]
    return [
        *(_row(view, task, f"{task.name}, {task.metric}") for task in tasks),
        *(Row(run=view.name, measure=what, after="not run", change=why) for what, why in missing),
    ]


def infilling_rows(view: RunView) -> list[Row]:
    """Infilling of held-out code in all, then by kind of gap."""
    kinds = infilling_kinds(view.scores).values()
    return [infilling_row(view), *(_row(view, kind, f"{kind.name}: exact") for kind in kinds)]


def infilling_row(view: RunView) -> Row:
    """Infilling of held-out code; one that says so where it was not measured."""
    task = infilling_of(view.scores)
    return _row(view, task, "exact infilling")


def _row(view: RunView, task: TaskView, measure: str) -> Row:
    has_both = task.base.score is not None and task.tuned.score is not None
    return Row(
        run=view.name,
        measure=measure,
        note=f"{task.count_in_words}; {task.brief_settings}" if task.measured else "",
        better="higher",
        before=wording.share(task.base.score),
        before_interval=wording.interval(task.base.interval),
        after=wording.share(task.tuned.score),
        after_interval=wording.interval(task.tuned.interval),
        change=_change(task),
        verdict=_verdict(task) if has_both else "",
    )


def _verdict(task: TaskView) -> Chance:
    return task.contrast.verdict if task.contrast else "chance not assessed"


def _change(task: TaskView) -> str:
    """`+4.0 points (95%: −1.0 to 9.0; p = 0.08)`."""
    moved = difference(task.base.score, task.tuned.score, 100.0, 1)
    if task.contrast:
        moved = wording.change(task.contrast.difference * 100, 1)
    evidence = task.contrast.evidence if task.contrast else ""
    words = f"{moved} points" if moved else ""
    return f"{words} ({evidence})" if evidence else words
