"""A local copy of the dataset nuprl/MultiPL-E is read by the names of its configurations."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetune.errors import UserError
from finetune.tasks import read_own

GO = {
    "name": "mbpp_3_is_not_prime",
    "language": "go",
    "prompt": "package is_not_prime_test\n",
    "doctests": "keep",
    "original": "",
    "prompt_terminology": "reworded",
    "tests": "func TestIs_Not_Prime(t *testing.T) {}\n",
    "stop_tokens": ["\nfunc", "struct"],
}
HASKELL = {**GO, "name": "HumanEval_23_strlen", "language": "hs"}


def parquet(file, *rows):
    file.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), file)


def test_every_configuration_of_a_copy_is_read(tmp_path):
    parquet(tmp_path / "mbpp-go" / "test-00000-of-00001.parquet", GO)
    parquet(tmp_path / "humaneval-hs" / "test" / "0000.parquet", HASKELL)
    (tmp_path / "README.md").write_text("card", encoding="utf-8")
    haskell, go = read_own(tmp_path, "multipl_e_all")
    assert (go.id, go.origin, go.language, go.part) == (
        "go/mbpp_3_is_not_prime",
        "Mbpp/3",
        "go",
        "mbpp-go",
    )
    assert go.stops == ("\nfunc", "struct")
    assert (haskell.origin, haskell.language, haskell.task) == (
        "HumanEval/23",
        "hs",
        "multipl_e_all",
    )


def test_one_file_of_json_lines_is_read_by_its_name(tmp_path):
    file = tmp_path / "mbpp-go-reworded.jsonl"
    file.write_text(json.dumps(GO) + "\n", encoding="utf-8")
    (problem,) = read_own(file, "mine")
    assert problem.tests == GO["tests"]


def test_a_row_without_tests_is_named_with_its_file(tmp_path):
    file = tmp_path / "mbpp-go.jsonl"
    file.write_text(json.dumps({"name": "mbpp_3_x", "prompt": ""}) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read as MultiPL-E's problems"):
        read_own(file, "mine")


def test_a_problem_that_stands_in_two_configurations_is_refused(tmp_path):
    for name in ("mbpp-go", "mbpp-go-reworded"):
        parquet(tmp_path / name / "test-00000-of-00001.parquet", GO)
    with pytest.raises(UserError, match="twice; name the folder of one configuration"):
        read_own(tmp_path, "mine")


def test_a_person_s_own_file_may_be_called_like_a_configuration(tmp_path):
    file = tmp_path / "mbpp-mine.jsonl"
    row = {"id": "a", "language": "python", "prompt": "x = 1", "tests": "assert x"}
    file.write_text(json.dumps(row) + "\n")
    (problem,) = read_own(file, "ours")
    assert (problem.id, problem.language) == ("a", "python")


@pytest.mark.parametrize(
    "change", [{"stop_tokens": None}, {"stop_tokens": "ab"}, {"prompt": None}, {"name": 5}]
)
def test_a_row_of_other_types_is_told(tmp_path, change):
    file = tmp_path / "humaneval-go.jsonl"
    file.write_text(json.dumps({**GO, **change}) + "\n")
    with pytest.raises(UserError, match="cannot be read as MultiPL-E's problems"):
        read_own(file, "ours")


LINE = json.dumps(GO).encode() + b"\n"
PACKED = gzip.compress(b"".join(LINE.replace(b"_3_", b"_%d_" % n) for n in range(999)))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("mbpp-go.jsonl.gz", PACKED[:-20], "compressed file ends early"),
        ("mbpp-go.jsonl.gz", PACKED[:12] + b"\xff" * 999, "compressed file is damaged"),
        ("mbpp-go.jsonl", LINE + b"[" * 100_000, "nested too deeply"),
        ("mbpp-go.jsonl", b"[" * 100_000, "nested too deeply"),
        ("mbpp-go.jsonl", LINE + b"[1]\n", "JSON but not an object"),
    ],
)
def test_a_damaged_file_is_told_with_its_name_and_why(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}.*{reason}"):
        read_own(tmp_path / name, "mine")


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path):
    (tmp_path / "mbpp-go.jsonl").write_bytes(b"\xef\xbb\xbf" + LINE)
    assert [one.id for one in read_own(tmp_path / "mbpp-go.jsonl", "mine")] == [
        "go/mbpp_3_is_not_prime"
    ]


def test_a_configuration_s_folder_without_files_is_refused(tmp_path):
    (tmp_path / "mbpp-go").mkdir()
    with pytest.raises(UserError, match="mbpp-go: holds no problems"):
        read_own(tmp_path / "mbpp-go", "mine")
