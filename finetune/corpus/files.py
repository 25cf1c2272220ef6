"""Sources that are files: of a folder, of an installed package, or of a git repository's commit."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from data_formats.document import Document, Drop
from data_formats.git import (
    DAMAGED,
    Repository,
    TreeFile,
    kind_reason,
    open_repository,
    read_files,
    size_reason,
)
from data_formats.git_objects import Objects
from data_formats.source_code import decode_source
from finetune.corpus import filters
from finetune.corpus.globs import matcher
from finetune.corpus.locate import (
    NOTEBOOKS,
    SourceFile,
    SourceFiles,
    fingerprint,
    language_in,
    locate,
    name_reason,
    walk,
)
from finetune.corpus.packages import STDLIB
from finetune.corpus.reader import Reader
from finetune.errors import Failed, UserError
from finetune.recipe.schema import Source

if TYPE_CHECKING:
    from finetune.corpus.licensing import LicenceTree

MAX_BYTES = 64 << 20
"""Of one file. What is larger is never read, whatever the recipe's `max_characters`."""


def list_files(source: Source, index: int) -> Reader:
    """The files of a folder or a package, or of a commit where the source names a `revision`."""
    if source.revision is None:
        return Folder(source, index, locate(source))
    if source.path is None:
        raise UserError("revision: is of a git repository; give its folder as `path`")
    skipped: Counter[str] = Counter()
    with told():
        repository = open_repository(Path(source.path))
        commit = repository.resolve(source.revision)
        files = tuple(_chosen(source, repository.files(commit), skipped))
    if not files:
        counts = ", ".join(f"{reason}: {count}" for reason, count in skipped.most_common())
        raise UserError(
            f"path: {source.path}: no file of {commit[:12]} is left to read "
            f"({counts or 'it is empty'})"
        )
    return Tree(source, index, repository, commit, files, dict(skipped))


@dataclass(frozen=True)
class Folder:
    """Files on this disk."""

    source: Source
    index: int
    files: SourceFiles

    @property
    def repo(self) -> str:
        return self.source.repo or self.files.repo

    @property
    def skipped(self) -> Mapping[str, int]:
        return self.files.skipped

    @property
    def stated(self) -> str | None:
        return self.files.licence

    @property
    def works(self) -> Sequence[SourceFile]:
        return self.files.files

    def sizes(self) -> list[int]:
        return [_size_of(one.file) for one in self.works]

    def read(
        self, works: Sequence[SourceFile], left_out: Counter[str]
    ) -> Iterator[Document | Drop]:
        for one in works:
            content = _content_of(one.file)
            if isinstance(content, str):
                yield Drop(path=one.path, repo=self.repo, reason=content)
            else:
                yield _document(self, content, one.path, one.language, left_out)

    def fingerprint(self) -> str:
        return fingerprint(self.files)

    def licences(self) -> "LicenceTree":
        from finetune.corpus.licensing import licence_tree

        if self.files.is_single_file:  # beside it lie other packages, not its licence
            return licence_tree([], _nothing)
        root = self.files.root
        paths = walk(root, is_stdlib=self.source.package == STDLIB)
        return licence_tree(paths, partial(read_below, root))

    def words(self) -> str:
        return f"{self.repo}: {len(self.files.files)} files"


