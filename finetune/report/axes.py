"""The parts that our SVG charts share: scales, ticks, text, legends."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from finetune.report.inert import inert_line

Point = tuple[float, float]

# Advances of 12 px sans-serif letters, as wide as common fonts have them: a legend should rather
# show a gap than overlap.
NARROW_LETTERS, WIDE_LETTERS = "fijlrt,.:;()1 ", "mwMW"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where data lies in the drawing: `left..right` by `top..bottom` shows `x` by `y`."""

    left: float
    right: float
    top: float
    bottom: float
    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, value: float) -> float:
        low, high = self.x
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def up(self, value: float) -> float:
        low, high = self.y
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a legend: what is drawn beside the text, around the origin."""

    sample: str
    text: str


def ticks(low: float, high: float, about: int, least: float = 0.0) -> list[float]:
    """Round values that enclose low..high: multiples of 1, 2 or 5 times a power of ten."""
    span = (high - low) or abs(high) or 1.0
    raw = max(span / max(about, 1), least)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    decimals = max(0, -math.floor(math.log10(step)))
    return [round(index * step, decimals) for index in range(first, max(last, first + 1) + 1)]


def tick_text(value: float, step: float) -> str:
    """As many decimals as the step asks for."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals == 0 and abs(value) >= 100_000:
        return f"{value / 1e6:g}M" if abs(value) >= 1e6 else f"{value / 1e3:g}k"
    return f"{value:,.{decimals}f}"


def grid(frame: Frame, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> str:
    """Hairlines and their labels; a last label that would leave the drawing ends at its edge."""
    parts = []
    for value in y_ticks:
        y = frame.up(value)
        parts.append(f'<path class="grid" d="M{frame.left:.1f} {y:.1f}H{frame.right:.1f}"/>')
        parts.append(text(frame.left - 8, y + 4, tick_text(value, step_of(y_ticks)), "end"))
    for value in x_ticks:
        x = frame.across(value)
        parts.append(f'<path class="tick" d="M{x:.1f} {frame.bottom:.1f}v5"/>')
        anchor = "end" if x > frame.right - 12 else "middle"
        parts.append(text(x, frame.bottom + 19, tick_text(value, step_of(x_ticks)), anchor))
    parts.append(f'<path class="axis" d="M{frame.left:.1f} {frame.bottom:.1f}H{frame.right:.1f}"/>')
    return "".join(parts)


def step_of(values: Sequence[float]) -> float:
    """The distance between neighbouring ticks."""
    return values[1] - values[0] if len(values) > 1 else 1.0


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "label") -> str:
    """One line of text."""
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def legend(entries: Sequence[Entry], width: float) -> tuple[str, float]:
    """The legend, wrapped to the width, and its height."""
    parts, x, y = [], 0.0, 0.0
    for entry in entries:
        needed = 28 + advance(entry.text)
        if x > 0 and x + needed > width:
            x, y = 0.0, y + 20
        parts.append(f'<g transform="translate({x + 11:.1f} {y + 10:.1f})">{entry.sample}</g>')
        parts.append(text(x + 28, y + 14, entry.text))
        x += needed + 16
    return "".join(parts), y + 20


def advance(words: str) -> float:
    """About how wide a label is."""
    return sum(
        4.0 if letter in NARROW_LETTERS else 11.0 if letter in WIDE_LETTERS else 7.3
        for letter in words
    )


def hint(words: str) -> str:
    """What a shape says when it is pointed at."""
    return f"<title>{escape(inert_line(words))}</title>"


def polyline(points: Sequence[Point], kind: str) -> str:
    """A line through points of the drawing."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{path}"/>' if points else ""


def drawing(width: int, height: float, ident: str, title: str, summary: str, body: str) -> str:
    """A whole SVG. The title and the summary are what a screen reader says."""
    return (
        f'<svg role="img" viewBox="0 0 {width} {height:.0f}" '
        f'aria-labelledby="{ident}-title {ident}-summary">'
        f'<title id="{ident}-title">{escape(title)}</title>'
        f'<desc id="{ident}-summary">{escape(summary)}</desc>{body}</svg>'
    )


def both_widths(draw: Callable[[int, str], str], ident: str) -> str:
    """Drawn for a desk and for a phone; the style sheet shows one. Scaling one drawing down
    would make its text unreadable."""
    return (
        f'<div class="wide">{draw(WIDE, f"{ident}-wide")}</div>'
        f'<div class="narrow">{draw(NARROW, f"{ident}-narrow")}</div>'
    )


WIDE, NARROW = 880, 350
