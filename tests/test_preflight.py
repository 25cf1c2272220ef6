"""What `check` finds in a valid recipe: problems stop a run, notes do not."""

import json

import pytest

from finetune.preflight import inspect, refuse_missing_base, refuse_problems
from finetune.recipe import RecipeError, load_recipe
from finetune.run_folder import RunFolder

RECIPE = """\
name: mine
base: ./model
data:
  sources:
    - {format: source_code, path: src}
sequences: {length: 64}
train: {tokens: 256, batch_tokens: 128}
"""


@pytest.fixture
def loaded(tmp_path, model_folder):
    """`loaded(*overrides)`: a recipe beside a model folder and one source file."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x = 1\n")
    file = tmp_path / "r.yaml"
    file.write_text(RECIPE)
    return lambda *overrides: load_recipe(file, overrides)


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "runs" / "mine")


@pytest.fixture
def found(loaded, run):
    """`found(*overrides)`: problems as key and message, and notes."""

    def findings(*overrides):
        result = inspect(loaded(*overrides).recipe, run)
        problems = {".".join(map(str, one.key)): one.message for one in result.problems}
        return problems, result.notes

    return findings


def test_a_sound_recipe_has_no_problem_and_says_how_many_files_it_reads(found):
    assert found() == ({}, ["src: 1 files"])


def test_sequences_may_be_as_long_as_the_base_has_positions(found):
    assert found("sequences.length=128")[0] == {}


def test_sequences_beyond_the_bases_positions_are_a_problem(found):
    problems, _ = found("sequences.length=256", "train.batch_tokens=256")
    assert problems == {"sequences.length": "256 is beyond the base's 128 positions"}


def test_problems_of_different_sections_are_found_together(found):
    problems, _ = found(
        "data.sources.0.path=none",
        "sequences.length=256",
        "train.batch_tokens=256",
        "tune={method: lora, targets: [q_proj]}",
        "publish={repo: me/mine, licence: bigcode}",
    )
    assert set(problems) == {
        "data.sources.0",
        "sequences.length",
        "tune.targets",
        "publish.licence",
    }


def test_targets_are_not_asked_of_full_tuning(found, model_folder):
    config = json.loads((model_folder / "config.json").read_text())
    config["model_type"] = "unheard-of"
    (model_folder / "config.json").write_text(json.dumps(config))
    assert found("tune={method: full}")[0] == {}
    assert found()[0] == {
        "tune.targets": "the family unheard-of has no list of its own; name the modules to adapt"
    }


def test_a_family_without_a_list_takes_the_targets_that_the_recipe_names(found, model_folder):
    config = {"model_type": "unheard-of", "n_positions": 128}
    (model_folder / "config.json").write_text(json.dumps(config))
    assert found("tune={method: lora, targets: [c_attn]}")[0] == {}


def test_a_missing_tokenizer_is_a_problem_of_the_base(found, model_folder):
    (model_folder / "tokenizer.json").unlink()
    problems, _ = found()
    assert list(problems) == ["base"]
    assert "no tokenizer.json" in problems["base"]


def test_a_base_without_a_licence_is_a_question(found, model_folder):
    (model_folder / "README.md").unlink()
    assert "states no licence" in found()[0]["base"]
    assert found("base={model: ./model, licence: mit}")[0] == {}


def test_a_licence_that_is_already_refused_is_not_judged_twice(found):
    overrides = ("base={model: ./model, licence: nonsense}", "publish={repo: me/mine}")
    assert list(found(*overrides)[0]) == ["base.licence"]


def test_a_name_that_reads_as_bigcodes_own_is_a_note(found):
    problems, notes = found("publish={repo: me/starcoder-mine}")
    assert problems == {}
    assert any("reads as if the model were BigCode's own" in note for note in notes)


def test_infilling_of_every_segment_is_a_note(found):
    assert (
        "fim.rate 1.0 harms left-to-right completion; up to 0.9 does not"
        in found("fim.rate=1.0")[1]
    )


def test_heads_that_do_not_divide_the_width_are_a_problem(found):
    problems, _ = found("base={scratch: {licence: mit, width: 100, heads: 3}}")
    assert problems == {"base.scratch.heads": "width 100 is no multiple of heads (3)"}


@pytest.mark.parametrize(("vocabulary", "is_enough"), [(274, False), (275, True)])
def test_a_vocabulary_holds_at_least_bytes_and_special_tokens(found, vocabulary, is_enough):
    problems, _ = found(f"base={{scratch: {{licence: mit, vocabulary: {vocabulary}}}}}")
    assert (problems == {}) is is_enough


def test_a_base_that_is_still_to_be_made_is_a_note(found):
    problems, notes = found("base={run: first}")
    assert problems == {}
    assert "the base, earlier run first, has not been made yet: run its recipe first" in notes


def test_what_needs_the_base_refuses_one_that_is_still_to_be_made(loaded, run):
    recipe = loaded("base={run: first}")
    with pytest.raises(RecipeError, match=r"^command line: base: the base, earlier run first, has"):
        refuse_missing_base(recipe, run)


def test_what_needs_the_base_takes_one_that_was_made(loaded, run, model_folder):
    recipe = loaded("base={run: first}")
    (run.path.parent / "first").mkdir(parents=True)
    model_folder.rename(run.path.parent / "first" / "merged")
    refuse_missing_base(recipe, run)


def test_refusing_names_file_line_and_key(loaded, run):
    with pytest.raises(RecipeError) as caught:
        refuse_problems(loaded("tune={method: lora, targets: [wte]}"), run)
    assert str(caught.value) == (
        "command line: tune.targets: an adapter on wte breaks the model when merged "
        "(tied embeddings)"
    )


def test_inspecting_makes_no_run_folder(loaded, run):
    refuse_problems(loaded(), run)
    assert not run.path.exists()
