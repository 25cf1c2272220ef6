"""The report's two charts as inline SVG: loss curves, and before/after bars per language.

Colours and line widths are classes of the style sheet, so light and dark need no second drawing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from finetune.report import axes, wording
from finetune.report.axes import Entry, Frame, Point
from finetune.report.inert import short
from finetune.report.runs import RunView, number
from finetune.report.wording import LAYOUTS

# Shapes besides colours: the layouts stay apart in print and for colour-blind eyes.
MARKERS = {
    "left_to_right": '<circle r="4"/>',
    "psm": '<path d="M-4 -4h8v8h-8z"/>',
    "spm": '<path d="M0 -5l5 9h-10z"/>',
}
DOT = '<circle r="3"/>'
MOST_POINTS = 500
CURVES_HEIGHT = 250


def loss_curves(view: RunView, ident: str) -> Markup | None:
    """Training and validation losses over the steps; None where nothing was logged."""
    training = _finite((number(line, "step"), number(line, "loss")) for line in view.training)
    validation = {
        layout: _finite(
            (number(line, "step"), number(line, "validation", layout)) for line in view.validation
        )
        for layout in LAYOUTS
    }
    validation = {layout: points for layout, points in validation.items() if points}
    if not training and not validation:
        return None
    return Markup(
        axes.both_widths(
            lambda width, name: _curves(view.name, training, validation, width, name), ident
        )
    )


def left_out(view: RunView) -> int:
    """Training losses that are not numbers and so cannot be drawn: a run that diverged."""
    return len(view.training) - len(
        _finite((number(line, "step"), number(line, "loss")) for line in view.training)
    )


def language_bars(view: RunView, ident: str) -> Markup | None:
    """Held-out losses before and after, per language and layout; None where not measured."""
    losses = _measured(view.scores)
    if not losses:
        return None
    return Markup(
        axes.both_widths(lambda width, name: _bars(view.name, losses, width, name), ident)
    )


def smoothed(points: Sequence[Point]) -> tuple[list[Point], int]:
    """A centred mean, and its widest window. Centred: it does not trail behind a falling loss.
    Towards the ends the window narrows on both sides alike."""
    reach = len(points) // 50
    sums = [0.0]
    for _, value in points:
        sums.append(sums[-1] + value)
    means = []
    for index, (step, _) in enumerate(points):
        half = min(reach, index, len(points) - 1 - index)
        total = sums[index + half + 1] - sums[index - half]
        means.append((step, total / (2 * half + 1)))
    return means, 2 * reach + 1


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most so many points; of each stretch its lowest and its highest, so spikes survive."""
    if len(points) <= most:
        return list(points)
    stretch = math.ceil(2 * len(points) / most)
    kept: list[Point] = []
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        ends = {min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])}
        kept.extend(sorted(ends))
    return kept


