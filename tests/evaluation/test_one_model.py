"""Any causal model of transformers, by its folder, through every task end to end."""

import json
import shutil

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from finetune.cli import main
from finetune.errors import UserError
from finetune.evaluation.one_model import evaluate_model
from finetune.recipe.alone import evaluate_section
from finetune.recipe.schema import Evaluate, TaskChoice
from finetune.tasks import TASKS
from tests.conftest import PYTHON
from tests.generation.conftest import FAMILIES, make_model

WITH_GAPS = {"humaneval_infilling", "humaneval_infilling_light", "santacoder_fim"}


@pytest.fixture
def folder(tmp_path, tiny_tokenizer):
    """`folder(family, sentinels=)`: a model as its users find it."""

    def made(family, *, sentinels=True):
        place = tmp_path / family
        make_model(family).save_pretrained(place)
        if sentinels:
            for file in tiny_tokenizer.iterdir():
                shutil.copy(file, place)
        else:
            plain_tokenizer().save_pretrained(place)
        return place

    return made


def plain_tokenizer():
    """A byte-level BPE with an end of text and nothing else: GPT-2's kind."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([PYTHON], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")


def section_of(shared):
    """One problem of each task, a few tokens each."""
    tasks = [
        TaskChoice(name=name, problems=1, samples=1, max_new_tokens=4)
        for name in (*TASKS, "humanevalpack_fix")
    ]
    return Evaluate(
        tasks=tuple(tasks), benchmarks=str(shared / "data" / "benchmarks"), batch_size=2
    )


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_model_folder_runs_through_every_task(family, folder, shared, tmp_path, jail):
    _, scores = evaluate_model(str(folder(family)), section_of(shared), tmp_path / "runs")
    assert {*scores["tasks"]} == {*TASKS, "humanevalpack_fix"}
    for task in scores["tasks"].values():
        assert task["base"]["problems"] == 1
        assert sum(task["base"]["outcomes"].values()) == 1
        assert "broken" not in task["base"]["outcomes"]
    assert scores["tasks_not_run"] == []
    assert scores["jail"] == jail.name


def test_a_model_without_sentinels_is_not_asked_to_fill_gaps(folder, shared, tmp_path, jail):
    model = folder("gpt2", sentinels=False)
    _, scores = evaluate_model(str(model), section_of(shared), tmp_path / "runs")
    assert {*scores["tasks"]} == {*TASKS, "humanevalpack_fix"} - WITH_GAPS
    assert {one["what"] for one in scores["tasks_not_run"]} == WITH_GAPS
    why = "the tokenizer of base has no fill-in-the-middle sentinels"
    assert {one["why"] for one in scores["tasks_not_run"]} == {why}


def test_the_command_prints_scores_and_keeps_them(folder, own, tmp_path, monkeypatch, capsys, jail):
    model = folder("llama")
    monkeypatch.chdir(tmp_path)
    stated = f"evaluate.tasks.0.file={own.file}"
    arguments = ["--model", str(model), "--tasks", "doubling", stated, "evaluate.seconds=5"]
    assert main(["evaluate", *arguments, "evaluate.tasks.0.max_new_tokens=4"]) == 0
    printed = capsys.readouterr().out
    assert "doubling" in printed
    assert "50.0%" in printed
    scores = json.loads((tmp_path / "runs" / "llama" / "scores.json").read_text())
    assert scores["tasks"]["doubling"]["base"]["pass@1"] == 0.5
    assert scores["evaluate"]["seconds"] == 5
    assert scores["toolkit"]["versions"]["torch"]


def test_a_server_named_first_on_the_command_line_keeps_its_address(tmp_path, capsys):
    server = "evaluate.servers.base={url: 'http://localhost:1', model: m, calls_at_one: 2}"
    assert main(["evaluate", server, "--model", str(tmp_path), "--tasks", "humaneval"]) == 2
    told = capsys.readouterr().err
    assert "unknown key; did you mean `calls_at_once`" in told
    assert "must match" not in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "", "--tasks", "humaneval"], "give a RECIPE"),
        (["--model", "m", "--tasks", "humaneval", "--redo"], "--redo is for a recipe's stage"),
        (["--judge", "evaluate.seconds=3"], "--judge needs a file"),
    ],
)
def test_a_command_that_asks_for_nothing_is_told(arguments, message, capsys):
    assert main(["evaluate", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_of_a_training_run_is_not_written_into(folder, own, tmp_path):
    (tmp_path / "runs" / "llama").mkdir(parents=True)
    (tmp_path / "runs" / "llama" / "stages.json").write_text("{}")
    with pytest.raises(UserError, match="holds a training run; keep this one elsewhere"):
        evaluate_model(str(folder("llama")), Evaluate(tasks=(own,)), tmp_path / "runs")


def test_the_merged_model_of_a_run_is_kept_under_the_run_s_name(folder, own, tmp_path, jail):
    model = folder("llama").rename(tmp_path / "merged")
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "stages.json").write_text("{}")
    shutil.move(model, run / "merged")
    file, _ = evaluate_model(str(run / "merged"), Evaluate(tasks=(own,)), tmp_path / "runs")
    assert file == tmp_path / "runs" / "mine-merged" / "scores.json"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.tokens=5", "train: only keys of `evaluate` have a meaning here"),
        ("evaluate.secods=5", "did you mean `seconds`"),
        ("evaluate.seconds=-1", "evaluate.seconds"),
        ("evaluate.gate={foo: {max_drop_points: 1}}", "is not measured"),
        ("evaluate.tasks=[humaneval, humaneval]", "has this name already"),
    ],
)
def test_a_wrong_key_of_the_command_line_is_named(override, message):
    with pytest.raises(UserError, match=message):
        evaluate_section((override,), tasks=("humaneval",))
