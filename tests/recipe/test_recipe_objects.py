"""What a recipe becomes: tagged choices, frozen objects, paths."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from finetune.recipe import is_folder
from finetune.recipe.schema import EarlierRun, Full, Lora, Pretrained, Scratch, TaskChoice


@pytest.fixture
def base(load, recipe_text):
    """`base(text)`: the base of a recipe that writes it so."""
    return lambda text: load(recipe_text, f"base={text}").base


@pytest.fixture
def base_refusal(refusal, recipe_text):
    return lambda text: refusal(recipe_text.replace("{scratch: {licence: mit}}", text))


@pytest.fixture
def tune_refusal(refusal, recipe_text):
    return lambda text: refusal(recipe_text + f"tune: {text}\n")


def test_a_base_written_as_text_is_a_model(base):
    assert base("bigcode/starcoderbase") == Pretrained(model="bigcode/starcoderbase")


def test_a_base_may_state_a_revision(base):
    got = base("{model: bigcode/starcoderbase, revision: v1}")
    assert got == Pretrained(model="bigcode/starcoderbase", revision="v1")


def test_a_base_may_be_an_earlier_run(base):
    assert base("{run: nano-base}") == EarlierRun(run="nano-base")


def test_a_base_may_be_made_from_scratch(base):
    got = base("{scratch: {licence: mit, layers: 2}}")
    assert isinstance(got, Scratch)
    assert got.scratch.layers == 2


def test_a_base_runs_no_code_of_its_own_unless_told_to(base):
    assert base("bigcode/starcoderbase").trust_remote_code is False


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("5", ["base: must be a mapping of keys; got 5"]),
        ("{}", ["base.model: missing"]),
        (
            "{modle: a/b}",
            ["base.model: missing", "base.modle: unknown key; did you mean `model`?"],
        ),
        ("{run: a, scratch: {licence: mit}}", ["base.run: unknown key; known here: scratch"]),
        ("{scratch: big}", ["base.scratch: must be a mapping of keys; got 'big'"]),
        ("{scratch: {layers: 2}}", ["base.scratch.licence: missing"]),
        (
            "{scratch: {licence: mit, layer: 2}}",
            ["base.scratch.layer: unknown key; did you mean `layers`?"],
        ),
        ("{run: a/b}", None),
    ],
)
def test_a_wrong_base_is_refused_at_its_own_key(base_refusal, text, lines):
    got = base_refusal(text)
    if lines is None:
        assert got[0].startswith("r.yaml:2: base.run: must match pattern")
    else:
        assert got == [f"r.yaml:2: {line}" for line in lines]


def test_tuning_is_lora_unless_said_otherwise(load, recipe_text):
    assert load(recipe_text).tune == Lora(method="lora", rank=16, alpha=32)


def test_tuning_may_be_full(load, recipe_text):
    assert load(recipe_text + "tune: {method: full}\n").tune == Full(method="full")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "{method: lorra}",
            "tune.method: must be one of 'lora', 'dora', 'qlora', 'full'; got 'lorra'",
        ),
        ("{rank: 4}", "tune.method: must be one of 'lora', 'dora', 'qlora', 'full'"),
        ("lora", "tune: must be a mapping of keys; got 'lora'"),
        ("{method: lora, rnak: 4}", "tune.rnak: unknown key; did you mean `rank`?"),
        ("{method: full, rank: 4}", "tune.rank: unknown key; known here: method, trainable"),
        ("{method: full, full: 4}", "tune.full: unknown key; known here: method, trainable"),
    ],
)
def test_a_wrong_method_is_refused_with_the_choices(tune_refusal, text, line):
    assert tune_refusal(text) == [f"r.yaml:10: {line}"]


def test_a_gate_on_an_unknown_measure_is_refused_at_its_name(refusal, recipe_text):
    assert refusal(recipe_text + "evaluate: {gate: {psn: {max_loss_rise: 1}}}\n") == [
        "r.yaml:10: evaluate.gate.psn: is not measured; what is: left_to_right, psm, spm, "
        "infilling, infilling_line, infilling_lines, infilling_function_body, infilling_span"
    ]


@pytest.mark.parametrize(
    ("gate", "limit"),
    [
        ("psm: {max_drop_points: 1}", "max_loss_rise"),
        ("psm: {max_loss_rise: 1, max_drop_points: 1}", "max_loss_rise"),
        ("humaneval: {max_loss_rise: 1}", "max_drop_points"),
        ("infilling: {}", "max_drop_points"),
    ],
)
def test_a_gate_takes_the_limit_of_its_measure(refusal, recipe_text, gate, limit):
    text = f"evaluate: {{tasks: [humaneval], gate: {{{gate}}}}}\n"
    (said,) = refusal(recipe_text + text)
    assert said.endswith(f": takes {limit}, and that alone")


@pytest.mark.parametrize("key", ["weight: 0.5", "fim: {rate: 1.0}", "labels: all"])
def test_files_for_forgetting_are_not_told_how_to_be_learned(refusal, recipe_text, key):
    source = f"{{format: source_code, package: json, {key}}}"
    (said,) = refusal(recipe_text + f"evaluate: {{forgetting: [{source}]}}\n")
    assert said.endswith(
        f"evaluate.forgetting.0.{key.partition(':')[0]}: means nothing where nothing is trained"
    )


def test_a_kind_that_is_not_measured_cannot_be_gated(refusal, recipe_text):
    gate = "gate: {infilling_span: {max_drop_points: 1}}"
    (said,) = refusal(recipe_text + f"evaluate: {{infilling_kinds: [line], {gate}}}\n")
    assert "infilling_span: is not measured; what is: left_to_right, psm, spm, infilling, " in said


def test_longest_completions_by_kind_name_known_kinds(refusal, recipe_text):
    (said,) = refusal(recipe_text + "evaluate: {max_new_tokens: {bodies: 9}}\n")
    assert "'line', 'lines', 'function_body' or 'span'" in said


def test_a_task_stands_once(refusal, recipe_text):
    text = "evaluate: {tasks: [mbpp, {name: mbpp, samples: 1}]}\n"
    assert refusal(recipe_text + text) == [
        "r.yaml:10: evaluate.tasks.1: mbpp: something measured has this name already"
    ]


def test_a_task_by_name_alone_has_its_published_settings(load, recipe_text):
    (task,) = load(recipe_text + "evaluate: {tasks: [humaneval]}\n").evaluate.tasks
    assert task == TaskChoice(name="humaneval")
    assert task.samples is None


def test_a_recipe_cannot_be_changed_once_it_is_read(load, recipe_text):
    recipe = load(recipe_text)
    with pytest.raises(ValidationError, match="frozen"):
        recipe.train.tokens = 1


def test_lists_of_a_recipe_cannot_be_changed_either(load, recipe_text):
    recipe = load(recipe_text, "data.sources.0.include=['a/**']")
    assert recipe.data.sources[0].include == ("a/**",)
    assert isinstance(recipe.data.sources, tuple)


def test_relative_paths_count_from_the_recipes_folder(load, recipe_text, folder, monkeypatch):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    text = recipe_text.replace("{scratch: {licence: mit}}", "./base")
    recipe = load(text + "publish: {repo: me/a, hub: ../hub}\n")
    assert recipe.data.sources[0].path == str(folder / "src")
    assert recipe.base.model == str(folder / "base")
    assert recipe.publish.hub == str(folder.parent / "hub")


def test_a_path_may_begin_at_the_home_folder(load, recipe_text, monkeypatch, folder):
    monkeypatch.setenv("HOME", str(folder))
    assert load(recipe_text, "data.sources.0.path=~/src").data.sources[0].path == str(
        folder / "src"
    )


def test_a_home_folder_of_nobody_is_refused_at_its_key(refusal, recipe_text):
    (line,) = refusal(recipe_text.replace("path: src", "path: ~no-such-user/src"))
    assert line.startswith("r.yaml:5: data.sources.0.path: '~no-such-user/src' is no path")


def test_an_absolute_path_stays_as_it_is(load, recipe_text):
    recipe = load(recipe_text, "data.sources.0.path=/data/src")
    assert Path(recipe.data.sources[0].path) == Path("/data/src")


@pytest.mark.parametrize("text", ["./base", "../base", "/models/base", "~/base", "a/b/c", "."])
def test_a_base_is_a_folder_where_it_cannot_be_a_hub_id(text):
    assert is_folder(text)


@pytest.mark.parametrize("text", ["bigcode/starcoderbase", "gpt2", "me/my-model.v1_2"])
def test_owner_slash_name_is_a_hub_id(text):
    assert not is_folder(text)


def test_a_source_may_be_a_dataset_alone(load, recipe_text):
    source = "[{format: source_code, dataset: owner/name}]"
    assert load(recipe_text, f"data.sources={source}").data.sources[0].dataset == "owner/name"


def test_a_dataset_that_is_a_folder_is_relative_to_the_recipe(load, recipe_text, folder):
    source = "[{format: source_code, dataset: ./set}]"
    assert load(recipe_text, f"data.sources={source}").data.sources[0].dataset == str(
        folder / "set"
    )


def test_paths_of_curation_and_benchmarks_are_relative_to_the_recipe(load, recipe_text):
    paths = ("data.curate.opt_out=out.txt", "evaluate.benchmarks=tasks")
    recipe = load(recipe_text, *paths)
    assert Path(recipe.data.curate.opt_out).is_absolute()
    assert Path(recipe.evaluate.benchmarks).is_absolute()
