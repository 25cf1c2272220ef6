"""Documents in Parquet files: what `prepare` leaves for the stages after it."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from data_formats.document import Document, Mark

# Row groups of so many characters: large enough to compress, small enough to hold a few in memory.
BATCH_CHARACTERS = 1 << 24
BATCH_DOCUMENTS = 1 << 14
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
    "stars",
    "marks",
    "bodies",
    "learned",
    "sha256",
)
_FIELDS = tuple(name for name in COLUMNS if name not in ("id", "sha256"))


class DocumentWriter:
    """Writes documents one by one, in order; the caller sees to it that the file appears whole."""

    def __init__(self, path: Path) -> None:
        from pyarrow.parquet import ParquetWriter

        self._schema = _schema()
        self._file = ParquetWriter(path, self._schema, compression="zstd")
        self._batch: list[Document] = []
        self._characters = 0

    def __enter__(self) -> "DocumentWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._file.close()

    def write(self, document: Document) -> None:
        self._batch.append(document)
        self._characters += len(document.text)
        if self._characters >= BATCH_CHARACTERS or len(self._batch) >= BATCH_DOCUMENTS:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._file.write_table(_table(self._batch, self._schema))
        self._batch, self._characters = [], 0


def write_documents(path: Path, documents: Iterable[Document]) -> None:
    """Write `documents` in order; the caller sees to it that the file appears whole."""
    with DocumentWriter(path) as file:
        for document in documents:
            file.write(document)


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


def ids_of(path: Path) -> list[str]:
    """The id of each document, in order; no text is read."""
    from pyarrow.parquet import read_table

    ids: list[str] = read_table(path, columns=["id"])["id"].to_pylist()
    return ids


def licences_of(path: Path) -> list[str | None]:
    """The licence of each document, in order; no text is read."""
    from pyarrow.parquet import read_table

    licences: list[str | None] = read_table(path, columns=["licence"])["licence"].to_pylist()
    return licences


def languages_of(path: Path) -> list[str]:
    """The language of each document, in order; no text is read."""
    from pyarrow.parquet import read_table

    languages: list[str] = read_table(path, columns=["language"])["language"].to_pylist()
    return languages


def places_of(path: Path) -> list[tuple[int, str, str, str]]:
    """Source, repository, path and language of each document, in order; no text is read."""
    from pyarrow.parquet import read_table

    names = ["source", "repo", "path", "language"]
    columns = [column.to_pylist() for column in read_table(path, columns=names).columns]
    return list(zip(*columns, strict=True))


def read_documents(path: Path) -> list[Document]:
    """All documents of a corpus file, equal to those that were written."""
    return list(iter_documents(path))


def _schema() -> Any:
    import pyarrow as pa

    span = pa.struct([("start", pa.int64()), ("end", pa.int64())])
    mark = pa.struct([("at", pa.int64()), ("token", pa.string())])
    others = {
        "source": pa.int32(),
        "stars": pa.int64(),
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
