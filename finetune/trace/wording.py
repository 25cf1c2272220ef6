"""What a trace found, for people and as JSON. No text of the corpus is shown."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from finetune.trace.bloom import Membership
from finetune.trace.lookup import SURE_UNPROVEN, Match, Trace
from finetune.trace.places import Place, num_covered, place_in

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 20
"""Documents in the terminal's table; JSON has all."""
PASSAGES = 3
"""Passages of one document, or common ones, in the terminal."""


def trace_json(trace: Trace) -> dict[str, Any]:
    """Every match with its spans: code points from 0, the end excluded; lines from 1, included."""
    return asdict(trace)


def membership_json(found: Membership, text: str) -> dict[str, Any]:
    """The passages in the same form; which documents they come from is not known."""
    return {**asdict(found), "spans": [asdict(place_in(text, *span)) for span in found.spans]}


def trace_table(trace: Trace) -> "Table":
    """A row per document, the largest share first."""
    from rich.table import Table
    from rich.text import Text

    table = Table("lines of FILE", "share", "kind", "licence", box=None)
    table.add_column("training document", overflow="fold")
    for match in trace.matches[:SHOWN]:
        cells = (
            _lines([span.file for span in match.spans]),
            f"{match.share:.1%}",
            match.kind,
            match.licence or "not stated",
            _document(match),
        )
        table.add_row(*map(Text, cells))  # Text: what stands in a path is not markup
    return table


def trace_summary(trace: Trace) -> Iterator[str]:
    """What the table does not say."""
    if len(trace.matches) > SHOWN:
        yield f"and {len(trace.matches) - SHOWN:,} more documents, which --json lists"
    common = sorted(trace.frequent, key=lambda one: -one.num_documents)
    for one in common[:PASSAGES]:
        yield (
            f"lines {_range(one.file)} of FILE are common: fingerprints stand in "
            f"{one.num_documents:,} documents, of which those most like FILE were compared"
        )
    if len(common) > PASSAGES:
        yield f"and {len(common) - PASSAGES:,} more common passages, which --json lists"
    found = f"{trace.num_found:,} of {trace.num_characters:,} characters of FILE"
    if trace.is_proven:
        yield f"{found} are in the training code, {trace.num_exact:,} of them exactly"
    else:
        yield (
            f"{found} have the fingerprints of training code; the corpus is gone, so nothing "
            f"proves it, and passages of fewer than {SURE_UNPROVEN} characters may be missing"
        )


def membership_summary(found: Membership, text: str) -> Iterator[str]:
    """All that a filter can tell."""
    for span in found.spans:
        yield f"lines {_range(place_in(text, *span))}: {span[1] - span[0]:,} characters"
    yield (
        f"{num_covered(found.spans):,} of {found.num_characters:,} characters of FILE are in the "
        "training code; the released filter does not know in which documents"
    )
    yield (
        f"{found.num_fingerprints:,} fingerprints looked up; one that is absent seems present with "
        f"a probability of {found.rate:g}"
    )


def _document(match: Match) -> str:
    places = [span.document for span in match.spans if span.document is not None]
    lines = f":{_lines(places)}" if places else ""
    revision = f" at {match.revision[:12]}" if match.revision else ""
    return f"{match.repo} {match.path}{lines}{revision}"


def _lines(places: Sequence[Place]) -> str:
    shown = ", ".join(_range(place) for place in places[:PASSAGES])
    more = len(places) - PASSAGES
    return f"{shown} and {more} more" if more > 0 else shown


def _range(place: Place) -> str:
    first, last = place.first_line, place.last_line
    return str(first) if first == last else f"{first}-{last}"
