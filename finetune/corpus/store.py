"""Documents in Parquet files: what `prepare` leaves for the stages after it."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
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


def iter_documents(path: Path, groups: Iterable[int] | None = None) -> Iterator[Document]:
    """The documents of a corpus file, in order, a row group in memory at a time.

    `groups` are the numbers of the row groups to read; all when left out.
    """
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        for group in range(file.num_row_groups) if groups is None else groups:
            for row in file.read_row_group(group, columns=list(_FIELDS)).to_pylist():
                yield Document(**row)


def num_groups(path: Path) -> int:
    """Row groups of a corpus file: the parts in which it can be read."""
    from pyarrow.parquet import read_metadata

    return int(read_metadata(path).num_row_groups)


def document_at(path: Path, index: int, text: str) -> Document:
    """One document by its position; its text is given, for a row group holds those of many."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if index < count:
                columns = [name for name in _FIELDS if name != "text"]
                table = file.read_row_group(group, columns=columns)
                return Document(text=text, **table.slice(index, 1).to_pylist()[0])
            index -= count
    raise IndexError(index)


def content_digest(path: Path) -> str:
    """Of every document's id (its content and place), source and language; reads no text."""
    from pyarrow.parquet import read_table

    table = read_table(path, columns=["id", "source", "language"]).combine_chunks()
    digest = blake2b(digest_size=16)
    for column in table.columns:
        for chunk in column.chunks:
            digest.update("\0".join(map(str, chunk.to_pylist())).encode())
    return digest.hexdigest()


def languages_of(path: Path) -> list[str]:
    """The language of each document, in order; no text is read."""
    from pyarrow.parquet import read_table

    languages: list[str] = read_table(path, columns=["language"])["language"].to_pylist()
    return languages


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
