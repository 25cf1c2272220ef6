"""Scores of base and tuned as bars with the whiskers of their intervals, as SVG."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from finetune.evaluation.chance import CONFIDENCE_IN_WORDS
from finetune.report import axes, wording
from finetune.report.axes import Frame
from finetune.report.tasks import Side, TaskView

THICKNESS = 13
SIDES = (("base", "before"), ("tuned", "after"))
"""Names of the models, and the classes of their bars."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One score; `kind` is its class in the style sheet."""

    label: str
    kind: str
    score: float
    interval: tuple[float, float] | None = None
    words: str = ""
    """The interval, behind the score."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Bars that belong together, below a heading or none."""

    name: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the parts of a bar go. On a phone its numbers stand above it, so that it has room."""

    width: int
    has_intervals: bool
    """Leaves room for them, whether any is known or not: the axes of tasks stay comparable."""

    @property
    def is_wide(self) -> bool:
        return self.width == axes.WIDE

    @property
    def pitch(self) -> int:
        return 22 if self.is_wide else 36

    def frame(self, bottom: float, end: float) -> Frame:
        beside = (132 if self.has_intervals else 50) if self.is_wide else 8
        left = 48 if self.is_wide else 2
        return Frame(
            left=left, right=self.width - beside, top=2, bottom=bottom, x=(0, end), y=(0, 1)
        )


def highest(tasks: Iterable[TaskView]) -> float:
    """What the axis that all tasks of a run share must reach."""
    sides = [side for task in tasks for side in (task.base, task.tuned)]
    values = [side.score or 0.0 for side in sides]
    values += [side.interval[1] for side in sides if side.interval]
    return min(1.0, max((v for v in values if math.isfinite(v)), default=0.0)) or 1.0


def task_bars(task: TaskView, reach: float, ident: str) -> Markup | None:
    """Both scores; None where neither was measured."""
    sides = zip(SIDES, (task.base, task.tuned), strict=True)
    bars = tuple(bar for names, side in sides if (bar := _side_bar(*names, side)))
    title = f"{task.metric} of {task.name}, {task.count_in_words}"
    groups = [Group(name="", bars=bars)]
    return _chart(title, groups, reach, ident, has_intervals=True) if bars else None


def part_bars(task: TaskView, ident: str) -> Markup | None:
    """Both scores per language or kind; None where there is none."""
    groups = []
    for part in task.parts:
        count = "" if part.problems is None else f", {part.problems:,} problems"
        scores = zip(SIDES, (part.base, part.tuned), strict=True)
        bars = tuple(
            Bar(label=label, kind=kind, score=score)
            for (label, kind), score in scores
            if score is not None and math.isfinite(score)
        )
        groups += [Group(name=f"{part.name}{count}", bars=bars)] if bars else []
    if not groups:
        return None
    reach = max(bar.score for group in groups for bar in group.bars) or 1.0
    title = f"{task.metric} of {task.name} by part"
    return _chart(title, groups, reach, ident, has_intervals=False)


def _side_bar(label: str, kind: str, side: Side) -> Bar | None:
    if side.score is None or not math.isfinite(side.score):
        return None
    words = wording.interval(side.interval)
    return Bar(label=label, kind=kind, score=side.score, interval=side.interval, words=words)


def _chart(
    title: str, groups: Sequence[Group], reach: float, ident: str, *, has_intervals: bool
) -> Markup:
    def draw(width: int, name: str) -> str:
        layout = Layout(width=width, has_intervals=has_intervals)
        return _drawn(title, groups, reach, layout, name)

    return Markup(axes.both_widths(draw, ident))


def _drawn(title: str, groups: Sequence[Group], reach: float, layout: Layout, ident: str) -> str:
    marks = axes.ticks(0, 100 * reach, layout.width // 160)
    heights = [layout.pitch * len(group.bars) + (22 if group.name else 0) + 8 for group in groups]
    frame = layout.frame(sum(heights), marks[-1])
    parts = [_percent_axis(frame, marks)]
    for group, height, bottom in zip(groups, heights, _running(heights), strict=True):
        y = bottom - height + 4
        if group.name:
            parts.append(axes.text(0, y + 13, group.name, kind="heading"))
            y += 22
        for position, bar in enumerate(group.bars):
            parts.append(_bar(frame, y + position * layout.pitch, bar, layout))
    summary = "; ".join(
        " ".join(filter(None, (group.name, bar.label, wording.share(bar.score), _bounds(bar))))
        for group in groups
        for bar in group.bars
    )
    return axes.drawing(
        layout.width, frame.bottom + 24, ident, title, f"{summary}.", "".join(parts)
    )


def _running(heights: Sequence[int]) -> list[int]:
    return [sum(heights[: position + 1]) for position in range(len(heights))]


def _percent_axis(frame: Frame, marks: Sequence[float]) -> str:
    step = axes.step_of(marks)
    parts = []
    for mark in marks:
        x = frame.across(mark)
        anchor = "start" if x < 12 else "end" if x > frame.right - 4 else "middle"
        parts.append(f'<path class="grid" d="M{x:.1f} {frame.top:.1f}V{frame.bottom:.1f}"/>')
        words = f"{axes.tick_text(mark, step)}%"
        parts.append(axes.text(x, frame.bottom + 17, words, anchor))
    return "".join(parts)


def _bar(frame: Frame, y: float, bar: Bar, layout: Layout) -> str:
    end = frame.across(100 * bar.score)
    top = y + 2 if layout.is_wide else y + 17
    size = f'width="{max(end - frame.left, 0.5):.1f}" height="{THICKNESS}"'
    parts = [
        axes.text(0, y + 12, bar.label),
        f'<rect class="{bar.kind}" x="{frame.left:.1f}" y="{top:.1f}" {size} rx="1.5"/>',
    ]
    if bar.interval:
        low, high = (frame.across(100 * bound) for bound in bar.interval)
        parts.append(whisker(low, high, top + THICKNESS / 2, f"{bar.label}: {_bounds(bar)}"))
    x = 48.0
    if layout.is_wide:  # in a column where intervals follow, else at the bar's end
        x = frame.right + 8 if bar.words else end + 8
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
