"""Passages of a short text that stand in training documents, found by reading all of them.

What counts as the same: every character but white space, which is as good as one blank whatever its
kind and amount, so that code repeated with another indentation or line ends is found. What counts
as a passage: `least` such characters, blanks inside it included, of at least `DISTINCT` kinds.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from data_formats.document import Document
from finetune.corpus.store import iter_documents
from finetune.trace.places import Place, place_in
from finetune.trace.winnow import DISTINCT

LEAST = 50
"""Characters: as many as code repeats by chance only where it says little."""
TRIED = 64
"""Places of one part in a document that are compared; tables repeat without end, and of a part that
stands in more, each passage of the least length is looked for once."""


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """A passage of the text and where it comes from."""

    text: Place
    document: Place
    id: str
    path: str
    repo: str
    licence: str | None
    revision: str


@dataclass(frozen=True)
class _Plain:
    """A text with each run of white space as one blank, and none at its ends."""

    original: str

    @cached_property
    def text(self) -> str:
        return " ".join(self.original.split())

    @cached_property
    def _words(self) -> tuple[list[int], list[int]]:
        """Where each word starts: here, and in the original."""
        spans = [word.span() for word in re.finditer(r"\S+", self.original)]
        here, at = [], 0
        for start, end in spans:
            here.append(at)
            at += end - start + 1
        return here, [start for start, _ in spans]

    def place(self, start: int, end: int) -> Place:
        """The original's passage; neither end is a blank."""
        here, there = self._words
        first, last = (bisect_right(here, at) - 1 for at in (start, end - 1))
        begin = there[first] + start - here[first]
        return place_in(self.original, begin, there[last] + end - here[last])


def find_repeats(corpus: Path, text: str, least: int = LEAST) -> list[Repeat]:
    """Every passage of `text` of at least `least` characters that a document of the corpus file
    holds, the longest first. Reads the whole corpus.

    Where a document repeats itself more than `TRIED` times, a passage of it may be given at another
    of its places, and shorter than the longest.
    """
    ours = _Plain(text)
    if len(ours.text) < least:
        return []
    found = [one for document in iter_documents(corpus) for one in _shared(ours, document, least)]
    return sorted(found, key=lambda one: (one.text.start - one.text.end, one.repo, one.path))


def _shared(ours: _Plain, document: Document, least: int) -> Iterator[Repeat]:
    theirs = _Plain(document.text)
    runs = sorted(_runs(ours.text, theirs.text, least), key=lambda run: run[0] - run[1])
    seen: list[tuple[int, int]] = []
    for start, end, there in runs:
        if any(first <= start and end <= last for first, last in seen):
            continue  # part of a longer one
        seen.append((start, end))
        yield Repeat(
            text=ours.place(start, end),
            document=theirs.place(there, there + end - start),
            id=document.id,
            path=document.path,
            repo=document.repo,
            licence=document.licence,
            revision=document.revision,
        )


def _runs(ours: str, theirs: str, least: int) -> Iterator[tuple[int, int, int]]:
    """Start and end in ours, start in theirs. A run of `least` holds a whole part of half that."""
    size = least // 2
    done: dict[int, int] = {}
    for part in range(0, len(ours) - size + 1, size):
        for at, there in _starts(ours, theirs, part, least):
            if done.get(there - at, -1) > at:
                continue  # inside what was found
            start, end = _extended(ours, theirs, at, there, size)
            done[there - at] = end
            run = _without_blanks(ours, start, end)
            if run[1] - run[0] >= least and len(set(ours[run[0] : run[1]])) >= DISTINCT:
                yield *run, there - at + run[0]


def _starts(ours: str, theirs: str, part: int, least: int) -> Iterator[tuple[int, int]]:
    """Where both texts are equal, in ours and in theirs, at or around `part` of ours."""
    size = least // 2
    there, tried = theirs.find(ours[part : part + size]), 0
    while there >= 0 and tried < TRIED:
        yield part, there
        there, tried = theirs.find(ours[part : part + size], there + 1), tried + 1
    if there < 0:
        return
    for at in range(max(0, part + size - least), min(part, len(ours) - least) + 1):
        there = theirs.find(ours[at : at + least])
        if there >= 0:
            yield at, there


def _extended(ours: str, theirs: str, at: int, there: int, size: int) -> tuple[int, int]:
    start, end, shift = at, at + size, there - at
    while start > 0 and start + shift > 0 and ours[start - 1] == theirs[start + shift - 1]:
        start -= 1
    while end < len(ours) and end + shift < len(theirs) and ours[end] == theirs[end + shift]:
        end += 1
    return start, end


def _without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    return start + (text[start] == " "), end - (text[end - 1] == " ")
