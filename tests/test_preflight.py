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
    problems, notes = found()
    assert (problems, notes[0]) == ({}, "src: 1 files")


def test_that_no_benchmark_is_at_hand_is_said(found, monkeypatch, no_packages):
    monkeypatch.delenv("FINETUNE_BENCHMARKS", raising=False)
    assert any("no benchmark is at hand" in note for note in found()[1])


def test_a_benchmark_that_is_not_there_is_a_problem(found, tmp_path, no_packages):
    named = ["data.curate.decontaminate=[humaneval,humanevol]", f"evaluate.benchmarks={tmp_path}"]
    problems = found(*named)[0]
    assert "its files are not in" in problems["data.curate.decontaminate.0"]
    assert "did you mean `humaneval`?" in problems["data.curate.decontaminate.1"]


def test_a_line_of_the_opt_out_file_that_is_no_entry_is_a_problem(found, tmp_path):
    (tmp_path / "out.txt").write_text("ownr: ann\n")
    problems = found(f"data.curate.opt_out={tmp_path / 'out.txt'}")[0]
    assert "did you mean `owner: ann`?" in problems["data.curate.opt_out"]


def test_files_for_forgetting_that_are_not_there_are_a_problem(found, tmp_path):
    gone = f"evaluate.forgetting=[{{format: source_code, path: {tmp_path / 'gone'}}}]"
    assert "gone" in found(gone)[0]["evaluate.forgetting.0"]


def test_files_for_forgetting_need_their_sentinels_too(found, tmp_path):
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "a.go").write_text("package main\n")
    named = f"evaluate.forgetting=[{{format: repository, path: {tmp_path / 'others'}}}]"
    assert "written with <repo_name>" in found(named)[0]["evaluate.forgetting.0.format"]


def test_a_mistake_in_the_licences_is_a_problem(found):
    problems = found("data.curate.licences=permisive")[0]
    assert "`permisive`" in problems["data.curate.licences"]
    assert "did you mean `permissive`" in problems["data.curate.licences"]


def test_an_opt_out_file_that_is_missing_is_a_problem(found):
    problems = found("data.curate.opt_out=gone.txt")[0]
    assert "there is no such file" in problems["data.curate.opt_out"]


def test_a_format_whose_sentinels_the_base_lacks_is_a_problem(found):
    message = found("data.sources.0.format=repository")[0]["data.sources.0.format"]
    assert "written with <repo_name>, <file_sep>, which the tokenizer" in message


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


@pytest.mark.parametrize("kernel", ["sdpa", "eager", "flash_attention_2", "flash_attention_3"])
def test_kernels_that_isolate_documents_are_accepted(found, kernel):
    assert found(f"train.attention={kernel}")[0] == {}


@pytest.mark.parametrize("isolate", ["true", "false"])
def test_flex_attention_is_a_problem_for_gpt_bigcode(found, isolate):
    problems, _ = found("train.attention=flex_attention", f"sequences.isolate_documents={isolate}")
    assert problems == {
        "train.attention": "transformers has no flex_attention for gpt_bigcode; set it to sdpa"
    }


def test_flex_attention_of_another_family_is_refused_where_documents_are_isolated(
    found, model_folder
):
    config = {"model_type": "llama", "n_positions": 128}
    (model_folder / "config.json").write_text(json.dumps(config))
    overrides = ("train.attention=flex_attention", "tune={method: full}")
    assert found(*overrides, "sequences.isolate_documents=false")[0] == {}
    assert found(*overrides)[0] == {
        "train.attention": (
            "nothing proves that flex_attention keeps packed documents apart; set it to sdpa, "
            "or sequences.isolate_documents to false"
        )
    }


@pytest.mark.parametrize("kernel", ["flash_attention_2", "flash_attention_3"])
def test_flash_attention_in_fp32_is_a_problem(found, kernel):
    assert found(f"train.attention={kernel}", "train.precision=fp32")[0] == {
        "train.attention": f"{kernel} has no fp32; set train.precision to bf16, or this to sdpa"
    }


def test_dropout_that_flash_attention_3_would_ignore_is_a_problem(found):
    assert found("train.attention=flash_attention_2", "train.dropout=0.1")[0] == {}
    assert found("train.attention=flash_attention_3", "train.dropout=0.1")[0] == {
        "train.attention": (
            "flash_attention_3 would ignore train.dropout; set that to 0, or this to sdpa"
        )
    }


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


@pytest.mark.parametrize("cut", ["line", "syntax", "{line: 1, syntax: 2}"])
def test_cuts_by_lines_or_nodes_alone_are_noted(found, cut):
    assert any("without a share of `character`" in note for note in found(f"fim.cut={cut}")[1])


@pytest.mark.parametrize("cut", ["character", "cursor", "{line: 1, character: 0.1}"])
def test_a_share_of_cuts_within_lines_needs_no_note(found, cut):
    assert not any("without a share" in note for note in found(f"fim.cut={cut}")[1])


def test_cuts_by_syntax_name_the_languages_that_can_be_parsed(found):
    assert any("syntax is known here for" in note for note in found("fim.cut=syntax")[1])


def test_a_source_that_alone_asks_for_infilling_needs_the_sentinels(found, model_folder):
    file = model_folder / "tokenizer.json"
    file.write_text(file.read_text().replace("<fim_middle>", "<other_middle>"))
    assert found("fim.rate=0")[0] == {}
    problems, _ = found("fim.rate=0", "data.sources.0.fim={rate: 0.5}")
    assert "no fill-in-the-middle sentinels" in problems["fim.rate"]
