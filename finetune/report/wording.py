"""Numbers as people read them; the terminal, the page and the charts all use these."""

import math

NOT_MEASURED = "not measured"
LAYOUTS = {"left_to_right": "left to right", "psm": "PSM", "spm": "SPM"}


def loss(value: float | None) -> str:
    """Three decimals: a thousandth of a nat is about what a repeated measurement agrees on."""
    return NOT_MEASURED if value is None else f"{value:.3f}"


def share(value: float | None) -> str:
    """A share of one, as a percentage."""
    return NOT_MEASURED if value is None else f"{100 * value:.1f}%"


def interval(bounds: tuple[float, float] | None) -> str:
    """`10.0–21.0%`; empty where there is none."""
    return "" if bounds is None else f"{100 * bounds[0]:.1f}–{share(bounds[1])}"


def change(value: float, decimals: int) -> str:
    """With its sign, a real minus, and no sign on nothing."""
    if not math.isfinite(value):
        return ""
    rounded = round(value, decimals)
    sign = "−" if rounded < 0 else "+" if rounded > 0 else "±"
    return f"{sign}{abs(rounded):.{decimals}f}"


def duration(seconds: float | None) -> str:
    """In the two units that matter."""
    if seconds is None:
        return NOT_MEASURED
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(value: float | None) -> str:
    """Whole, with thousands apart."""
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def compact(value: float) -> str:
    """Four characters or so, for axes and asides: 950, 12.5k, 3.2M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            scaled = value / (1e3 if unit == "k" else limit)
            return f"{scaled:.3g}{unit}"
    return f"{value:,.0f}"


def small(value: float | None) -> str:
    """A difference that is nearly nothing."""
    return (
        NOT_MEASURED
        if value is None
        else "0"
        if value == 0
        else f"{value:.1e}".replace("e-0", "e-")
    )


def layout(name: str) -> str:
    """A layout of the scores, in words."""
    return LAYOUTS.get(name, name.replace("_", " "))
