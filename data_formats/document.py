"""The unit that every reader yields and every later stage consumes.

A format's sentinels never stand in the text. They are `Mark`s beside it: the name of a special
token and the place it belongs to. Whatever a text contains stays text, and a corpus can be
searched, filtered and redacted as the plain text that it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b, sha256
from itertools import pairwise

Span = tuple[int, int]
"""First and last but one code point of a part of a text."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A special token that stands before one code point of a text, or behind its end."""

    at: int
    token: str
    """Name in the tokenizer, `<commit_msg>`. Empty: no token, but what stands on either side is
    tokenised by itself."""


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A special token among the pieces from which `compose` makes a document."""

    token: str


Piece = str | Sentinel


@dataclass(frozen=True, kw_only=True)
class Document:
    """One training text and where it comes from.

    `text` is plain content: a sentinel's name inside it is text, never a token.
    """

    text: str
    path: str
    """Path inside its repository, with forward slashes."""
    repo: str
    """Repository, package or folder that the file belongs to."""
    language: str
    """Lower-case language name, `python`, `cpp`, ..., or the format where it is no language."""
    licence: str | None = None
    """SPDX expression, or None where nothing states one."""
    source: int = 0
    """Position of the recipe's source that yielded it."""
    group: str = ""
    """Package or module: files of one group are never split between training and holdout."""
    revision: str = ""
    """Commit that it was read at, or that it is; empty where there is none."""
    stars: int | None = None
    """Of its repository, where known."""
    marks: tuple[Mark, ...] = ()
    """Sentinels, in the order of writing; places never fall."""
    bodies: tuple[Span, ...] | None = None
    """What fill-in-the-middle may cut, in order: the files in a repository, not their names. None:
    the whole text; empty: nothing."""
    learned: tuple[Span, ...] | None = None
    """What carries loss, in order: the answers of a chat. None: the whole text."""

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the UTF-8 text."""
        return sha256(self.text.encode()).hexdigest()

    @cached_property
    def id(self) -> str:
        """16 hex digits that name this content at this place, the same on every machine."""
        place = f"{self.repo}\0{self.path}\0{self.sha256}"
        if self.revision:
            place += f"\0{self.revision}"
        return blake2b(place.encode(), digest_size=8).hexdigest()

    def edited(self, edits: Sequence[tuple[int, int, str]]) -> "Document":
        """The same with parts of its text replaced: (start, end, new), in order, not overlapping.

        Marks and spans move along; one inside a replaced part moves to its end.
        """
        kept = [0, *(end for _, end, _ in edits)]
        starts = [*(start for start, _, _ in edits), len(self.text)]
        news = [*(new for _, _, new in edits), ""]
        pieces = [self.text[a:b] + new for a, b, new in zip(kept, starts, news, strict=True)]

        def moved(at: int) -> int:
            shift = 0
            for start, end, new in edits:
                if at <= start:
                    break
                at = max(at, end)
                shift += len(new) - (end - start)
            return at + shift

        def spans(old: tuple[Span, ...] | None) -> tuple[Span, ...] | None:
            return old and tuple((moved(start), moved(end)) for start, end in old)

        return replace(
            self,
            text="".join(pieces),
            marks=tuple(Mark(moved(mark.at), mark.token) for mark in self.marks),
            bodies=spans(self.bodies),
            learned=spans(self.learned),
        )


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Something that is not used, and why. `id` is None where its text could not be read."""

    path: str
    repo: str
    reason: str
    """The same sentence for everything that it hits, so that drops can be counted by it."""
    id: str | None = None
    detail: str = ""
    """What is particular to this one: the benchmark's problem that it holds."""


def dropped(document: Document, reason: str, detail: str = "") -> Drop:
    """A document that was read and is not used."""
    return Drop(
        path=document.path, repo=document.repo, reason=reason, id=document.id, detail=detail
    )


def compose(pieces: Iterable[Piece]) -> tuple[str, tuple[Mark, ...]]:
    """The text and the marks of a sequence of texts and sentinels."""
    texts: list[str] = []
    marks: list[Mark] = []
    at = 0
    for piece in pieces:
        if isinstance(piece, Sentinel):
            marks.append(Mark(at, piece.token))
        else:
            texts.append(piece)
            at += len(piece)
    return "".join(texts), tuple(marks)


def pieces_of(document: Document) -> Iterator[Piece]:
    """The inverse of `compose`: the sentinels and the texts between them, empty ones left out."""
    bounds = [0, *(mark.at for mark in document.marks), len(document.text)]
    for number, (start, end) in enumerate(pairwise(bounds)):
        if number and document.marks[number - 1].token:
            yield Sentinel(document.marks[number - 1].token)
        if start < end:
            yield document.text[start:end]


def rendered(document: Document) -> str:
    """The text with its sentinels written out, for people; a model is given ids."""
    return "".join(
        piece.token if isinstance(piece, Sentinel) else piece for piece in pieces_of(document)
    )
