"""Sources that are rows: of JSON Lines, Parquet or Arrow files, or of a dataset on the Hub."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from data_formats.document import Document, Drop
from data_formats.tables import (
    FilePart,
    TablePart,
    columns_of,
    dataset_parts,
    place,
    read_part,
    table_parts,
)
from finetune.corpus.reader import Reader
from finetune.corpus.row_formats import ROW_FORMATS, RowPlace
from finetune.errors import UserError
from finetune.recipe.schema import Source
from finetune.run_folder import digest_of


def list_rows(source: Source, index: int) -> Reader:
    """The parts of a table; its columns are looked at, no row is read.

    Raises UserError for a format that has no rows, ValueError where the table or a named column is
    not there, or one that is read stands twice.
    """
    skipped: Counter[str] = Counter()
    if source.format not in ROW_FORMATS:
        known = ", ".join(ROW_FORMATS)
        raise UserError(f"{source.format} are not read from rows; what is: {known}")
    if source.dataset is not None:
        parts: Sequence[TablePart] = dataset_parts(
            source.dataset,
            subset=source.subset,
            data_dir=source.data_dir,
            split=source.split,
            revision=source.revision,
        )
        where = f"dataset: {source.dataset}"
    else:
        parts = table_parts(
            source.path or "", repo=source.repo, part_bytes=PART_BYTES, skipped=skipped
        )
        where = f"path: {source.path}"
    form = ROW_FORMATS[source.format]
    tables = {part.name: columns_of(part) for part in _sample(parts)}
    available = list(dict.fromkeys(name for names in tables.values() for name in names))
    columns = form.columns(available, source.columns, where)
    _refuse_twice(tables, available if form.reads_all else columns.values(), where)
    has_comments = source.format == "github_issues" and COMMENT_KEY in available
    return Rows(source, index, tuple(parts), columns, has_comments, dict(skipped))


def _refuse_twice(tables: Mapping[str, Sequence[str]], wanted: Collection[str], where: str) -> None:
    for table, names in tables.items():
        for column in wanted:
            if names.count(column) > 1:
                raise ValueError(
                    f"{where}: {table} has the column `{column}` twice; rename one of them"
                )


def _sample(parts: Sequence[TablePart]) -> Sequence[TablePart]:
    """Of each file the first part; files of one table have the same columns, but JSON may not."""
    seen: dict[Path, TablePart] = {}
    for part in parts:
        if not isinstance(part, FilePart):
            return parts[:1]
        seen.setdefault(part.file, part)
    return list(seen.values())


@dataclass(frozen=True)
class Rows:
    """Parts of one table, and which of its columns holds what."""

    source: Source
    index: int
    works: tuple[TablePart, ...]
    columns: Mapping[str, str]
    has_comments: bool = False
    """Whether comments of issues are rows of their own."""
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def repo(self) -> str:
        return self.source.repo or (self.works[0].repo if self.works else "")

    @property
    def stated(self) -> str | None:
        return self.source.licence

    def sizes(self) -> list[int]:
        return [_size_of(part) for part in self.works]

    def read(self, works: Sequence[TablePart], left_out: Counter[str]) -> Iterator[Document | Drop]:
        form = ROW_FORMATS[self.source.format]
        wanted = None if form.reads_all else set(self.columns.values())
        comments, num_lost = self._comments
        if num_lost and self.works[0] in works:
            left_out[LOST_COMMENT] += num_lost
        for part in works:
            for row in read_part(part, wanted):
                if isinstance(row, Drop):
                    yield row
                    continue
                number, values = row
                if self.has_comments and _is_comment(values):
                    continue  # part of its issue
                at = place(part, number)
                here = RowPlace(self.source, self.index, at, self.repo, comments, left_out)
                for found in form.read(values, self.columns, here):
                    yield self._known(found)

    @cached_property
    def _comments(self) -> tuple[Mapping[str, Sequence[Mapping[str, Any]]], int]:
        """Comments that are rows of their own, by issue, and how many have no issue here.

        They may stand anywhere in the table, so that all of it is read, and they are in memory.
        """
        if not self.has_comments:
            return {}, 0
        from data_formats.github_issues import comments_by_issue

        comments: list[Mapping[str, Any]] = []
        issues: set[str] = set()
        for row in (row for part in self.works for row in read_part(part)):
            if isinstance(row, Drop):
                continue  # told where its part is read
            if _is_comment(row[1]):
                comments.append(row[1])
            elif isinstance(row[1].get("url"), str):
                issues.add(row[1]["url"])
        found = comments_by_issue(comments)
        return found, sum(len(mine) for url, mine in found.items() if url not in issues)

    def _known(self, found: Document | Drop) -> Document | Drop:
        """Under the name that the recipe gives, where it gives one."""
        return replace(found, repo=self.source.repo) if self.source.repo else found

    def fingerprint(self) -> str:
        return digest_of([self.repo, [_state_of(part) for part in self.works]])

    def licences(self) -> None:
        return None

    def words(self) -> str:
        return f"{self.repo}: {len(self.works)} parts of rows"


def _is_comment(values: Mapping[str, Any]) -> bool:
    return isinstance(values.get(COMMENT_KEY), str)


def _size_of(part: TablePart) -> int:
    if not isinstance(part, FilePart):
        return DATASET_SHARD_BYTES
    if part.kind == "jsonl":
        return (part.end or part.file.stat().st_size) - part.start
    return PART_BYTES


COMMENT_KEY = "issue_url"
"""The column that only a comment of the REST API has."""
LOST_COMMENT = "comment of an issue that is not in the table"
DATASET_SHARD_BYTES = 64 << 20
"""Of a shard on the Hub, whose size is not asked for: each is a shard of the corpus too."""
PART_BYTES = 16 << 20
"""Of row groups and batches, about."""


def _state_of(part: TablePart) -> list[Any]:
    if isinstance(part, FilePart):
        status = part.file.stat()
        return [part.name, part.start, part.end, status.st_size, status.st_mtime_ns]
    place = [part.dataset, part.data_dir, part.subset, part.split, part.revision]
    shard = [*place, part.shard, part.num_shards]
    return [*shard, *_state_of_folder(Path(part.dataset))] if part.shard == 0 else shard


def _state_of_folder(folder: Path) -> list[Any]:
    """Names, sizes and times of the files of a dataset that lies on this disk."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return [[str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns] for f in files]
