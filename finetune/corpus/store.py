"""Documents in Parquet files: what `prepare` leaves for the stages after it."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from data_formats.document import Document, Mark

# Row groups of so many characters: large enough to compress, small enough to hold a few in memory.
BATCH_CHARACTERS = 1 << 24
COLUMNS = (
    "id",
    "text",
    "path",
    "repo",
    "language",
    "licence",
    "source",
    "group",
    "revision",
    "marks",
    "bodies",
    "learned",
    "sha256",
)
_FIELDS = tuple(name for name in COLUMNS if name not in ("id", "sha256"))


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
                yield _document(row)


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
                return _document({"text": text, **table.slice(index, 1).to_pylist()[0]})
            index -= count
    raise IndexError(index)


def content_digest(path: Path) -> str:
    """Of all that decides a document's tokens and how they are used; reads no text."""
    from pyarrow.parquet import read_table

    names = ["id", "source", "language", "marks", "bodies", "learned"]
    table = read_table(path, columns=names).combine_chunks()
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

    span = pa.struct([("start", pa.int64()), ("end", pa.int64())])
    mark = pa.struct([("at", pa.int64()), ("token", pa.string())])
    others = {
        "source": pa.int32(),
        "marks": pa.list_(mark),
        "bodies": pa.list_(span),
        "learned": pa.list_(span),
    }
    return pa.schema([(name, others.get(name, pa.string())) for name in COLUMNS])


def _table(batch: list[Document], schema: Any) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist([_row(document) for document in batch], schema=schema)


def _row(document: Document) -> dict[str, Any]:
    row = {name: getattr(document, name) for name in COLUMNS}
    row["marks"] = [{"at": mark.at, "token": mark.token} for mark in document.marks]
    for name in ("bodies", "learned"):
        spans = row[name]
        row[name] = (
            None if spans is None else [{"start": start, "end": end} for start, end in spans]
        )
    return row


def _document(row: dict[str, Any]) -> Document:
    row["marks"] = tuple(Mark(**mark) for mark in row["marks"])
    for name in ("bodies", "learned"):
        spans = row[name]
        row[name] = None if spans is None else tuple((one["start"], one["end"]) for one in spans)
    return Document(**row)
