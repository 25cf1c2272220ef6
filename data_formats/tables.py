"""Tables as rows: JSON Lines, Parquet, Arrow, and datasets of the Hub.

A table is listed as parts, and each part is read by itself: the parts in their order, in one
process or in many, give the same rows under the same names.
"""

import glob
import json
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from data_formats import columnar, hub_datasets, json_lines
from data_formats.document import Drop
from data_formats.json_lines import Found

Row = tuple[int, dict[str, Any]]
"""A row's number within its file, or within its shard of a dataset, from 1, and its values."""

KINDS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}
"""By suffix; JSON Lines may have `.gz` or `.zst` behind it."""
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
    path: str | Path, *, repo: str | None = None, part_bytes: int = PART_BYTES
) -> list[FilePart]:
    """The parts of a file, of a folder's files, or of all files that a glob pattern matches.

    A folder may be one that `datasets` saved. `repo` is the folder's name unless given. Raises
    ValueError where there is no table, or one that cannot be opened.
    """
    root, files = _files(Path(path).expanduser())
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


def _files(path: Path) -> tuple[Path, list[tuple[Path, str]]]:
    """A folder, and the tables in or below it with their kinds, in the order of reading."""
    if path.is_dir():
        files = _saved(path)
        if files is None:
            files = sorted(file for file in path.iterdir() if _kind(file) and file.is_file())
        if not files:
            raise ValueError(f"{path}: holds no table ({_suffixes()}); give their folder itself")
        root = path
    elif path.is_file():
        root, files = path.parent, [path]
    else:
        matched = map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207
        files = sorted(file for file in matched if file.is_file())
        if not files:
            raise ValueError(f"{path}: there is no such file; mend the path or the pattern")
        root = _folder_of_pattern(path)
    return root, [(file, _checked_kind(file)) for file in files]


def _saved(folder: Path) -> list[Path] | None:
    """The files of a dataset that `save_to_disk` wrote, in its order; None where it is none."""
    if not hub_datasets.is_saved(folder):
        return None
    if (folder / "dataset_dict.json").is_file():
        splits = json.loads((folder / "dataset_dict.json").read_bytes())["splits"]
        raise ValueError(f"{folder}: holds several splits; give one: {', '.join(splits)}")
    state = folder / "state.json"
    listed = json.loads(state.read_bytes()).get("_data_files")
    return listed and [folder / Path(one["filename"]).name for one in listed]


def _folder_of_pattern(pattern: Path) -> Path:
    """The longest folder that no wildcard is part of."""
    return next(one for one in pattern.parents if not glob.has_magic(str(one)))


def _kind(file: Path) -> str | None:
    kind = KINDS.get((file.with_suffix("") if json_lines.is_compressed(file) else file).suffix)
    return kind if kind == "jsonl" or not json_lines.is_compressed(file) else None


def _checked_kind(file: Path) -> str:
    kind = _kind(file)
    if kind is None:
        raise ValueError(f"{file}: is no table that can be read; known are {_suffixes()}")
    if file.suffix == ".json":
        with file.open("rb") as stream:
            head = stream.read(1024).removeprefix(json_lines.BYTE_ORDER_MARK).lstrip()
        if head.startswith(b"["):
            raise ValueError(
                f"{file}: is one JSON array; write one object per line: `jq -c '.[]' FILE`"
            )
    return kind


def _suffixes() -> str:
    return f"{', '.join(KINDS)}; JSON Lines also with .gz or .zst behind"


def _utf8(name: str) -> str:
    """A file name as text that can be written: bytes that are not UTF-8 become `\\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
