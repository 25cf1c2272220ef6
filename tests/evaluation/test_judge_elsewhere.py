"""Completions that one machine writes and another judges."""

import shutil

import pytest

from finetune.errors import Refused, UserError
from finetune.evaluation import site, verdicts
from finetune.evaluation.evaluation import folder_model
from finetune.evaluation.judge_file import judge_file
from finetune.evaluation.site import Site
from finetune.evaluation.tasks_of_run import chosen_tasks, score_tasks, write_tasks
from finetune.generation import folder_model as loading
from finetune.jail import Limits
from finetune.recipe.schema import Evaluate

NO_JAIL = Site(jail=None, why="no jail holds here", limits=Limits())


@pytest.fixture
def written(run, model):
    """`written(choice)`: the task, and what one model wrote for it where nothing can be judged."""

    def write(choice):
        section = Evaluate(tasks=(choice,))
        tasks = chosen_tasks(section)
        backend = folder_model(model, section, trust_remote_code=False)
        return tasks, write_tasks(run, "base", backend, tasks)

    return write


def task_here(choice):
    """What a person says on the command line of a task that no recipe beside the file states."""
    return (f"evaluate.tasks=[{{name: {choice.name}, file: {choice.file}}}]",)


def test_verdicts_from_elsewhere_are_scores_where_there_is_no_jail(written, own, jail):
    tasks, made = written(own)
    judged = judge_file(made["doubling"].file, task_here(own))
    assert judged.outcomes == {"passed": 2, "failed": 2}
    found = score_tasks(tasks, {"base": made}, NO_JAIL)
    assert found.tasks["doubling"]["by_problem"] == {"right": [2], "wrong": [0]}
    assert found.tasks["doubling"]["base"]["judged_by"] == [jail.name]
    assert found.jail == jail.name
    assert found.not_run == []


def test_without_verdicts_nothing_is_scored_where_there_is_no_jail(written, own):
    tasks, made = written(own)
    found = score_tasks(tasks, {"base": made}, NO_JAIL)
    assert found.tasks == {}
    assert found.not_run == [{"what": "doubling", "why": "no jail holds here"}]


def test_a_verdict_is_void_once_its_completion_is_another(written, own, jail):
    tasks, made = written(own)
    file = made["doubling"].file
    judge_file(file, task_here(own))
    text = made["doubling"].completions[0].text
    altered = [
        type(one)(**{**vars(one), "text": f"{text} altered"}) if place == 0 else one
        for place, one in enumerate(made["doubling"].completions)
    ]
    other = {"doubling": type(made["doubling"])(file=file, completions=altered, written_by={})}
    found = score_tasks(tasks, {"base": other}, NO_JAIL)
    assert found.tasks["doubling"]["by_problem"] == {"wrong": [0]}
    assert found.tasks["doubling"]["not_run"] == [
        {"what": "python: 1 problems", "why": "no jail holds here"}
    ]


def test_the_run_s_own_recipe_says_where_a_task_of_ones_own_lies(written, own, run, jail):
    _, made = written(own)
    run.recipe.write_text(f"evaluate: {{tasks: [{{name: doubling, file: {own.file}}}]}}\n")
    assert judge_file(made["doubling"].file, ()).outcomes == {"passed": 2, "failed": 2}


def test_a_language_without_a_toolchain_is_written_and_told(written, with_erlang, jail):
    _, made = written(with_erlang)
    assert {one.id for one in made["doubling"].completions} == {"right", "wrong", "odd"}
    judged = judge_file(made["doubling"].file, task_here(with_erlang))
    assert judged.problems == 2
    assert judged.not_run == [("erlang: 1 problems", "there is no runner for it")]
    assert "not run: erlang: 1 problems" in judged.in_words()


def test_without_a_jail_judging_is_refused(written, own, monkeypatch):
    _, made = written(own)

    def refuse():
        raise Refused("no jail holds here")

    monkeypatch.setattr(site, "find_backend", refuse)
    with pytest.raises(Refused, match="cannot be judged here: no jail holds here"):
        judge_file(made["doubling"].file, task_here(own))
    assert not verdicts.verdicts_file(made["doubling"].file).exists()


def test_a_task_that_nobody_here_knows_is_asked_for(written, own):
    _, made = written(own)
    with pytest.raises(UserError, match=r"doubling.*\n?.*evaluate\.tasks"):
        judge_file(made["doubling"].file, ())


def test_problems_that_the_task_does_not_have_are_refused(written, own, with_erlang, tmp_path):
    _, made = written(with_erlang)
    lines = (tmp_path / "own.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "own.jsonl").write_text("".join(lines[:2]))
    with pytest.raises(UserError, match="1 of its problems, such as odd"):
        judge_file(made["doubling"].file, task_here(own))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", "", "end in .completions.jsonl"),
        ("a.completions.jsonl", "", "is no file of completions"),
        ("a.completions.jsonl", '{"id": 1}\n', "is no file of completions"),
        ("a.completions.jsonl", '{"settings": {}}\n', "holds no completion yet"),
        ("a.completions.jsonl", '{"settings": {}}\n{"id": "x"}\n', "a.completions.jsonl:2: is no"),
    ],
)
def test_a_file_that_holds_no_completions_is_refused(tmp_path, name, text, message):
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        judge_file(file, ())


def test_no_weight_is_read_where_everything_is_written(written, own, monkeypatch):
    _, first = written(own)

    def refuse(*_, **__):
        raise AssertionError("loaded")

    monkeypatch.setattr(loading, "load_model", refuse)
    _, again = written(own)
    assert again["doubling"].completions == first["doubling"].completions
    with pytest.raises(AssertionError, match="loaded"):
        written(own.model_copy(update={"samples": 3}))


def test_a_jail_that_broke_has_judged_nothing(written, own, jail, monkeypatch):
    _, made = written(own)
    file = made["doubling"].file
    judge_file(file, task_here(own))
    kept = file.with_name(file.name.replace("completions", "verdicts"))
    broken = kept.read_text().replace('"outcome": "failed"', '"outcome": "broken"')
    assert broken.count("broken") == 2
    kept.write_text(broken)
    assert judge_file(file, task_here(own)).outcomes == {"passed": 2, "failed": 2}


def test_a_lone_file_is_judged_wherever_it_lies(written, own, tmp_path, jail):
    _, made = written(own)
    alone = tmp_path / made["doubling"].file.name
    shutil.copy(made["doubling"].file, alone)
    assert judge_file(alone, task_here(own)).verdicts.parent == tmp_path


def test_a_kill_while_judging_costs_no_more_than_what_was_being_judged(
    written, own, jail, monkeypatch
):
    _, made = written(own)
    real, calls = verdicts.judge, []

    def judge(programs, *rest, **more):
        calls.append(len(programs))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(programs, *rest, **more)

    monkeypatch.setattr(verdicts, "KEPT_AFTER", 3)
    monkeypatch.setattr(verdicts, "judge", judge)
    with pytest.raises(KeyboardInterrupt):
        judge_file(made["doubling"].file, task_here(own))
    assert judge_file(made["doubling"].file, task_here(own)).outcomes == {"passed": 2, "failed": 2}
    assert calls == [3, 1, 1]
