"""Held-out files -> lines to fill in. Which lines depends on the files alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from data_formats.document import Document
from finetune.generation.infill import Gap

SHORTEST = 4
"""Characters of a line that is worth guessing: brackets and `pass`-like scraps say little."""


@dataclass(frozen=True)
class LineProblem:
    """One line of a file, without its indentation, taken out."""

    path: str
    language: str
    gap: Gap
    truth: str


def line_problems(documents: Sequence[Document], count: int) -> list[LineProblem]:
    """`count` lines (or all there are), picked by a hash of file and position."""
    candidates = [
        (_rank(id_, first + start), document, body, start, end)
        for document, id_ in ((document, document.id) for document in documents)
        for first, body in _bodies(document)
        for start, end in _lines(body)
    ]
    candidates.sort(key=lambda candidate: candidate[0])
    return [
        LineProblem(
            document.path,
            document.language,
            Gap(body[:start], body[end:]),
            body[start:end],
        )
        for _, document, body, start, end in candidates[:count]
    ]


def _bodies(document: Document) -> Iterator[tuple[int, str]]:
    """What fill-in-the-middle may cut, and where it begins: no commit's, issue's or chat's text."""
    text = document.text
    spans = ((0, len(text)),) if document.bodies is None else document.bodies
    return ((start, text[start:end]) for start, end in spans)


def _rank(document_id: str, start: int) -> bytes:
    return blake2b(f"{document_id}\0{start}".encode(), digest_size=16).digest()


def _lines(text: str) -> list[tuple[int, int]]:
    """Bounds of the stripped content of each line that holds a letter or digit."""
    bounds, at = [], 0
    for line in text.split("\n"):
        content = line.strip()
        if len(content) >= SHORTEST and any(map(str.isalnum, content)):
            start = at + line.index(content)
            bounds.append((start, start + len(content)))
        at += len(line) + 1
    return bounds
