"""Documents survive the way through Parquet."""

import pyarrow.parquet as pq
import pytest

from data_formats.document import Document
from finetune.corpus import store
from finetune.corpus.store import iter_documents, read_documents, write_documents

DOCUMENTS = [
    Document(text="a\r\nb\r", path="x.py", repo="r", language="python", licence=None),
    Document(
        text="\ufeffé漢😀\0<fim_prefix>",
        path="d/caf\\xe9.c",
        repo="r s",
        language="c",
        licence="MIT OR Apache-2.0",
        source=3,
        group="d",
    ),
    Document(text="", path="e.py", repo="", language="python", licence=""),
]


def test_documents_come_back_equal(tmp_path):
    write_documents(tmp_path / "a.parquet", DOCUMENTS)
    assert read_documents(tmp_path / "a.parquet") == DOCUMENTS


def test_no_documents_come_back_as_none(tmp_path):
    write_documents(tmp_path / "a.parquet", [])
    assert read_documents(tmp_path / "a.parquet") == []


@pytest.mark.parametrize("limit", ["BATCH_CHARACTERS", "BATCH_DOCUMENTS"])
def test_batches_do_not_change_the_order(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(store, limit, 1)
    write_documents(tmp_path / "a.parquet", DOCUMENTS)
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3
    assert list(iter_documents(tmp_path / "a.parquet")) == DOCUMENTS


def test_the_table_states_ids_and_hashes_and_is_compressed(tmp_path):
    write_documents(tmp_path / "a.parquet", DOCUMENTS)
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert tuple(file.schema_arrow.names) == store.COLUMNS
    assert file.metadata.row_group(0).column(1).compression == "ZSTD"
    rows = file.read().to_pylist()
    assert [(row["id"], row["sha256"]) for row in rows] == [(d.id, d.sha256) for d in DOCUMENTS]


def test_the_same_documents_make_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_documents(tmp_path / name, DOCUMENTS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_is_no_corpus_is_an_error(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(Exception, match=r"(?i)parquet"):
        read_documents(tmp_path / "a.parquet")
