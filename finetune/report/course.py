"""What the log says beside the loss: losses by layout and by language, speed, memory, waiting."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from markupsafe import Markup

from finetune.report import axes, wording
from finetune.report.axes import Entry, Frame, Point
from finetune.report.charts import MARKERS, smoothed, thinned
from finetune.report.inert import short
from finetune.report.runs import RunView, number
from finetune.report.wording import LAYOUTS

Line = Mapping[str, Any]
HEIGHT = 190
MOST_LANGUAGES = 6
"""Lines with a colour and a marker of their own."""
GIB = 2**30
_SHAPES = (
    *MARKERS.values(),
    '<path d="M0 -5l5 5l-5 5l-5 -5z"/>',
    '<path d="M0 5l5 -9h-10z"/>',
    '<path d="M-5 -1.5h10v3h-10z"/>',
)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart; `kind` is its class, `marker` the shape of its points, or none."""

    name: str
    kind: str
    points: tuple[Point, ...]
    marker: str = ""


def training_by_layout(view: RunView, ident: str) -> Markup | None:
    """The smoothed training loss of each layout; None where the log has fewer than two."""
    series = []
    for layout, name in LAYOUTS.items():
        raw = _points(view.training, _value_at("losses", layout))
        points, window = smoothed(raw)
        words = f"{name}, mean of {window}" if window > 1 else name
        if points:
            series.append(Series(name=words, kind=layout, points=tuple(thinned(points))))
    title = f"Training loss of {view.name} by layout"
    return _chart(title, series, ident) if len(series) > 1 else None


def validation_by_language(view: RunView, ident: str) -> Markup | None:
    """The held-out loss of each language, the mean over its layouts; None where the log has none.

    The languages with the most to say come first in the log: those beyond MOST_LANGUAGES are left
    out, which `languages_left_out` counts.
    """
    series = [
        Series(
            name=short(language, 30),
            kind=f"line{position}",
            points=tuple(_points(view.validation, _mean_of(language))),
            marker=_SHAPES[position],
        )
        for position, language in enumerate(_languages(view)[:MOST_LANGUAGES])
    ]
    title = f"Held-out loss of {view.name} by language, mean over layouts"
    return _chart(title, [one for one in series if one.points], ident)


def languages_left_out(view: RunView) -> int:
    """Languages of the log without a line in the chart."""
    return max(0, len(_languages(view)) - MOST_LANGUAGES)


def meter_facts(view: RunView) -> list[tuple[str, str]]:
    """Speed, waiting and memory, of those that the log has."""
    facts = []
    if known := _values(view, "mfu"):
        facts.append(("MFU, median over steps", wording.share(median(known))))
    if known := _values(view, "data_wait"):
        words = f"{wording.share(median(known))}, at most {wording.share(max(known))}"
        facts.append(("share of a step spent waiting for data, median", words))
    if known := _values(view, "peak_memory"):
        facts.append(("most memory held by the first process", f"{max(known) / GIB:.2f} GiB"))
    if known := _values(view, "gradient_norm"):
        words = f"{median(known):.3g}, at most {max(known):.3g}"
        facts.append(("norm of the gradient, median", words))
    return facts


def _languages(view: RunView) -> list[str]:
    return list(
        dict.fromkeys(
            language
            for line in view.validation
            for language in _mapping(line.get("validation_by_language"))
        )
    )


def _value_at(*keys: str) -> Callable[[Line], float | None]:
    return lambda line: number(line, *keys)


def _mean_of(language: str) -> Callable[[Line], float | None]:
    """Over the layouts of one language."""

    def mean(line: Line) -> float | None:
        by_layout = _mapping(line.get("validation_by_language")).get(language)
        known = [value for layout in LAYOUTS if (value := number(by_layout, layout)) is not None]
        return fmean(known) if known else None

    return mean


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _values(view: RunView, key: str) -> list[float]:
    found = [number(line, key) for line in view.training]
    return [value for value in found if value is not None and math.isfinite(value)]


def _points(lines: Iterable[Line], value_of: Callable[[Line], float | None]) -> list[Point]:
    pairs = ((number(line, "step"), value_of(line)) for line in lines)
    return [(x, y) for x, y in pairs if x is not None and y is not None and math.isfinite(y)]


def _chart(title: str, series: Sequence[Series], ident: str) -> Markup | None:
    if not series:
        return None
    return Markup(axes.both_widths(lambda width, name: _drawn(title, series, width, name), ident))


def _drawn(title: str, series: Sequence[Series], width: int, ident: str) -> str:
    entries = [
        Entry(
            sample=f'<g class="{one.kind}"><path class="validation" d="M-10 0h20"/>'
            f'<g class="marker">{one.marker}</g></g>',
            text=f"{one.name}, last {wording.loss(one.points[-1][1])}",
        )
        for one in series
    ]
    words, top = axes.legend(entries, width)
    everything = [point for one in series for point in one.points]
    steps, values = [step for step, _ in everything], [value for _, value in everything]
    y_ticks = axes.ticks(min(values), max(values), 5)
    last = max(*steps, 1)
    frame = Frame(
        left=44,
        right=width - 8,
        top=top + 34,
        bottom=top + 34 + HEIGHT,
        x=(0, last),
        y=(y_ticks[0], y_ticks[-1]),
    )
    x_ticks = [tick for tick in axes.ticks(0, last, width // 110, least=1) if tick <= last]
    body = [
        words,
        axes.grid(frame, x_ticks, y_ticks),
        axes.text(0, top + 22, "loss, nats per token"),
        axes.text(frame.right, frame.bottom + 38, "step", "end"),
        *(_line(frame, one) for one in series),
    ]
    summary = "; ".join(
        f"{one.name}: {wording.loss(one.points[0][1])} to {wording.loss(one.points[-1][1])}"
        for one in series
    )
    return axes.drawing(width, frame.bottom + 44, ident, title, f"{summary}.", "".join(body))


def _line(frame: Frame, one: Series) -> str:
    placed = [(frame.across(step), frame.up(value)) for step, value in one.points]
    marks = ""
    if one.marker:
        marks = "".join(
            f'<g class="marker" transform="translate({x:.1f} {y:.1f})">'
            f"{axes.hint(f'{one.name}, step {step:,.0f}: {wording.loss(value)}')}{one.marker}</g>"
            for (x, y), (step, value) in zip(placed, one.points, strict=True)
        )
    return f'<g class="{one.kind}">{axes.polyline(placed, "validation")}{marks}</g>'
