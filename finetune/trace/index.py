"""The index of a corpus: fingerprints and the documents that hold them, in sorted parts.

```
trace/
    trace.json                    schemes, counts
    documents.parquet             what each document is called; rows and row groups as in the corpus
    characters.0000.hashes.npy    uint64, sorted
    characters.0000.documents.npy uint32, the document of each, rising where hashes are equal
    words.0000. ...
```

A part holds `PART` postings at most: that bounds the memory of the build, whatever the corpus.
Parts are never merged; a lookup searches each, through a memory map.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_formats.document import Document
from finetune.errors import UserError
from finetune.run_folder import read_json, whole_folder, write_json
from finetune.trace.hashing import Hashes
from finetune.trace.units import Units, characters_of, words_of
from finetune.trace.winnow import Scheme, winnow

FORMAT = 1
DOCUMENTS = "documents.parquet"
PART = 1 << 23
"""Postings sorted at once: 96 MiB of them, of which sorting makes about 300 MiB."""
CHARACTERS = Scheme(k=30, window=31)
"""60 characters in a row are found with certainty."""
WORDS = Scheme(k=12, window=13)
"""24 words in a row."""
FAMILIES: Mapping[str, tuple[Callable[[str], Units], Scheme]] = {
    "characters": (characters_of, CHARACTERS),
    "words": (words_of, WORDS),
}

_FACTS = ("id", "path", "repo", "licence", "revision")


@dataclass(frozen=True)
class IndexSummary:
    """What was indexed, and the size of the index."""

    documents: int
    characters: int
    bytes: int


@dataclass(frozen=True)
class Index:
    """An index on disk, opened: nothing of it is in memory yet."""

    folder: Path
    num_documents: int
    num_parts: Mapping[str, int]

    def postings(self, family: str, hashes: Hashes) -> list[NDArray[np.uint32]]:
        """For each fingerprint the numbers of the documents that hold it, rising."""
        found: list[list[NDArray[np.uint32]]] = [[] for _ in hashes]
        for part in range(self.num_parts[family]):
            keys, documents = (
                np.load(file, mmap_mode="r") for file in _part_files(self.folder, family, part)
            )
            first = np.searchsorted(keys, hashes, "left")
            last = np.searchsorted(keys, hashes, "right")
            for at in np.flatnonzero(last > first):
                found[at].append(np.array(documents[first[at] : last[at]]))
        return [np.concatenate([np.empty(0, np.uint32), *lists]) for lists in found]

    def facts(self, numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
        """id, path, repo, licence and revision of documents, by number."""
        return dict(rows_at(self.folder / DOCUMENTS, numbers, _FACTS))


@dataclass
class _Family:
    """One family's postings on their way to disk."""

    name: str
    hashes: list[Hashes] = field(default_factory=list)
    documents: list[NDArray[np.uint32]] = field(default_factory=list)
    num_postings: int = 0
    num_parts: int = 0

    def add(self, text: str, number: int, folder: Path) -> None:
        units, scheme = FAMILIES[self.name]
        hashes = np.unique(winnow(units(text).values, scheme).hashes)
        if self.num_postings + len(hashes) > PART:
            self.write(folder)
        self.hashes.append(hashes)
        self.documents.append(np.full(len(hashes), number, np.uint32))
        self.num_postings += len(hashes)

    def write(self, folder: Path) -> None:
        if not self.num_postings:
            return
        hashes, documents = np.concatenate(self.hashes), np.concatenate(self.documents)
        self.hashes.clear()
        self.documents.clear()
        order = np.argsort(hashes, kind="stable")  # stable: documents stay in rising order
        keys, numbers = _part_files(folder, self.name, self.num_parts)
        np.save(keys, hashes[order])
        np.save(numbers, documents[order])
        self.num_parts, self.num_postings = self.num_parts + 1, 0


def build_index(corpus: Path, folder: Path) -> IndexSummary:
    """Index the documents of a corpus file into `folder`, which appears whole or not at all."""
    num_documents = num_characters = 0
    with whole_folder(folder) as aside:
        families = [_Family(name) for name in FAMILIES]
        for number, document in enumerate(_noting_facts(corpus, aside / DOCUMENTS)):
            for family in families:
                family.add(document.text, number, aside)
            num_documents = number + 1
            num_characters += len(document.text)
        for family in families:
            family.write(aside)
        facts = {"format": FORMAT, "documents": num_documents, "characters": num_characters}
        parts = {family.name: family.num_parts for family in families}
        schemes = {name: vars(scheme) for name, (_, scheme) in FAMILIES.items()}
        write_json(aside / "trace.json", {**facts, "parts": parts, "schemes": schemes})
    size = sum(file.stat().st_size for file in folder.iterdir())
    return IndexSummary(num_documents, num_characters, size)


def open_index(folder: Path) -> Index:
    """Raises UserError where there is no index, or one that this version cannot read."""
    file = folder / "trace.json"
    if not file.is_file():
        raise UserError(f"{folder}: no index of the training code; `finetune prepare` makes one")
    facts = read_json(file)
    schemes = {name: vars(scheme) for name, (_, scheme) in FAMILIES.items()}
    if facts.get("format") != FORMAT or facts.get("schemes") != schemes:
        raise UserError(
            f"{file}: written by another version, whose fingerprints differ; "
            "`finetune prepare RECIPE --redo` makes the index anew"
        )
    names = [(name, part) for name, count in facts["parts"].items() for part in range(count)]
    files = [file for name, part in names for file in _part_files(folder, name, part)]
    missing = [file.name for file in (folder / DOCUMENTS, *files) if not file.is_file()]
    if missing:
        raise UserError(
            f"{folder}: {missing[0]} is missing; `finetune prepare RECIPE --redo` makes the index "
            "anew"
        )
    return Index(folder, facts["documents"], facts["parts"])


def rows_at(
    file: Path, numbers: Iterable[int], columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a Parquet file by number, rising; one row group is in memory at a time.

    Raises IndexError for a row that is not there.
    """
    from pyarrow.parquet import ParquetFile

    wanted = sorted(set(numbers))
    with ParquetFile(file) as parquet:
        start = 0
        for group in range(parquet.num_row_groups):
            end = start + parquet.metadata.row_group(group).num_rows
            here = [number for number in wanted if start <= number < end]
            if here:
                table = parquet.read_row_group(group, columns=list(columns))
                for number in here:  # `take` would import pandas, a third of a lookup's time
                    yield number, {name: table[name][number - start].as_py() for name in columns}
            start = end
    if wanted and wanted[-1] >= start:
        raise IndexError(wanted[-1])


def _noting_facts(corpus: Path, file: Path) -> Iterator[Document]:
    """The documents of a corpus; `file` gets a row for each, in the same row groups."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    from finetune.corpus.store import iter_documents, num_groups  # a lookup does without it

    schema = pa.schema([(name, pa.string()) for name in _FACTS])
    with ParquetWriter(file, schema, compression="zstd") as writer:
        for group in range(num_groups(corpus)):
            rows = []
            for document in iter_documents(corpus, [group]):
                rows.append({name: getattr(document, name) for name in _FACTS})
                yield document
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _part_files(folder: Path, family: str, part: int) -> tuple[Path, Path]:
    return (
        folder / f"{family}.{part:04}.hashes.npy",
        folder / f"{family}.{part:04}.documents.npy",
    )
