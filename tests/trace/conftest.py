"""A corpus of given documents with its index."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from finetune.corpus.store import write_documents
from finetune.trace import build_index


@dataclass(frozen=True)
class Corpus:
    """A corpus file and its index."""

    file: Path
    index: Path


@pytest.fixture
def indexed(tmp_path):
    """`indexed(documents)`: write them as a corpus and build its index."""

    def write(documents, name="run"):
        corpus = Corpus(tmp_path / name / "corpus" / "train.parquet", tmp_path / name / "trace")
        corpus.file.parent.mkdir(parents=True)
        write_documents(corpus.file, documents)
        build_index(corpus.file, corpus.index)
        return corpus

    return write