def _curves(
    run: str,
    training: Sequence[Point],
    validation: Mapping[str, Sequence[Point]],
    width: int,
    ident: str,
) -> str:
    means, window = smoothed(training)
    words, legend_height = axes.legend(_curve_entries(training, window, validation), width)
    series = [training, *validation.values()]
    values = [value for points in series for _, value in points]
    last_step = max(step for points in series for step, _ in points)
    x_ticks = axes.ticks(0, last_step, width // 110, least=1)
    y_ticks = axes.ticks(min(values), max(values), 7)
    top = legend_height + 34
    frame = Frame(
        left=44,
        right=width - 8,
        top=top,
        bottom=top + CURVES_HEIGHT,
        x=(0, max(last_step, 1)),
        y=(y_ticks[0], y_ticks[-1]),
    )
    inside = [tick for tick in x_ticks if tick <= frame.x[1]]
    body = [
        words,
        axes.grid(frame, inside, y_ticks),
        axes.text(0, top - 12, "loss, nats per token"),
        axes.text(frame.right, frame.bottom + 38, "step", "end"),
        _training_lines(frame, training, means),
        *(_validation_line(frame, layout, points) for layout, points in validation.items()),
    ]
    summary = _curves_in_words(means, validation, last_step)
    height = frame.bottom + 44
    return axes.drawing(width, height, ident, f"Losses of {run} by step", summary, "".join(body))


def _training_lines(frame: Frame, raw: Sequence[Point], means: Sequence[Point]) -> str:
    if len(raw) == 1:
        return f'<g class="mean">{_marker(frame, raw[0], DOT, "training")}</g>'
    mean = axes.polyline(_placed(frame, thinned(means)), "mean")
    # Where nothing was averaged the mean is the raw line.
    return (
        mean
        if list(raw) == list(means)
        else axes.polyline(_placed(frame, thinned(raw)), "raw") + mean
    )


def _validation_line(frame: Frame, layout: str, points: Sequence[Point]) -> str:
    markers = "".join(
        _marker(frame, point, MARKERS[layout], f"validation, {LAYOUTS[layout]}") for point in points
    )
    line = axes.polyline(_placed(frame, points), "validation")
    return f'<g class="{layout}">{line}{markers}</g>'


def _marker(frame: Frame, point: Point, shape: str, name: str) -> str:
    """A point that says its value when pointed at."""
    step, value = point
    place = f"{frame.across(step):.1f} {frame.up(value):.1f}"
    hint = f"{name}, step {step:,.0f}: {wording.loss(value)}"
    return f'<g class="marker" transform="translate({place})"><title>{hint}</title>{shape}</g>'


def _curve_entries(
    training: Sequence[Point], window: int, validation: Mapping[str, Sequence[Point]]
) -> list[Entry]:
    entries = []
    if training:
        kind = "raw" if window > 1 else "mean"
        entries.append(Entry(sample=f'<path class="{kind}" d="M-10 0h20"/>', text="training"))
    if window > 1:
        text = f"mean of {window}"
        entries.append(Entry(sample='<path class="mean" d="M-10 0h20"/>', text=text))
    for layout, points in validation.items():
        line = f'<path class="validation" d="M-10 0h20"/><g class="marker">{MARKERS[layout]}</g>'
        text = f"validation, {LAYOUTS[layout]}, last {wording.loss(points[-1][1])}"
        entries.append(Entry(sample=f'<g class="{layout}">{line}</g>', text=text))
    return entries


def _curves_in_words(
    means: Sequence[Point], validation: Mapping[str, Sequence[Point]], last_step: float
) -> str:
    parts = [f"Over {last_step:,.0f} steps:"]
    if means:
        ends = f"{wording.loss(means[0][1])} to {wording.loss(means[-1][1])}"
        parts.append(f"training loss from {ends};")
    for layout, points in validation.items():
        ends = f"{wording.loss(points[0][1])} to {wording.loss(points[-1][1])}"
        parts.append(f"validation loss, {LAYOUTS[layout]}, from {ends};")
    return " ".join(parts).rstrip(";") + "."


def _bars(
    run: str, losses: Mapping[str, Sequence[tuple[str, float, float]]], width: int, ident: str
) -> str:
    entries = [Entry(sample=_bar(-10, -5, 20, "before"), text="before (base)")]
    entries.append(Entry(sample=_bar(-10, -5, 20, "after"), text="after"))
    words, y = axes.legend(entries, width)
    highest = max(value for rows in losses.values() for _, *pair in rows for value in pair)
    frame = Frame(left=92, right=width - 52, top=0, bottom=0, x=(0, highest or 1.0), y=(0, 1))
    parts = [words]
    y += 8
    for language, rows in losses.items():
        parts.append(axes.text(0, y + 16, short(language, 40), kind="heading"))
        y += 26
        for layout, before, after in rows:
            parts.append(axes.text(0, y + 16, wording.layout(layout)))
            parts.append(_measured_bar(frame, y, before, "before"))
            parts.append(_measured_bar(frame, y + 12, after, "after"))
            y += 32
        y += 8
    summary = "; ".join(
        f"{language}, {wording.layout(layout)}: {wording.loss(before)} to {wording.loss(after)}"
        for language, rows in losses.items()
        for layout, before, after in rows
    )
    title = f"Held-out losses of {run} before and after, nats per token"
    return axes.drawing(width, y, ident, title, summary + ".", "".join(parts))


def _measured_bar(frame: Frame, y: float, value: float, kind: str) -> str:
    length = frame.across(value) - frame.left
    return _bar(frame.left, y, length, kind) + axes.text(
        frame.left + length + 6, y + 9, wording.loss(value), kind="value"
    )


def _bar(x: float, y: float, length: float, kind: str) -> str:
    size = f'width="{max(length, 0.5):.1f}" height="10"'
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size} rx="1.5"/>'


def _measured(scores: Mapping[str, Any]) -> dict[str, list[tuple[str, float, float]]]:
    """(layout, before, after) per language, of what was measured on both sides."""
    by_language = scores.get("losses_by_language") or {}
    if not by_language and "losses" in scores:
        by_language = {"all languages": scores["losses"]}
    found = {language: _pairs(by_language[language]) for language in sorted(by_language)}
    return {language: pairs for language, pairs in found.items() if pairs}


def _pairs(losses: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    pairs = []
    for layout in LAYOUTS:
        before, after = number(losses, "base", layout), number(losses, "tuned", layout)
        if before is not None and after is not None and math.isfinite(before + after):
            pairs.append((layout, before, after))
    return pairs


def _finite(points: Iterable[tuple[float | None, float | None]]) -> list[Point]:
    return [
        (step, value)
        for step, value in points
        if step is not None and value is not None and math.isfinite(value)
    ]


def _placed(frame: Frame, points: Sequence[Point]) -> list[Point]:
    return [(frame.across(step), frame.up(value)) for step, value in points]
