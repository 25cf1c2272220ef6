"""Parquet and Arrow files as rows: in ranges of row groups or batches, one row at a time."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from data_formats.json_lines import ALWAYS_READ, EXPANSION, Found, Range

BATCH_BYTES, BATCH_ROWS = 32 * 2**20, 4096
"""Of a row group as Arrow's values at once, about; a text of its dictionary is held once."""
WIDEST = 2**16
"""Bytes of a value in a column whose values are all of one size."""
ARROW_FILE = b"ARROW1"
"""How the random-access form begins; `datasets` saves the other one, the stream."""

DAMAGED = "Arrow table is damaged from here on"
BATCH_DAMAGED = "batch of rows of an Arrow table that is damaged"
GROUP_DAMAGED = "row group of a Parquet table is damaged from here on"
EXPANDS = f"table expands beyond {EXPANSION} times its size: cut off there"


@dataclass
class _Allowance:
    """What the rows of a file may still take."""

    left: int
    """Bytes as Python's values, about."""

    @classmethod
    def of(cls, file: Path) -> "_Allowance":
        return cls(max(ALWAYS_READ, EXPANSION * file.stat().st_size))


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
    """The rows of a range of row groups, of all columns or of those named that are there.

    Raises ValueError where the file cannot be opened.
    """
    with _parquet(file, columns) as table:
        end = table.metadata.num_row_groups if end is None else end
        yield from _rows_of_groups(table, range(start, end), first, columns, _Allowance.of(file))


def read_arrow(
    file: Path, start: int, end: int | None, first: int, columns: Collection[str] | None
) -> Iterator[Found]:
    """The same for a range of record batches."""
    with _arrow(file) as reader:
        batches = _batches(reader, start, end)
        if columns is not None:
            wanted = [n for n, name in enumerate(reader.schema.names) if name in columns]
            batches = (batch.select(wanted) for batch in batches)
        yield from _rows(batches, first, DAMAGED, _Allowance.of(file))


def parquet_columns(file: Path) -> list[str]:
    """Names of the columns."""
    with _parquet(file) as table:
        return list(table.schema_arrow.names)


def arrow_columns(file: Path) -> list[str]:
    """Names of the columns."""
    with _arrow(file) as reader:
        return list(reader.schema.names)


def _is_read(leaf: str, columns: Collection[str] | None) -> bool:
    """Whether a leaf is, or lies in, one of these columns."""
    return columns is None or any(leaf == one or leaf.startswith(f"{one}.") for one in columns)


@contextmanager
def _parquet(file: Path, columns: Collection[str] | None = ()) -> Iterator[Any]:
    """An open table, in which the texts of `columns` are held once, as in the file."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as plain:
            metadata = plain.metadata
        table = ParquetFile(
            file,
            metadata=metadata,
            read_dictionary=_texts(file, metadata.schema, columns),
            arrow_extensions_enabled=False,  # whose texts could not be held once
        )
        _ = table.schema_arrow.names  # bytes until here
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise _unreadable(file, "Parquet", error) from error
    with table:
        yield table


def _texts(file: Path, schema: Any, columns: Collection[str] | None) -> list[str]:
    """The leaves of these columns whose values a dictionary can hold."""
    texts = []
    for leaf in map(schema.column, range(len(schema))):
        if not _is_read(leaf.path, columns):
            continue
        if leaf.physical_type == "BYTE_ARRAY" and leaf.logical_type.type != "DECIMAL":
            texts.append(leaf.path)
        elif leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" and leaf.length > WIDEST:
            raise ValueError(
                f"{file}: column `{leaf.path}` holds values of {leaf.length:,} bytes each; write "
                "it again with texts"
            )
    return texts


@contextmanager
def _arrow(file: Path) -> Iterator[Any]:
    import pyarrow as pa

    try:
        with file.open("rb") as stream:
            is_file = stream.read(len(ARROW_FILE)) == ARROW_FILE
        source = pa.memory_map(str(file))
        reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
        _ = reader.schema.names  # bytes until here
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
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
            yield batch.num_rows, batch.get_total_buffer_size()  # `nbytes` would trust offsets


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


def _rows_of_groups(
    table: Any,
    groups: Iterable[int],
    first: int,
    columns: Collection[str] | None,
    allowance: _Allowance,
) -> Iterator[Found]:
    """Group by group: what is damaged costs none of the others."""
    for group in groups:
        described = table.metadata.row_group(group)  # of its columns a damaged one ends the process
        num_rows, size = described.num_rows, described.total_byte_size
        batches = table.iter_batches(
            batch_size=max(1, min(BATCH_ROWS, BATCH_BYTES * num_rows // max(size, 1))),
            row_groups=[group],
            columns=None if columns is None else list(columns),
            use_threads=False,
        )
        yield from _rows(batches, first, GROUP_DAMAGED, allowance)
        if allowance.left < 0:
            return
        first += num_rows


def _rows(
    batches: Iterable[Any], first: int, damaged: str, allowance: _Allowance
) -> Iterator[Found]:
    from data_formats.columnar_rows import is_sound, rows_of

    number = first
    for batch in _undamaged(batches):
        if batch is None:
            yield number, damaged
            return
        if not is_sound(batch):
            yield number, BATCH_DAMAGED
            number += batch.num_rows
            continue
        for row, weight in rows_of(batch):
            allowance.left -= weight
            if allowance.left < 0:
                yield number, EXPANDS
                return
            yield number, row
            number += 1
