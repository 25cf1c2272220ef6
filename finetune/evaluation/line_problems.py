"""Held-out files -> gaps to fill in. Which gaps depends on the files alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from data_formats.document import Document, Span
from finetune.generation.infill import Gap

SHORTEST = 4
"""Characters of a line that is worth guessing: brackets and `pass`-like scraps say little."""

Bounds = Callable[[str, str], Iterable[Span]]
"""Text and language -> what may be taken out of it."""


@dataclass(frozen=True)
class LineProblem:
    """One line of a file, without its indentation, or another part of it, taken out."""

    path: str
    language: str
    gap: Gap
    truth: str
    repo: str = ""
    line: int = 1
    """Where the gap begins in its file, from 1."""

    @property
    def origin(self) -> str:
        """Its file: the gaps of one stand and fall together."""
        return f"{self.repo}/{self.path}"


def gap_problems(documents: Sequence[Document], count: int, bounds: Bounds) -> list[LineProblem]:
    """`count` of the parts that `bounds` gives, picked by a hash of file and position."""
    candidates = [
        (_rank(document.id, first + start), document, first, body, start, end)
        for document in documents
        for first, body in _bodies(document)
        for start, end in bounds(body, document.language)
    ]
    candidates.sort(key=lambda candidate: candidate[0])
    return [
        LineProblem(
            document.path,
            document.language,
            Gap(body[:start], body[end:]),
            body[start:end],
            document.repo,
            document.text.count("\n", 0, first + start) + 1,
        )
        for _, document, first, body, start, end in candidates[:count]
    ]


def _bodies(document: Document) -> Iterator[tuple[int, str]]:
    """What fill-in-the-middle may cut, and where it begins: no commit's, issue's or chat's text."""
    text = document.text
    spans = ((0, len(text)),) if document.bodies is None else document.bodies
    return ((start, text[start:end]) for start, end in spans)


def _rank(document_id: str, start: int) -> bytes:
    return blake2b(f"{document_id}\0{start}".encode(), digest_size=16).digest()


def line_bounds(text: str) -> list[Span]:
    """Bounds of the stripped content of each line that holds a letter or digit."""
    bounds, at = [], 0
    for line in text.split("\n"):
        content = line.strip()
        if says_something(content):
            start = at + line.index(content)
            bounds.append((start, start + len(content)))
        at += len(line) + 1
    return bounds


def says_something(content: str) -> bool:
    """Whether a text is worth guessing."""
    return len(content) >= SHORTEST and any(map(str.isalnum, content))
