"""Documents in Parquet files: what `prepare` leaves for the stages after it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from data_formats.document import Document

# Row groups of so many characters: large enough to compress, small enough to hold a few in memory.
BATCH_CHARACTERS = 1 << 24
COLUMNS = ("id", "text", "path", "repo", "language", "licence", "source", "group", "sha256")
_FIELDS = ("text", "path", "repo", "language", "licence", "source", "group")


def write_documents(path: Path, documents: Iterable[Document]) -> None:
    """Write `documents` in order; the caller sees to it that the file appears whole."""
    from pyarrow.parquet import ParquetWriter

    schema = _schema()
    with ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(documents):
            writer.write_table(_table(batch, schema))


def iter_documents(path: Path) -> Iterator[Document]:
    """The documents of a corpus file, in order, a row group in memory at a time."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group, columns=list(_FIELDS)).to_pylist():
                yield Document(**row)


def read_documents(path: Path) -> list[Document]:
    """All documents of a corpus file, equal to those that were written."""
    return list(iter_documents(path))


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document.text)
        if characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _schema() -> Any:
    import pyarrow as pa

    text = [(name, pa.string()) for name in COLUMNS if name != "source"]
    fields = dict([*text, ("source", pa.int32())])
    return pa.schema([(name, fields[name]) for name in COLUMNS])


def _table(batch: list[Document], schema: Any) -> Any:
    import pyarrow as pa

    columns = {name: [getattr(document, name) for document in batch] for name in COLUMNS}
    return pa.table(columns, schema=schema)