@dataclass(frozen=True)
class Tree:
    """Files of one commit, read from git's objects: no checkout, and nothing of it runs."""

    source: Source
    index: int
    repository: Repository
    commit: str
    files: tuple[TreeFile, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def repo(self) -> str:
        return self.source.repo or Path(self.source.path or "").expanduser().resolve().name

    @property
    def stated(self) -> str | None:
        return self.source.licence

    @property
    def works(self) -> Sequence[TreeFile]:
        return self.files

    def sizes(self) -> list[int]:
        return [one.size or 0 for one in self.files]

    def read(self, works: Sequence[TreeFile], left_out: Counter[str]) -> Iterator[Document | Drop]:
        files = read_files(self.repository, works, repo=self.repo, max_bytes=MAX_BYTES)
        for one in each_told(files):
            if isinstance(one, Drop):
                yield one
                continue
            file, content = one
            language = language_in(self.source, file.path) or ""
            found = _document(self, content, file.path, language, left_out)
            yield found if isinstance(found, Drop) else replace(found, revision=self.commit)

    def fingerprint(self) -> str:
        return f"{self.repo} {self.commit}"

    def licences(self) -> "LicenceTree":
        return licences_at(self.repository, self.commit)

    def words(self) -> str:
        return f"{self.repo}: {len(self.files)} files at {self.commit[:12]}"


def licences_at(repository: Repository, commit: str) -> "LicenceTree":
    """What the folders of a commit state."""
    from finetune.corpus.licensing import licence_tree

    with told(), repository.objects() as objects:
        files = {one.path: one for one in repository.files(commit) if one.kind == "file"}
        return licence_tree(files, partial(_beginning, objects, files))


def _beginning(objects: Objects, files: Mapping[str, TreeFile], path: str, size: int) -> bytes:
    """The first `size` bytes of a file of a commit. Raises OSError where it cannot be read: what a
    licence file says that is there is then unknown, and not what a folder above it says."""
    file = files[path]
    content = None
    if file.size is not None and file.size <= MAX_BYTES:
        content = objects.content(file.object_id)
    if content is None:
        raise OSError(f"{path}: {size_reason(file.size, MAX_BYTES) or DAMAGED}")
    return content[:size]


@contextmanager
def told() -> Iterator[None]:
    """What git could not do is a sentence: of the user's, or of a run that came to a bad end."""
    try:
        yield
    except (UserError, UnicodeError):
        raise
    except ChildProcessError as error:
        raise Failed(str(error)) from error
    except ValueError as error:
        raise UserError(str(error)) from error


T = TypeVar("T")


def each_told(read: Iterator[T]) -> Iterator[T]:
    """What git reads, one by one."""
    with told():
        yield from read


def _chosen(source: Source, files: Iterator[TreeFile], skipped: Counter[str]) -> Iterator[TreeFile]:
    included, excluded = matcher(source.include), matcher(source.exclude)
    for file in files:
        reason = kind_reason(file.kind) or name_reason(source, file.path, included, excluded)
        if reason is None:
            yield file
        else:
            skipped[reason] += 1


def _document(
    reader: Folder | Tree, content: bytes, path: str, language: str, left_out: Counter[str]
) -> Document | Drop:
    """What a file's bytes hold, in the source's format."""
    repo, index = reader.repo, reader.index
    if reader.source.format in NOTEBOOKS:
        from data_formats.notebooks import notebook_script, read_notebook

        read = read_notebook if reader.source.format == "notebooks" else notebook_script
        return read(content, path=path, repo=repo, source=index, left_out=left_out)
    reason = filters.bytes_reason(content)
    if reason is not None:
        return Drop(path=path, repo=repo, reason=reason)
    return Document(
        text=decode_source(content), path=path, repo=repo, language=language, source=index
    )


def _size_of(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # reading it will say why


def _content_of(file: Path) -> bytes | str:
    """The bytes of a file, or why there are none."""
    try:
        # Listed as a regular file a moment ago: what became a link or a pipe since is not followed.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return f"could not be read: {error.strerror}"
    with os.fdopen(descriptor, "rb") as stream:
        size = os.fstat(descriptor).st_size
        return f"larger than {MAX_BYTES} bytes" if size > MAX_BYTES else stream.read(MAX_BYTES)


def read_below(root: Path, path: str, size: int) -> bytes:
    """The first `size` bytes of a file below `root`. Raises OSError where it cannot be read."""
    with (root / path).open("rb") as file:
        return file.read(size)


def _nothing(path: str, size: int) -> bytes:
    raise FileNotFoundError(path)
