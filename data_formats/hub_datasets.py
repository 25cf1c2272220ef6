"""Datasets of the Hub, or of a folder that is laid out like one, through `datasets`.

No code of a dataset is run: `datasets` reads files of data only. HF_HUB_OFFLINE is honoured.
"""

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from data_formats.json_lines import Found

SHARD_ROWS = 10_000
"""Rows of a shard where the dataset lies on the disk and any row can be reached."""


@lru_cache(maxsize=4)
def opened(
    dataset: str,
    subset: str | None,
    data_dir: str | None,
    split: str,
    revision: str | None,
    is_streaming: bool,
) -> Any:
    """The split, streamed or downloaded; the same object for the same arguments.

    Raises ValueError where there is none.
    """
    import datasets

    try:
        return datasets.load_dataset(
            dataset,
            subset,
            data_dir=data_dir,
            split=split,
            revision=revision,
            streaming=is_streaming,
        )
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise ValueError(f"dataset `{dataset}`: {_why(dataset, error)}") from error


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote it, one split or several: `load_dataset` does not read those."""
    return any((folder / name).is_file() for name in ("state.json", "dataset_dict.json"))


def pinned(
    dataset: str, subset: str | None, data_dir: str | None, revision: str | None
) -> str | None:
    """The commit that `revision` stands for now; as given for a local folder.

    Raises ValueError where there is no such dataset.
    """
    import datasets

    try:
        builder = datasets.load_dataset_builder(
            dataset, subset, data_dir=data_dir, revision=revision
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"dataset `{dataset}`: {_why(dataset, error)}") from error
    return commit_in(str(builder.base_path)) or revision


def commit_in(base_path: str) -> str | None:
    """The commit in the address of a dataset's files, `hf://datasets/owner/name@commit/...`."""
    found = re.match(r"hf://datasets/[^@]+@([0-9a-f]{40})(?:/|$)", base_path)
    return found[1] if found else None


def num_shards(split: Any, is_streaming: bool) -> int:
    """How many parts an opened split falls into: its files, or equal runs of rows."""
    return int(split.num_shards) if is_streaming else -(-len(split) // SHARD_ROWS) or 1


def read_shard(
    split: Any, shard: int, of: int, columns: Collection[str] | None, where: str
) -> Iterator[Found]:
    """The rows of one of `of` shards, numbered from 1 within it.

    Raises ValueError that begins with `where`: files of a dataset are valid, or it is none.
    """
    import datasets
    from pyarrow import ArrowException

    if columns is not None:
        split = split.select_columns(list(columns))
    rows = split.shard(num_shards=of, index=shard, contiguous=True)
    try:
        yield from enumerate(rows, start=1)
    except (
        ValueError,
        OverflowError,  # a date beyond the year 9999
        ArrowException,
        datasets.exceptions.DatasetsError,
    ) as error:
        raise ValueError(f"{where}: cannot be read ({_innermost(error)}); mend its file") from error


def columns_in(split: Any) -> list[str]:
    """Names of the columns; where files do not tell, those of the first row."""
    return list(split.column_names or next(iter(split), {}))


def _why(dataset: str, error: Exception) -> str:
    import datasets

    if is_saved(Path(dataset)):
        return "was written by `save_to_disk`; give its folder, or that of one split, as `path:`"
    if datasets.config.HF_HUB_OFFLINE and not Path(dataset).exists():
        remedy = "HF_HUB_OFFLINE is set: fetch it once without, and not streaming"
    else:
        remedy = "check its name, subset, data_dir, split, revision and files"
    return f"{_innermost(error)}; {remedy}"


def _innermost(error: BaseException) -> str:
    """The first line of the error that began it: `datasets` wraps it in general ones."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).partition("\n")[0] or type(error).__name__).rstrip(".")
