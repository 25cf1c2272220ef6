"""Tasks from the recipe's words to scores.json, with a small model and the real jail."""

import json
import shutil
from pathlib import Path

import pytest

from finetune.errors import Refused, UserError
from finetune.evaluation import tasks_of_run
from finetune.evaluation.task_problems import chosen_task
from finetune.evaluation.task_scores import Judged, task_scores
from finetune.evaluation.tasks_of_run import run_tasks
from finetune.generation.completion import Completion
from finetune.jail import Verdict, find_backend
from finetune.models.scratch import make_model
from finetune.recipe.schema import Evaluate, ScratchModel, TaskChoice
from finetune.run_folder import RunFolder

ROWS = [
    # Whatever is written behind it is a comment, so the answer is right.
    {"id": "right", "prompt": "def f(x):\n    return 2 * x\n#", "tests": "assert f(2) == 4"},
    {"id": "wrong", "prompt": "def f(x):\n    return 3 * x\n#", "tests": "assert f(2) == 4"},
]


@pytest.fixture
def own(tmp_path) -> TaskChoice:
    """A task of two problems, two samples each."""
    file = tmp_path / "own.jsonl"
    rows = [{**row, "language": "python", "stops": ["\n"]} for row in ROWS]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TaskChoice(name="doubling", file=str(file), samples=2, max_new_tokens=4)


@pytest.fixture
def jail():
    try:
        return find_backend()
    except Refused as error:
        pytest.skip(str(error))


@pytest.fixture
def run(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "mine")


@pytest.fixture
def model(tiny_tokenizer, tmp_path) -> Path:
    shutil.copytree(tiny_tokenizer, tmp_path / "model")
    made = ScratchModel(layers=1, width=16, heads=1, positions=64, licence="mit")
    make_model(made, tmp_path / "model")
    return tmp_path / "model"


def results(run, own, model, **section):
    models = {"base": model, "tuned": model}
    made = Evaluate(tasks=(own,), **section)
    return run_tasks(run, made, models, trust_remote_code=False)


def test_a_task_of_ones_own_is_written_judged_and_scored(run, own, model, jail):
    found = results(run, own, model)
    task = found.tasks["doubling"]
    assert task["by_problem"] == {"right": [2, 2], "wrong": [0, 0]}
    assert task["origins"] == {"right": "doubling/right", "wrong": "doubling/wrong"}
    assert task["base"]["pass@1"] == 0.5
    assert (task["base"]["problems"], task["base"]["samples"]) == (2, 2)
    assert task["base"]["settings"]["max_new_tokens"] == 4
    assert task["comparison"]["p_value"] == 1.0
    assert found.jail == jail.name
    assert found.rates == {"base": {"doubling": 0.5}, "tuned": {"doubling": 0.5}}


def test_what_is_written_and_judged_is_not_done_again(run, own, model, jail, monkeypatch):
    first = results(run, own, model)

    def refuse(*_, **__):
        raise AssertionError("judged again")

    monkeypatch.setattr("finetune.evaluation.verdicts.judge", refuse)
    (file,) = (run.evaluation / "completions" / "base").iterdir()
    before = file.read_bytes()
    assert results(run, own, model) == first
    assert file.read_bytes() == before
    with pytest.raises(AssertionError, match="judged again"):
        results(run, own, model, seconds=9.0)


def test_without_a_jail_nothing_is_run_and_it_is_said(run, own, model, monkeypatch):
    def refuse():
        raise Refused("no jail holds here")

    monkeypatch.setattr(tasks_of_run, "find_backend", refuse)
    found = results(run, own, model)
    assert found.tasks == {}
    assert found.not_run == [{"what": "doubling", "why": "no jail holds here"}]
    assert found.jail == "not run: no jail holds here"
    assert not run.evaluation.exists()


def test_greedy_samples_are_one(own):
    choice = own.model_copy(update={"temperature": 0.0})
    assert chosen_task(choice, None).sampling.samples == 1


def test_a_language_without_a_toolchain_is_named_with_its_number(own):
    file = Path(own.file)
    odd = {**ROWS[0], "id": "odd", "language": "erlang", "prompt": "f(X) ->"}
    file.write_text(file.read_text() + json.dumps(odd) + "\n")
    ((what, why),) = chosen_task(own, None).not_run
    assert what == "erlang: 1 problems"
    assert "no runner" in why


def test_a_part_that_a_task_does_not_have_is_refused(own):
    with pytest.raises(UserError, match="doubling: has no language `c`; it has python"):
        chosen_task(own.model_copy(update={"languages": ("c",)}), None)


def test_an_unknown_task_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean `humaneval`"):
        chosen_task(TaskChoice(name="humanevol"), None)


def judged(*outcomes):
    ids = ("right", "right", "wrong", "wrong")
    samples = (0, 1, 0, 1)
    return Judged(
        completions=[
            Completion(task="doubling", id=id_, sample=sample, text="", finish="stop", tokens=1)
            for id_, sample in zip(ids, samples, strict=True)
        ],
        verdicts=[Verdict(outcome=outcome) for outcome in outcomes],
    )


def test_scores_are_means_over_problems_and_name_what_changed(own):
    task = chosen_task(own, None)
    base = judged("failed", "failed", "passed", "timed out")
    tuned = judged("passed", "passed", "passed", "passed")
    found = task_scores(task, {"base": base, "tuned": tuned})
    assert found["base"]["pass@1"] == 0.25
    assert found["tuned"]["pass@1"] == 1.0
    assert found["base"]["outcomes"] == {"failed": 2, "passed": 1, "timed out": 1}
    assert found["comparison"]["difference"] == 0.75
    assert (found["comparison"]["wins"], found["comparison"]["losses"]) == (2, 0)
    assert [one["id"] for one in found["examples"]] == ["right", "wrong"]
    assert found["examples"][0]["base"]["verdict"] == "failed"
