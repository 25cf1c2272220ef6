"""Scores of tasks as SVG: bars with the whiskers of their intervals, the interval of each
difference against zero, and one mark per problem."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from finetune.evaluation.chance import CONFIDENCE_IN_WORDS, points
from finetune.report import axes, wording
from finetune.report.axes import Entry, Frame
from finetune.report.task_rows import interval_in_words
from finetune.report.tasks import Side, TaskView, Tried

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


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One score; `kind` is its class in the style sheet."""

    label: str
    kind: str
    score: float
    interval: tuple[float, float] | None = None
    words: str = ""
    """The interval, behind the score."""


def highest(tasks: Iterable[TaskView]) -> float:
    """What the axis that all tasks of a run share must reach."""
    sides = [side for task in tasks for side in (task.base, task.tuned)]
    values = [side.score or 0.0 for side in sides]
    values += [side.interval[1] for side in sides if side.interval]
    return min(1.0, max((v for v in values if math.isfinite(v)), default=0.0)) or 1.0


def task_bars(task: TaskView, reach: float, ident: str) -> Markup | None:
    """Both scores; None where neither was measured."""
    named = (("base", "before", task.base), ("tuned", "after", task.tuned))
    bars = [bar for label, kind, side in named if (bar := _side_bar(label, kind, side))]
    title = f"{task.metric} of {task.name}, {task.count_in_words}"
    return _bars(title, [("", bars)], reach, ident) if bars else None


def part_bars(task: TaskView, ident: str) -> Markup | None:
    """Both scores per language or kind; None where there is none."""
    groups = []
    for part in task.parts:
        count = "" if part.problems is None else f", {part.problems:,} problems"
        named = (("base", "before", part.base), ("tuned", "after", part.tuned))
        bars = [
            Bar(label=label, kind=kind, score=score)
            for label, kind, score in named
            if score is not None and math.isfinite(score)
        ]
        groups += [(f"{part.name}{count}", bars)] if bars else []
    if not groups:
        return None
    reach = max(bar.score for _, bars in groups for bar in bars) or 1.0
    return _bars(f"{task.metric} of {task.name} by part", groups, reach, ident)


def _side_bar(label: str, kind: str, side: Side) -> Bar | None:
    if side.score is None or not math.isfinite(side.score):
        return None
    words = interval_in_words(side)
    return Bar(label=label, kind=kind, score=side.score, interval=side.interval, words=words)


def _bars(
    title: str, groups: Sequence[tuple[str, Sequence[Bar]]], reach: float, ident: str
) -> Markup:
    return Markup(
        axes.both_widths(lambda width, name: _drawn(title, groups, reach, width, name), ident)
    )


def _drawn(
    title: str,
    groups: Sequence[tuple[str, Sequence[Bar]]],
    reach: float,
    width: int,
    ident: str,
) -> str:
    marks = axes.ticks(0, 100 * reach, width // 160)
    has_intervals = any(bar.words for _, bars in groups for bar in bars)
    right = width - (132 if has_intervals else 50)
    height = sum(22 * len(bars) + (22 if name else 0) + 8 for name, bars in groups)
    frame = Frame(left=48, right=right, top=2, bottom=height, x=(0, marks[-1]), y=(0, 1))
    parts = [_percent_axis(frame, marks)]
    y = 4.0
    for name, bars in groups:
        if name:
            parts.append(axes.text(0, y + 13, name, kind="heading"))
            y += 22
        for bar in bars:
            parts.append(_bar(frame, y, bar))
            y += 22
        y += 8
    summary = "; ".join(
        " ".join(filter(None, (name, f"{bar.label} {wording.share(bar.score)}", _bounds(bar))))
        for name, bars in groups
        for bar in bars
    )
    return axes.drawing(width, height + 24, ident, title, f"{summary}.", "".join(parts))


def _percent_axis(frame: Frame, marks: Sequence[float]) -> str:
    step = axes.step_of(marks)
    return "".join(
        f'<path class="grid" d="M{frame.across(mark):.1f} {frame.top:.1f}V{frame.bottom:.1f}"/>'
        + axes.text(
            frame.across(mark), frame.bottom + 17, f"{axes.tick_text(mark, step)}%", "middle"
        )
        for mark in marks
    )


def _bar(frame: Frame, y: float, bar: Bar) -> str:
    end = frame.across(100 * bar.score)
    parts = [
        axes.text(0, y + 12, bar.label),
        f'<rect class="{bar.kind}" x="{frame.left:.1f}" y="{y + 2:.1f}" '
        f'width="{max(end - frame.left, 0.5):.1f}" height="13" rx="1.5"/>',
    ]
    if bar.interval:
        low, high = (frame.across(100 * bound) for bound in bar.interval)
        parts.append(whisker(low, high, y + 8.5, f"{bar.label}: {_bounds(bar)}"))
        end = max(end, high)
    # Behind the whisker; always at one place where intervals follow, so that they form a column.
    x = frame.right + 8 if bar.words or end + 50 > frame.right + 50 else end + 8
    parts.append(axes.text(x, y + 12, wording.share(bar.score), kind="value"))
    if bar.words:
        parts.append(axes.text(x + 44, y + 12, bar.words, kind="interval"))
    return "".join(parts)


def _bounds(bar: Bar) -> str:
    return f"({CONFIDENCE_IN_WORDS}: {bar.words})" if bar.words else ""


def whisker(low: float, high: float, y: float, hint: str) -> str:
    """From one end of an interval to the other, with caps; says its values when pointed at."""
    caps = "".join(f"M{end:.1f} {y - 4:.1f}v8" for end in (low, high))
    path = f'<path d="{caps}M{low:.1f} {y:.1f}H{high:.1f}"/>'
    return f'<g class="whisker">{axes.hint(hint)}{path}</g>'


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
        kind = {"better": "won", "worse": "lost"}.get(contrast.verdict, "even")
        parts.append(axes.text(0, middle + 4 if is_wide else y + 14, task.name, kind="name"))
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
