"""Tables as rows: JSON Lines, Parquet, Arrow, and datasets of the Hub.

A table is listed as parts, and each part is read by itself: the parts in their order, in one
process or in many, give the same rows under the same names.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from data_formats import columnar, hub_datasets, json_lines
from data_formats.document import Drop
from data_formats.json_lines import Found
from data_formats.table_files import find_tables

Row = tuple[int, dict[str, Any]]
"""A row's number within its file, or within its shard of a dataset, from 1, and its values."""

RANGES = {
    "jsonl": json_lines.line_ranges,
    "parquet": columnar.parquet_ranges,
    "arrow": columnar.arrow_ranges,
}
PART_BYTES = 64 * 2**20
"""Of a part, before compression, where lines, row groups or batches allow."""
ROWS_LOOKED_AT = 64
"""JSON Lines have no list of columns: these rows' names are taken for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePart:
    """A range of one file: bytes of plain JSON Lines, row groups of Parquet, batches of Arrow."""

    name: str
    """Of the file inside its table's folder, with forward slashes."""
    repo: str
    file: Path
    kind: str
    """jsonl, parquet or arrow."""
    start: int
    end: int | None
    """None: to the end of the file."""
    first: int
    """Number of the first row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetPart:
    """A shard of one split of a dataset."""

    name: str
    """Split and shard."""
    repo: str
    """Id of the dataset, `owner/name`, or the name of its folder."""
    dataset: str
    subset: str | None
    data_dir: str | None
    """Folder of the dataset that is read alone."""
    split: str
    revision: str | None
    """Commit on the Hub; None for a folder."""
    is_streaming: bool
    shard: int
    num_shards: int


TablePart = FilePart | DatasetPart


def table_parts(
    path: str | Path,
    *,
    repo: str | None = None,
    part_bytes: int = PART_BYTES,
    skipped: Counter[str] | None = None,
) -> list[FilePart]:
    """The parts of a file, of a folder's files, or of all files that a glob pattern matches.

    A folder may be one that `datasets` saved. `repo` is the folder's name unless given. Links are
    not followed, the path itself aside; what is passed over is counted in `skipped`. Raises
    ValueError where there is no table, or one that cannot be opened.
    """
    passed_over: Counter[str] = Counter()
    root, files = find_tables(Path(path).expanduser(), passed_over)
    if skipped is not None:
        skipped.update(passed_over)
    return [
        FilePart(
            name=_utf8(file.relative_to(root).as_posix()),
            repo=repo or _utf8(root.resolve().name),
            file=file,
            kind=kind,
            start=start,
            end=end,
            first=first,
        )
        for file, kind in files
        for start, end, first in RANGES[kind](file, part_bytes)
    ]


def dataset_parts(
    dataset: str,
    *,
    subset: str | None = None,
    data_dir: str | None = None,
    split: str = "train",
    revision: str | None = None,
    is_streaming: bool = True,
) -> list[DatasetPart]:
    """The shards of a dataset of the Hub, or of a local folder that `datasets` can load.

    `revision` is pinned to its commit, so that every part is read from the same one. Without
    streaming the dataset is downloaded into the cache of `datasets` first. Raises ValueError where
    it cannot be found.
    """
    revision = hub_datasets.pinned(dataset, subset, data_dir, revision)
    opened = hub_datasets.opened(dataset, subset, data_dir, split, revision, is_streaming)
    count = hub_datasets.num_shards(opened, is_streaming)
    folder = Path(dataset)
    return [
        DatasetPart(
            name=f"{split}/{shard:05d}-of-{count:05d}",
            repo=_utf8(folder.resolve().name) if folder.exists() else dataset,
            dataset=dataset,
            subset=subset,
            data_dir=data_dir,
            split=split,
            revision=revision,
            is_streaming=is_streaming,
            shard=shard,
            num_shards=count,
        )
        for shard in range(count)
    ]


def read_part(part: TablePart, columns: Collection[str] | None = None) -> Iterator[Row | Drop]:
    """The rows of a part in their order, and a Drop in the place of each that cannot be read.

    Of Parquet, Arrow and datasets only the named `columns` are read. Raises ValueError where the
    part cannot be opened.
    """
    for number, row in _found(part, columns):
        if isinstance(row, str):
            yield Drop(path=place(part, number), repo=part.repo, reason=row)
        else:
            yield number, row


def place(part: TablePart, number: int) -> str:
    """What a row is called: its file and its number, as an editor shows it."""
    return f"{part.name}:{number}"


def columns_of(part: TablePart) -> list[str]:
    """Names of a part's columns, at the price of a glance: rows are not read, or only a few."""
    if isinstance(part, DatasetPart):
        return hub_datasets.columns_in(_opened(part))
    if part.kind == "parquet":
        return columnar.parquet_columns(part.file)
    if part.kind == "arrow":
        return columnar.arrow_columns(part.file)
    rows = (row for _, row in islice(_found(part, None), ROWS_LOOKED_AT))
    return list(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row))


def _found(part: TablePart, columns: Collection[str] | None) -> Iterator[Found]:
    if isinstance(part, DatasetPart):
        where = f"dataset `{part.dataset}`, {part.name}"
        return hub_datasets.read_shard(_opened(part), part.shard, part.num_shards, columns, where)
    if part.kind == "parquet":
        return columnar.read_parquet(part.file, part.start, part.end, part.first, columns)
    if part.kind == "arrow":
        return columnar.read_arrow(part.file, part.start, part.end, part.first, columns)
    return json_lines.read_lines(part.file, part.start, part.end, part.first)


def _opened(part: DatasetPart) -> Any:
    return hub_datasets.opened(
        part.dataset, part.subset, part.data_dir, part.split, part.revision, part.is_streaming
    )


def _utf8(name: str) -> str:
    """A file name as text that can be written: bytes that are not UTF-8 become `\\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
