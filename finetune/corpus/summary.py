"""What a prepared corpus holds and what was left out, counted from its manifest and drops."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

UNKNOWN_LICENCE = "unknown"


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
    """Split -> licence (`unknown` where none is stated) -> tally."""
    drops: Mapping[str, int]
    """Reason -> number of documents."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """What the listing passed over (hidden folders, files of no known language, ...): not
    documents, and not part of `documents_in`."""


def summarise(
    manifest: Iterable[Mapping[str, Any]],
    drops: Iterable[Mapping[str, Any]],
    skipped: Mapping[str, int] | None = None,
) -> CorpusSummary:
    """The summary of the lines of `manifest.jsonl` and `drops.jsonl`."""
    totals = {"train": Tally(), "holdout": Tally()}
    languages: dict[str, dict[str, Tally]] = {name: defaultdict(Tally) for name in totals}
    licences: dict[str, dict[str, Tally]] = {name: defaultdict(Tally) for name in totals}
    for line in manifest:
        part, one = line["split"], Tally(1, line["characters"])
        totals[part] += one
        languages[part][line["language"]] += one
        licences[part][line["licence"] or UNKNOWN_LICENCE] += one
    reasons = Counter(line["reason"] for line in drops)
    return CorpusSummary(
        documents_in=sum(one.documents for one in totals.values()) + reasons.total(),
        train=totals["train"],
        holdout=totals["holdout"],
        languages=_plain(languages),
        licences=_plain(licences),
        drops=dict(reasons.most_common()),
        skipped=dict(skipped or {}),
    )


def _plain(tallies: Mapping[str, Mapping[str, Tally]]) -> dict[str, dict[str, Tally]]:
    """Plain dicts, the largest share first."""
    return {
        part: dict(sorted(inner.items(), key=lambda one: (-one[1].characters, one[0])))
        for part, inner in tallies.items()
    }
