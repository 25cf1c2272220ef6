"""What a prepared corpus holds and what was left out, counted from its manifest and drops."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

UNKNOWN_LICENCE = "not stated"
BENCHMARK = "benchmark text: "
"""How the reason of a drop begins that names an evaluation task."""


@dataclass(frozen=True)
class Tally:
    """So many documents with so many characters."""

    documents: int = 0
    characters: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.documents + other.documents, self.characters + other.characters)


@dataclass(frozen=True, kw_only=True)
class CorpusSummary:
    """Counts of one corpus. Documents in = train + holdout + the sum of `drops`."""

    documents_in: int
    train: Tally
    holdout: Tally
    languages: Mapping[str, Mapping[str, Tally]]
    """Split -> language -> tally."""
    licences: Mapping[str, Mapping[str, Tally]]
    """Split -> licence (`not stated` where there is none) -> tally."""
    drops: Mapping[str, int]
    """Reason -> number of documents."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """What the listing passed over (hidden folders, files of no known language, ...): not
    documents, and not part of `documents_in`."""
    redacted: Mapping[str, int] = field(default_factory=dict)
    """Kind of personal data -> how often it was replaced in what was kept."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """What readers left out of documents: pictures of notebooks, messages of bots, ..."""
    not_compared: Mapping[str, int] = field(default_factory=dict)
    """Pairs of documents that may be near-duplicates and were not compared: reason -> number."""

    @property
    def benchmark_drops(self) -> dict[str, int]:
        """Task -> documents that were dropped because they hold text of it."""
        return {
            reason.removeprefix(BENCHMARK): count
            for reason, count in self.drops.items()
            if reason.startswith(BENCHMARK)
        }


@dataclass
class Tallies:
    """A summary in the making, line by line: manifests can be longer than memory."""

    languages: dict[str, dict[str, Tally]] = field(default_factory=lambda: _by_split())
    licences: dict[str, dict[str, Tally]] = field(default_factory=lambda: _by_split())
    drops: Counter[str] = field(default_factory=Counter)

    def add(self, line: Mapping[str, Any]) -> None:
        """Count a line of `manifest.jsonl`."""
        part, one = line["split"], Tally(1, line["characters"])
        self.languages[part][line["language"]] += one
        self.licences[part][line["licence"] or UNKNOWN_LICENCE] += one

    def add_drop(self, line: Mapping[str, Any]) -> None:
        """Count a line of `drops.jsonl`."""
        self.drops[line["reason"]] += 1

    def summary(
        self,
        skipped: Mapping[str, int],
        redacted: Mapping[str, int],
        left_out: Mapping[str, int],
    ) -> CorpusSummary:
        """What was counted so far."""
        totals = {part: sum(mine.values(), Tally()) for part, mine in self.languages.items()}
        documents = sum(one.documents for one in totals.values())
        return CorpusSummary(
            documents_in=documents + self.drops.total(),
            train=totals["train"],
            holdout=totals["holdout"],
            languages=_plain(self.languages),
            licences=_plain(self.licences),
            drops=dict(self.drops.most_common()),
            skipped=dict(skipped),
            redacted=dict(redacted),
            left_out=dict(left_out),
        )


def summarise(
    manifest: Iterable[Mapping[str, Any]],
    drops: Iterable[Mapping[str, Any]],
    skipped: Mapping[str, int] | None = None,
    redacted: Mapping[str, int] | None = None,
    left_out: Mapping[str, int] | None = None,
) -> CorpusSummary:
    """The summary of the lines of `manifest.jsonl` and `drops.jsonl`."""
    tallies = Tallies()
    for line in manifest:
        tallies.add(line)
    for line in drops:
        tallies.add_drop(line)
    return tallies.summary(skipped or {}, redacted or {}, left_out or {})


def _by_split() -> dict[str, dict[str, Tally]]:
    return {"train": defaultdict(Tally), "holdout": defaultdict(Tally)}


def _plain(tallies: Mapping[str, Mapping[str, Tally]]) -> dict[str, dict[str, Tally]]:
    """Plain dicts, the largest share first."""
    return {
        part: dict(sorted(inner.items(), key=lambda one: (-one[1].characters, one[0])))
        for part, inner in tallies.items()
    }
