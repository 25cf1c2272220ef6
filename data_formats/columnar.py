"""Parquet and Arrow files as rows: in ranges of row groups or batches, a few rows at a time."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from data_formats.json_lines import Found, Range

ROWS = 256
"""Turned into Python objects at once."""
ARROW_FILE = b"ARROW1"
"""How the random-access form begins; `datasets` saves the other one, the stream."""

NOT_UTF8 = "row with text that is not UTF-8"
NO_VALUE = "row with a value that Python cannot hold"
DAMAGED = "Arrow table is damaged from here on"
GROUP_DAMAGED = "row group of a Parquet table is damaged from here on"


def parquet_ranges(file: Path, part_bytes: int) -> Iterator[Range]:
    """Ranges of row groups that hold about `part_bytes` each, uncompressed."""
    with _parquet(file) as table:
        groups = (table.metadata.row_group(n) for n in range(table.metadata.num_row_groups))
        yield from _ranges(((one.num_rows, one.total_byte_size) for one in groups), part_bytes)


def arrow_ranges(file: Path, part_bytes: int) -> Iterator[Range]:
    """Ranges of record batches that hold about `part_bytes` each."""
    with _arrow(file) as reader:
        yield from _ranges(_sizes(_batches(reader, 0, None)), part_bytes)


def read_parquet(
    file: Path, start: int, end: int | None, first: int, columns: Collection[str] | None
) -> Iterator[Found]:
    """The rows of a range of row groups, of all columns or of those named.

    Raises ValueError where the file cannot be opened.
    """
    with _parquet(file) as table:
        end = table.metadata.num_row_groups if end is None else end
        for group in range(start, end):  # one by one: what is damaged costs none of the others
            batches = table.iter_batches(
                batch_size=ROWS,
                row_groups=[group],
                columns=None if columns is None else list(columns),
                use_threads=False,
            )
            yield from _rows(batches, first, GROUP_DAMAGED)
            first += table.metadata.row_group(group).num_rows


def read_arrow(
    file: Path, start: int, end: int | None, first: int, columns: Collection[str] | None
) -> Iterator[Found]:
    """The same for a range of record batches."""
    with _arrow(file) as reader:
        batches = _batches(reader, start, end)
        if columns is not None:
            batches = (batch.select(list(columns)) for batch in batches)
        yield from _rows(batches, first, DAMAGED)


def parquet_columns(file: Path) -> list[str]:
    """Names of the columns."""
    with _parquet(file) as table:
        return list(table.schema_arrow.names)


def arrow_columns(file: Path) -> list[str]:
    """Names of the columns."""
    with _arrow(file) as reader:
        return list(reader.schema.names)


@contextmanager
def _parquet(file: Path) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        table = ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(file, "Parquet", error) from error
    with table:
        yield table


@contextmanager
def _arrow(file: Path) -> Iterator[Any]:
    import pyarrow as pa

    try:
        with file.open("rb") as stream:
            is_file = stream.read(len(ARROW_FILE)) == ARROW_FILE
        source = pa.memory_map(str(file))
        reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(file, "Arrow", error) from error
    with source:
        yield reader


def _unreadable(file: Path, kind: str, error: Exception) -> ValueError:
    why = str(error).partition("\n")[0].rstrip(".") or "it is empty"
    return ValueError(f"{file}: no {kind} table can be read here ({why}); write it again")


def _batches(reader: Any, start: int, end: int | None) -> Iterator[Any]:
    if not hasattr(reader, "get_batch"):
        return islice(reader, start, end)  # mapped, so that what is skipped is not read
    end = reader.num_record_batches if end is None else end
    return (reader.get_batch(number) for number in range(start, end))


def _sizes(batches: Iterable[Any]) -> Iterator[tuple[int, int]]:
    """Rows and bytes of each batch, up to one that is damaged: reading comes to that again."""
    for batch in _undamaged(batches):
        if batch is not None:
            yield batch.num_rows, batch.nbytes


def _ranges(sizes: Iterable[tuple[int, int]], part_bytes: int) -> Iterator[Range]:
    start, first, rows, held = 0, 1, 0, 0
    for number, (num_rows, size) in enumerate(sizes):
        if held and held + size > part_bytes:
            yield start, number, first
            start, first, rows, held = number, first + rows, 0, 0
        rows, held = rows + num_rows, held + size
    yield start, None, first


def _undamaged(batches: Iterable[Any]) -> Iterator[Any]:
    """The batches, then None where one cannot be decoded."""
    import pyarrow as pa

    try:
        yield from batches
    except pa.ArrowException:
        yield None
    except OSError as error:
        if error.errno is not None:
            raise  # the disk's fault, not the file's
        yield None


def _rows(batches: Iterable[Any], first: int, damaged: str) -> Iterator[Found]:
    number = first
    for batch in _undamaged(batches):
        if batch is None:
            yield number, damaged
            return
        for start in range(0, batch.num_rows, ROWS):
            for row in _values(batch.slice(start, ROWS)):
                yield number, row
                number += 1


def _values(batch: Any) -> list[dict[str, Any] | str]:
    """The rows of a small batch; one that cannot be told is its reason."""
    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError) as error:
        if batch.num_rows > 1:
            return [row for n in range(batch.num_rows) for row in _values(batch.slice(n, 1))]
        return [NOT_UTF8 if isinstance(error, UnicodeDecodeError) else NO_VALUE]
