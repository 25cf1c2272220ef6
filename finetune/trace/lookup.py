"""A text -> the training documents that hold its code, each shared passage proven."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data_formats.document import Span
from finetune.errors import UserError
from finetune.trace.index import CHARACTERS, FAMILIES, Index, open_index, rows_at
from finetune.trace.places import Place, num_covered, place_in, require_length
from finetune.trace.runs import shared_runs
from finetune.trace.units import Units, characters_of
from finetune.trace.winnow import Fingerprints, joined, winnow

COMPARED = 100
"""Documents compared for each fingerprint, at least: those that share most fingerprints with the
text. A licence header stands in thousands, which are counted instead."""
UNPROVEN = 60
"""Characters that neighbouring fingerprints have to span where no text is left to prove it by."""
SURE_UNPROVEN = UNPROVEN + 2 * (CHARACTERS.window - 1)
"""Characters of a passage that is not missed then: its first fingerprint begins within one window,
and its last ends within one."""

Kind = Literal["exact", "similar", "fingerprints"]
Postings = Sequence[NDArray[np.uint32]]
Pair = tuple[Span, Span]
"""The same passage in the text and in a document."""


@dataclass(frozen=True)
class SpanPair:
    """The same passage on both sides."""

    file: Place
    document: Place | None
    """None where the corpus is gone, so that only fingerprints could be compared."""


@dataclass(frozen=True)
class Match:
    """A training document, and what it shares with the text."""

    kind: Kind
    """`exact`: the same characters; `similar`: the same words in a row, whatever stands between
    them; `fingerprints`: the hashes agree, and no text is left to prove it by."""
    id: str
    path: str
    repo: str
    licence: str | None
    revision: str
    share: float
    """Of the text's characters, those that lie in a span."""
    spans: tuple[SpanPair, ...]


@dataclass(frozen=True)
class Frequent:
    """A passage that was found, and whose fingerprints more documents hold than were compared."""

    file: Place
    num_documents: int


@dataclass(frozen=True)
class Trace:
    """What was found, the largest share first."""

    num_characters: int
    num_found: int
    """Characters of the text that lie in a span of some document, whatever its kind."""
    num_exact: int
    """Of those, characters in exact spans."""
    is_proven: bool
    """False where the corpus is gone: then there are fingerprints only."""
    matches: tuple[Match, ...]
    frequent: tuple[Frequent, ...]


@dataclass(frozen=True)
class _Query:
    """One family's view of the text."""

    units: Units
    fingerprints: Fingerprints
    postings: Postings


Queries = Mapping[str, _Query]


def find(folder: Path, corpus: Path | None, text: str) -> Trace:
    """Which documents of the index in `folder` contain passages of `text`.

    `corpus` is the file that the index was made from, or None where it is gone. A document that
    holds all of the text is found with certainty, and so is a run of 60 equal characters (CRLF
    counts as LF) or of 24 equal words, with two exceptions: a run that says nothing (see
    `winnow.DISTINCT`), and one whose every fingerprint stands in more than `COMPARED` documents
    that share more with the text; `Trace.frequent` names such runs of characters.

    Raises UserError where the text is too short, or folder and corpus do not belong together.
    """
    require_length(text, CHARACTERS.least)
    index = open_index(folder)
    queries = {name: _query(index, name, text) for name in FAMILIES}
    if corpus is None:
        matches = _unproven(index, queries["characters"], text)
    else:
        matches = _proven(index, corpus, queries, text)
    found = [span for match in matches for span in _files(match)]
    exact = [span for match in matches if match.kind == "exact" for span in _files(match)]
    return Trace(
        num_characters=len(text),
        num_found=num_covered(found),
        num_exact=num_covered(exact),
        is_proven=corpus is not None,
        matches=tuple(sorted(matches, key=lambda one: (-one.share, one.repo, one.path, one.kind))),
        frequent=_frequent(queries["characters"], found, text),
    )


def _query(index: Index, family: str, text: str) -> _Query:
    units_of, scheme = FAMILIES[family]
    units = units_of(text)
    fingerprints = winnow(units.values, scheme)
    return _Query(units, fingerprints, index.postings(family, fingerprints.hashes))


def _num_hits(index: Index, postings: Postings) -> NDArray[np.int64]:
    """Of each document, how many fingerprints of the text it holds."""
    num_hits = np.zeros(index.num_documents, np.int64)
    for documents in postings:
        num_hits[documents] += 1
    return num_hits


def _candidates(index: Index, postings: Postings) -> set[int]:
    """Of each fingerprint's documents those `COMPARED` that share most fingerprints in all."""
    num_hits = _num_hits(index, postings)
    chosen: set[int] = set()
    for documents in postings:
        if len(documents) > COMPARED:
            order = np.argsort(-num_hits[documents], kind="stable")
            documents = documents[order[:COMPARED]]
        chosen.update(documents.tolist())
    return chosen


