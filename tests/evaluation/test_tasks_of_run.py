"""Tasks from the recipe's words to scores.json, with a small model and the real jail."""

import pytest

from finetune.errors import Refused, UserError
from finetune.evaluation import site
from finetune.evaluation.evaluation import folder_model
from finetune.evaluation.site import site_for
from finetune.evaluation.task_problems import chosen_task
from finetune.evaluation.task_scores import Judged, task_scores
from finetune.evaluation.tasks_of_run import chosen_tasks, score_tasks, write_tasks
from finetune.generation.completion import Completion
from finetune.jail import Verdict
from finetune.recipe.schema import Evaluate, TaskChoice


def results(run, own, model, **section):
    section = Evaluate(tasks=(own,), **section)
    tasks = chosen_tasks(section)
    here = site_for(tasks, section)
    backend = folder_model(model, section, trust_remote_code=False)
    written = {name: write_tasks(run, name, backend, tasks, here) for name in ("base", "tuned")}
    return score_tasks(tasks, written, here)


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
    (file,) = (run.evaluation / "base").glob("*.completions.jsonl")
    before = file.read_bytes()
    assert results(run, own, model) == first
    assert file.read_bytes() == before
    with pytest.raises(AssertionError, match="judged again"):
        results(run, own, model, seconds=9.0)


def test_without_a_jail_nothing_is_run_and_it_is_said(run, own, model, monkeypatch):
    def refuse():
        raise Refused("no jail holds here")

    monkeypatch.setattr(site, "find_backend", refuse)
    found = results(run, own, model)
    assert found.tasks == {}
    assert found.not_run == [{"what": "doubling", "why": "no jail holds here"}]
    assert found.jail == "not run: no jail holds here"
    assert not run.evaluation.exists()


def test_greedy_samples_are_one(own):
    choice = own.model_copy(update={"temperature": 0.0})
    assert chosen_task(choice, None).sampling.samples == 1


def test_a_language_without_a_toolchain_is_named_with_its_number(run, with_erlang, model, jail):
    found = results(run, with_erlang, model)
    assert found.tasks["doubling"]["base"]["problems"] == 2
    (omitted,) = found.tasks["doubling"]["not_run"]
    assert omitted["what"] == "erlang: 1 problems"
    assert "no runner" in omitted["why"]


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
