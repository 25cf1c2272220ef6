"""What the packer did, for the report: nothing is split, padded or left out uncounted."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune.sequences.packing import Segment
    from finetune.sequences.segment import Cut


@dataclass
class Counts:
    """Totals since the first window, over all ranks."""

    windows: int = 0
    segments: int = 0
    bodies: int = 0
    """Texts that could have been cut: one in a plain document's segment, one per file in a
    repository's, none in a commit's."""
    expected: float = 0.0
    """Sum of the rates with which they were drawn."""
    psm: int = 0
    """Bodies written prefix first."""
    spm: int = 0
    """Bodies written suffix first, in either variant."""
    splits: int = 0
    """How often a document was parted because it did not fit."""
    splits_in_lines: int = 0
    """Those not at a line's start: the line alone is longer than a block."""
    tokens: int = 0
    """Positions that hold a document's token, a sentinel or an end."""
    transformed_tokens: int = 0
    """Those of bodies that were cut."""
    padding: int = 0
    """Positions that hold nothing."""
    kinds: dict[str, int] = field(default_factory=dict)
    """Cuts by kind, as they were made."""
    instead: dict[str, int] = field(default_factory=dict)
    """By kind that was drawn: cuts made by character, for the text did not allow it."""

    def add(self, window: "Iterable[Segment]", padding: int) -> None:
        """Count one window."""
        self.windows += 1
        self.padding += padding
        for segment in window:
            self.segments += 1
            self.tokens += segment.length
            for part in segment.written:
                self.bodies += part.num_bodies
                self.expected += part.num_bodies * segment.rule.fim.rate
                if part.cut is not None:
                    self._add_cut(part.cut, part.length)

    def _add_cut(self, cut: "Cut", length: int) -> None:
        self.psm += cut.layout == "psm"
        self.spm += cut.layout != "psm"
        self.transformed_tokens += length
        self.kinds[cut.kind] = self.kinds.get(cut.kind, 0) + 1
        if cut.kind != cut.wanted:
            self.instead[cut.wanted] = self.instead.get(cut.wanted, 0) + 1

    @property
    def nominal_rate(self) -> float:
        """Mean over the bodies of the rate that the recipe asks for."""
        return self.expected / self.bodies if self.bodies else 0.0

    @property
    def effective_rate(self) -> float:
        """Share of bodies that were transformed."""
        return (self.psm + self.spm) / self.bodies if self.bodies else 0.0

    @property
    def fill(self) -> float:
        """Share of positions that hold a token of a document."""
        return self.tokens / (self.tokens + self.padding) if self.tokens else 0.0

    @classmethod
    def of(cls, state: dict[str, Any]) -> "Counts":
        """Equal to those whose `state` was taken, and nothing in common with it."""
        return cls(**{**state, "kinds": dict(state["kinds"]), "instead": dict(state["instead"])})

    def state(self) -> dict[str, Any]:
        """JSON for `of`."""
        return {**vars(self), "kinds": dict(self.kinds), "instead": dict(self.instead)}