def _with_all(index: Index, text: str) -> set[int]:
    """The documents that hold each fingerprint of the text, and so perhaps the whole of it."""
    hashes = winnow(characters_of(text.strip()).values, CHARACTERS).hashes
    if not len(hashes):
        return set()
    num_hits = _num_hits(index, index.postings("characters", hashes))
    return set(np.flatnonzero(num_hits == len(hashes)).tolist())


def _proven(index: Index, corpus: Path, queries: Queries, text: str) -> list[Match]:
    chosen = set[int]().union(*(_candidates(index, one.postings) for one in queries.values()))
    numbers = chosen | _with_all(index, text)
    facts = index.facts(numbers)
    found = []
    try:
        for number, row in rows_at(corpus, numbers, ("id", "text")):
            if row["id"] != facts[number]["id"]:
                raise IndexError(number)
            whole = _whole(text, row["text"])
            if whole is not None:
                found.append(_match("exact", facts[number], [whole], text, row["text"]))
            elif number in chosen:
                found += _compared(queries, text, row["text"], facts[number])
    except IndexError:
        raise UserError(
            f"{index.folder}: made from another corpus than {corpus}; "
            "`finetune prepare RECIPE --redo` makes both anew"
        ) from None
    return found


def _whole(text: str, theirs: str) -> Pair | None:
    """Where all of the text stands in a document, or all but the blanks around it."""
    plain, there = text.replace("\r\n", "\n"), theirs.replace("\r\n", "\n")
    for part in (plain, plain.strip()):
        at = there.find(part)
        if at >= 0 and len(part) >= CHARACTERS.least:
            first = plain.index(part)
            ours = characters_of(text).place(first, first + len(part))
            return ours, characters_of(theirs).place(at, at + len(part))
    return None


def _compared(queries: Queries, text: str, theirs: str, facts: dict[str, Any]) -> Iterator[Match]:
    """What one document shares; passages that are similar only where they are not exact."""
    spans = {name: _spans(query, name, theirs) for name, query in queries.items()}
    exact = spans["characters"]
    similar = [one for one in spans["words"] if not _is_mostly_in(one[0], exact)]
    if exact:
        yield _match("exact", facts, exact, text, theirs)
    if similar:
        yield _match("similar", facts, similar, text, theirs)


def _spans(query: _Query, family: str, theirs: str) -> list[Pair]:
    units_of, scheme = FAMILIES[family]
    there = units_of(theirs)
    ours = (query.units.values, query.fingerprints)
    runs = shared_runs(ours, (there.values, winnow(there.values, scheme)), scheme)
    return [
        (
            query.units.place(run.ours, run.ours + run.size),
            there.place(run.theirs, run.theirs + run.size),
        )
        for run in runs
    ]


def _is_mostly_in(span: Span, exact: Iterable[Pair]) -> bool:
    start, end = span
    parts = [(max(start, a), min(end, b)) for (a, b), _ in exact if a < end and start < b]
    return 2 * num_covered(parts) > end - start


def _unproven(index: Index, query: _Query, text: str) -> list[Match]:
    """Documents whose fingerprints agree with neighbouring ones of the text."""
    numbers = _candidates(index, query.postings)
    facts = index.facts(numbers)
    hits = {number: np.zeros(len(query.postings), bool) for number in numbers}
    for at, documents in enumerate(query.postings):
        for number in numbers.intersection(documents.tolist()):
            hits[number][at] = True
    matches = []
    for number, is_hit in hits.items():
        spans = [
            (query.units.place(first, last), None)
            for first, last in joined(query.fingerprints, is_hit, CHARACTERS.k)
            if last - first >= UNPROVEN
        ]
        if spans:
            matches.append(_match("fingerprints", facts[number], spans, text, ""))
    return matches


def _frequent(query: _Query, found: Iterable[Span], text: str) -> tuple[Frequent, ...]:
    """Of the passages found, those whose fingerprints stand in more documents than compared."""
    outside = np.ones(len(text) + 1, np.int64)
    for start, end in found:
        outside[start:end] = 0
    num_outside = np.concatenate([[0], np.cumsum(outside)])
    at, k = query.fingerprints.positions, CHARACTERS.k
    is_inside = num_outside[query.units.ends[at + k - 1]] == num_outside[query.units.starts[at]]
    counts = np.array([len(documents) for documents in query.postings], np.int64)
    passages = []
    for first, last in joined(query.fingerprints, is_inside & (counts > COMPARED), k):
        largest = counts[(at >= first) & (at + k <= last)].max()
        passages.append(Frequent(place_in(text, *query.units.place(first, last)), int(largest)))
    return tuple(passages)


def _match(
    kind: Kind,
    facts: dict[str, Any],
    pairs: Sequence[tuple[Span, Span | None]],
    text: str,
    theirs: str,
) -> Match:
    spans = tuple(
        SpanPair(place_in(text, *ours), there and place_in(theirs, *there)) for ours, there in pairs
    )
    share = num_covered(ours for ours, _ in pairs) / len(text)
    return Match(kind=kind, **facts, share=share, spans=spans)


def _files(match: Match) -> list[Span]:
    return [(span.file.start, span.file.end) for span in match.spans]
