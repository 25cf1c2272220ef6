"""A repository as one text: its name, then every file behind its path, as StarCoder2 reads code.

`<repo_name>R<file_sep>path\\ncode<file_sep>path\\ncode...` (arXiv:2402.19173): a model learns to
use what other files of a project define. Half of StarCoder2's repositories stood there without name
and paths: `<file_sep>code<file_sep>code...`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from data_formats.document import Document, Piece, Sentinel, Span, compose

REPO_NAME = "<repo_name>"
FILE_SEP = "<file_sep>"


@dataclass(frozen=True, slots=True)
class RepositoryFile:
    """One file of a repository."""

    path: str
    text: str
    language: str


def repository_documents(
    files: Iterable[RepositoryFile],
    *,
    repo: str,
    revision: str = "",
    licence: str | None = None,
    source: int = 0,
    max_characters: int | None = None,
    names: bool = True,
) -> Iterator[Document]:
    """The files in the order given, see `dependencies`; one document, or more where it is large.

    With `max_characters` a document that would grow longer ends before the file that does it, and
    the next begins with the repository's name again; a file longer than that stands alone, whole.
    Without `names` there are neither the repository's name nor paths. Fill-in-the-middle may cut
    each file's code and nothing else. The language is that of most characters.
    """
    for part in _parts(files, len(repo) if names else 0, max_characters, names):
        pieces: list[Piece] = [Sentinel(REPO_NAME), repo] if names else []
        bodies: list[Span] = []
        at = len(repo) if names else 0
        for file in part:
            name = f"{file.path}\n" if names else ""
            pieces += [Sentinel(FILE_SEP), name, file.text]
            at += len(name) + len(file.text)
            bodies.append((at - len(file.text), at))
        text, marks = compose(pieces)
        yield Document(
            text=text,
            path=".",
            repo=repo,
            language=_language(part),
            licence=licence,
            source=source,
            revision=revision,
            marks=marks,
            bodies=tuple(bodies),
        )


def repository_files(document: Document) -> list[tuple[str, str]]:
    """(path, code) of each file; paths are empty in a document without names.

    Raises ValueError where it is no document of `repository_documents`.
    """
    marks = [mark for mark in document.marks if mark.token != REPO_NAME]
    bodies = document.bodies or ()
    if len(marks) != len(bodies) or {mark.token for mark in marks} != {FILE_SEP}:
        raise ValueError(
            f"{document.repo}: {document.path}: not in the layout {REPO_NAME} {FILE_SEP}; give "
            "what `repository_documents` made"
        )
    text = document.text
    return [
        (text[mark.at : start].removesuffix("\n"), text[start:end])
        for mark, (start, end) in zip(marks, bodies, strict=True)
    ]


def _parts(
    files: Iterable[RepositoryFile], header: int, max_characters: int | None, names: bool
) -> Iterator[Sequence[RepositoryFile]]:
    """The files cut into runs that make a document each."""
    part: list[RepositoryFile] = []
    length = header
    for file in files:
        size = len(file.text) + (len(file.path) + 1 if names else 0)
        if part and max_characters is not None and length + size > max_characters:
            yield part
            part, length = [], header
        part.append(file)
        length += size
    if part:
        yield part


def _language(files: Sequence[RepositoryFile]) -> str:
    counts: Counter[str] = Counter()
    for file in files:
        counts[file.language] += len(file.text)
    return min(counts, key=lambda language: (-counts[language], language))
