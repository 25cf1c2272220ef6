"""Rows through the pipeline: drops that nobody holds, and a mistake that only reading finds."""

import gzip
import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune.corpus import chain
from finetune.corpus.contamination import contamination_index
from finetune.corpus.execute import execute
from finetune.corpus.personal_data import redacted
from finetune.corpus.prepare import prepare_corpus
from finetune.errors import UserError
from finetune.recipe.schema import Data
from finetune.run_folder import RunFolder, read_lines
from tests.corpus.test_pipeline import planned

GOOD = [{"text": f"value = {number}\n", "path": f"m{number}.py"} for number in range(5)]


def data_of(path, **keys):
    return Data(sources=[{"format": "source_code", "path": str(path)}], holdout=0.3, **keys)


def test_drops_are_never_in_memory_together(tmp_path):
    lines = "".join(json.dumps(row) + "\n" for row in GOOD).encode()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines + b"1\n" * 40_000))
    (tmp_path / "b.jsonl").write_bytes(lines + b"1\n")
    run = RunFolder(tmp_path / "run")
    warm = data_of(tmp_path / "b.jsonl", workers=1)  # imports and caches are no drops
    prepare_corpus(warm, RunFolder(tmp_path / "warm"), contamination_index([]))
    tracemalloc.start()
    try:
        data = data_of(tmp_path / "a.jsonl.gz", workers=1)
        summary = prepare_corpus(data, run, contamination_index([]))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20  # 30 MB where they were held
    finally:
        tracemalloc.stop()
    assert summary.drops == {"line that is JSON but not an object": 40_000}
    first, *_, last = read_lines(run.drops)
    assert (first["path"], last["path"]) == ("a.jsonl.gz:6", "a.jsonl.gz:40005")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_changed_since_it_was_listed_is_told_in_one_sentence(tmp_path, workers):
    for name in "ab":
        pq.write_table(pa.Table.from_pylist(GOOD), tmp_path / f"{name}.parquet")
    data = Data(
        sources=[
            {"format": "source_code", "path": str(tmp_path / f"{name}.parquet")} for name in "ab"
        ]
    )
    work = planned(data, tmp_path / "run")
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        UserError, match=r"b\.parquet: no Parquet table can be read here .*write it"
    ):
        execute(work, workers)


def test_the_name_of_a_file_is_looked_through_once_for_all_its_rows(tmp_path, monkeypatch):
    file = tmp_path / "jane@acme.org, 2.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in GOOD) + "1\n" * 100)
    looked_at = []
    monkeypatch.setattr(chain, "redacted", lambda name: looked_at.append(name) or redacted(name))
    chain._public_name.cache_clear()
    run = RunFolder(tmp_path / "run")
    prepare_corpus(data_of(file, workers=1), run, contamination_index([]))
    assert [line["path"] for line in read_lines(run.drops)][::99] == [
        "<EMAIL>, 2.jsonl:6",
        "<EMAIL>, 2.jsonl:105",
    ]
    assert sorted(looked_at)[:1] == ["jane@acme.org, 2.jsonl"]
    assert len(looked_at) < 10  # the file, its folder, and five paths of the rows' own
