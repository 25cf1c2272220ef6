"""Scores for the Hub's own list of a benchmark, where the recipe names it."""

import json
from dataclasses import replace

import pytest
from huggingface_hub import parse_eval_result_entries
from ruamel.yaml import YAML

from finetune.errors import UserError
from finetune.publishing import build_release
from finetune.publishing.eval_results import bad_eval_results
from finetune.recipe.schema import Benchmark


@pytest.fixture
def measured(run, facts):
    task = {"metric": "pass@1", "tuned": {"pass@1": 0.26789, "problems": 164, "samples": 20}}
    scores = json.loads(run.scores.read_text()) | {"tasks": {"humaneval": task}}
    run.scores.write_text(json.dumps(scores))
    stages = json.loads(run.stages.read_text())
    stages["evaluate"] = {"seconds": 1.0, "finished": "2026-02-03T04:05:06Z"}
    run.stages.write_text(json.dumps(stages))
    return facts


def benchmarks(name="humaneval", **more):
    return {name: Benchmark(dataset="acme/humaneval", task="default", **more)}


@pytest.mark.parametrize(("percent", "value"), [(True, 26.79), (False, 0.2679)])
def test_the_hubs_own_reader_takes_them(run, measured, percent, value):
    folder = build_release(run, replace(measured, benchmarks=benchmarks(percent=percent)))
    file = folder / ".eval_results" / "humaneval.yaml"
    (entry,) = parse_eval_result_entries(YAML(typ="safe").load(file))
    assert (entry.dataset_id, entry.task_id) == ("acme/humaneval", "default")
    assert (entry.value, entry.date) == (value, "2026-02-03")
    assert entry.notes == "pass@1, 164 problems, 20 samples"


def test_without_a_benchmark_in_the_recipe_there_are_none(run, measured):
    assert not (build_release(run, measured) / ".eval_results").exists()


def test_a_benchmark_that_was_not_measured_is_refused(run, measured):
    with pytest.raises(UserError, match=r"publish\.benchmarks\.mbpp: scores\.json holds no score"):
        build_release(run, replace(measured, benchmarks=benchmarks("mbpp")))
    assert not run.release.exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [", "not valid YAML"),
        ("{}", "must be a list of results"),
        ("- {dataset: {id: x, task_id: y}, value: 1}", "must be `owner/name`, not 'x'"),
        ("- {dataset: {id: a/b}, value: 1}", "`dataset.task_id` is missing"),
        ("- {dataset: {id: a/b, task_id: y}, value: good}", "`value` must be a number"),
        ("- {dataset: {id: a/b, task_id: y}, value: .nan}", "`value` must be a number"),
    ],
)
def test_a_faulty_file_is_told(tmp_path, text, fault):
    file = tmp_path / "x.yaml"
    file.write_text(text)
    assert any(fault in one for one in bad_eval_results(file))
