"""One measure of one run, worded: what the terminal's table and the page's consist of."""

import math
from dataclasses import dataclass
from typing import Literal

from finetune.evaluation.chance import Chance
from finetune.report import wording

Better = Literal["lower", "higher", ""]
Verdict = Literal["same", ""] | Chance

ARROWS: dict[Better, str] = {"lower": "↓", "higher": "↑", "": ""}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A score has its interval below it, and the measure how it was taken."""

    run: str
    measure: str
    note: str = ""
    better: Better = ""
    before: str = ""
    before_interval: str = ""
    after: str
    after_interval: str = ""
    change: str = ""
    verdict: Verdict = ""

    @property
    def label(self) -> str:
        return f"{ARROWS[self.better]} {self.measure}".strip()

    @property
    def kind(self) -> str:
        """A class of the style sheet."""
        return self.verdict if self.verdict in ("better", "worse", "same") else "plain"

    @property
    def remark(self) -> str:
        """The change, and in words what its colour says."""
        if not self.before:
            return self.change
        colon = ":" if self.verdict and " " in self.change else ""
        return f"{self.change}{colon} {self.verdict}".strip()


def compared(run: str, measure: str, before: float | None, after: float | None) -> Row:
    """A loss before and after."""
    return Row(
        run=run,
        measure=measure,
        better="lower",
        before=wording.loss(before),
        after=wording.loss(after),
        change=difference(before, after, 1.0, 3),
        verdict=_verdict(before, after, 3),
    )


def difference(before: float | None, after: float | None, scale: float, decimals: int) -> str:
    """With its sign; empty where there is none."""
    if before is None or after is None:
        return ""
    return wording.change((after - before) * scale, decimals)


def _verdict(before: float | None, after: float | None, decimals: int) -> Verdict:
    """Judged as printed: a change that rounds to nothing is none."""
    if before is None or after is None or not math.isfinite(before):
        return ""
    if not math.isfinite(after):
        return "worse"
    moved = round(after - before, decimals)
    if moved == 0:
        return "same"
    return "better" if moved < 0 else "worse"
