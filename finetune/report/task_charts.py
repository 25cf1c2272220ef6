"""What became of each task, as SVG: every difference's interval beside zero, and one mark per
problem."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from finetune.evaluation.chance import CONFIDENCE_IN_WORDS, points
from finetune.report import axes
from finetune.report.axes import Entry, Frame
from finetune.report.inert import short
from finetune.report.task_bars import whisker
from finetune.report.tasks import TaskView, Tried

MOST_MARKS = 1200
"""Problems that are drawn one by one."""
MARKS = {
    "won": '<path d="M0 -3.6l4 7h-8z"/>',
    "lost": '<path d="M0 3.6l4 -7h-8z"/>',
    "always": '<circle r="2.6"/>',
    "sometimes": '<circle r="1.6"/>',
    "never": '<circle r="0.8"/>',
}
"""Shapes besides colours, as in the curves."""
STATES = {
    "won": "tuned passes more often",
    "lost": "base passes more often",
    "always": "both pass always",
    "sometimes": "alike",
    "never": "neither ever passes",
}
PITCH = 11


def differences(tasks: Sequence[TaskView], ident: str) -> Markup | None:
    """Every task's difference and its interval beside zero; None where none was assessed."""
    shown = [task for task in tasks if task.contrast and task.contrast.low is not None]
    if not shown:
        return None
    return Markup(axes.both_widths(lambda width, name: _differences(shown, width, name), ident))


def _differences(tasks: Sequence[TaskView], width: int, ident: str) -> str:
    contrasts = [task.contrast for task in tasks if task.contrast]
    values = [v * 100 for c in contrasts for v in (c.low or 0.0, c.high or 0.0, c.difference, 0.0)]
    marks = axes.ticks(min(values), max(values), width // 130)
    is_wide = width == axes.WIDE
    row = 26 if is_wide else 42
    frame = Frame(
        left=230 if is_wide else 10,
        right=width - 12,
        top=16,
        bottom=20 + row * len(tasks),
        x=(marks[0], marks[-1]),
        y=(0, 1),
    )
    parts = [_point_axis(frame, marks)]
    for position, (task, contrast) in enumerate(zip(tasks, contrasts, strict=True)):
        y = frame.top + 4 + row * position
        middle = y + (row / 2 if is_wide else 29)
        assert contrast.low is not None
        assert contrast.high is not None
        low, high, at = (
            frame.across(100 * v) for v in (contrast.low, contrast.high, contrast.difference)
        )
        name = short(task.name, 30)
        kind = {"better": "won", "worse": "lost"}.get(contrast.verdict, "even")
        parts.append(axes.text(0, middle + 4 if is_wide else y + 14, name, kind="name"))
        parts.append(f'<g class="{kind}">{whisker(low, high, middle, contrast.sentence)}')
        parts.append(f'<circle class="point" cx="{at:.1f}" cy="{middle:.1f}" r="4.5"/></g>')
    summary = "; ".join(f"{t.name}: {t.contrast.sentence}" for t in tasks if t.contrast)
    title = f"Tuned minus base, in points, with {CONFIDENCE_IN_WORDS} intervals"
    return axes.drawing(width, frame.bottom + 26, ident, title, f"{summary}.", "".join(parts))


def _point_axis(frame: Frame, marks: Sequence[float]) -> str:
    parts = [axes.text(frame.across(0), frame.top - 4, "no difference", "middle")]
    for mark in marks:
        x = frame.across(mark)
        kind = "zero" if mark == 0 else "grid"
        parts.append(f'<path class="{kind}" d="M{x:.1f} {frame.top:.1f}V{frame.bottom:.1f}"/>')
        words = ("+" if mark > 0 else "") + points(mark / 100).removesuffix(".0")
        parts.append(axes.text(x, frame.bottom + 18, words, "middle"))
    return "".join(parts)


def state(tried: Tried, samples: int) -> str:
    """Which of STATES a problem is in."""
    if tried.tuned != tried.base:
        return "won" if tried.tuned > tried.base else "lost"
    return {0: "never", samples: "always"}.get(tried.tuned, "sometimes")


def problem_marks(task: TaskView, ident: str) -> Markup | None:
    """One mark per problem in the benchmark's order; None where there is none, or too many."""
    if not 0 < len(task.by_problem) <= MOST_MARKS:
        return None
    return Markup(axes.both_widths(lambda width, name: _marks(task, width, name), ident))


def _marks(task: TaskView, width: int, ident: str) -> str:
    states = [state(tried, task.samples) for tried in task.by_problem]
    counts = {name: states.count(name) for name in STATES if name in states}
    entries = [
        Entry(sample=f'<g class="{name}">{MARKS[name]}</g>', text=f"{STATES[name]}: {count:,}")
        for name, count in counts.items()
    ]
    words, top = axes.legend(entries, width)
    columns = width // PITCH
    parts = [words]
    for position, (tried, name) in enumerate(zip(task.by_problem, states, strict=True)):
        x = (position % columns + 0.5) * PITCH
        y = top + 8 + (position // columns + 0.5) * PITCH
        hint = axes.hint(f"{tried.id}: base {tried.base}, tuned {tried.tuned} of {task.samples}")
        parts.append(f'<g class="{name}" transform="translate({x:.1f} {y:.1f})">{hint}')
        parts.append(f"{MARKS[name]}</g>")
    height = top + 12 + math.ceil(len(states) / columns) * PITCH
    summary = "; ".join(f"{STATES[name]}: {count:,}" for name, count in counts.items())
    title = f"Problems of {task.name}, one mark each"
    return axes.drawing(width, height, ident, title, f"{summary}.", "".join(parts))
