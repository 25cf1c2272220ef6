"""The card says what the run's files say, and nothing more."""

import json
import re
from dataclasses import replace

import pytest
from huggingface_hub import ModelCard
from ruamel.yaml import YAML

from finetune.errors import UserError
from finetune.licences import TEXTS
from finetune.publishing import render_card

SECTIONS = [
    "Summary",
    "Intended use",
    "Attribution",
    "What was changed",
    "Limitations",
    "Training",
    "Evaluation",
    "License",
    "Citation",
]


def cells(card):
    rows = [line for line in card.splitlines() if line.startswith("|")]
    return [cell.strip() for row in rows for cell in row.strip("|").split("|")]


def decimals(text):
    return re.findall(r"(?<![\w.])-?\d+\.\d+(?:e[-+]?\d+)?(?![\w.])", text)


def test_the_card_has_its_sections_in_order(run, facts):
    headings = re.findall(r"^## (.+)$", render_card(run, facts), re.MULTILINE)
    assert headings == SECTIONS


def test_the_metadata_reads_back_as_it_was_meant(run, facts):
    data = ModelCard(render_card(run, facts)).data.to_dict()
    results = data.pop("model-index")
    assert data == {
        "license": "bigcode-openrail-m",
        "base_model": "bigcode/starcoderbase-1b",
        "base_model_relation": "finetune",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "language": ["code"],
        "tags": ["code", "code-completion", "fill-in-the-middle", "lora"],
    }
    assert results[0]["name"] == "mylib-completion"
    (result,) = results[0]["results"]
    assert result["task"] == {"type": "text-generation"}
    assert "held-out" in result["dataset"]["name"]
    values = [(metric["type"], metric["value"]) for metric in result["metrics"]]
    assert ("loss", 1.3457) in values
    assert ("bits_per_byte", 0.6123) in values
    assert ("exact_match", 0.375) in values


def test_an_adapter_is_a_peft_model_of_its_base(run, facts):
    data = ModelCard(render_card(run, replace(facts, artefact="adapter"))).data.to_dict()
    assert (data["library_name"], data["base_model_relation"]) == ("peft", "adapter")


def test_a_base_that_is_not_on_the_hub_is_not_named_as_if_it_were(run, scratch_facts):
    data = ModelCard(render_card(run, scratch_facts)).data.to_dict()
    assert "base_model" not in data
    assert "base_model_relation" not in data


def test_every_decimal_number_of_the_tables_is_in_a_file_of_the_run(run, facts):
    text = "".join(
        file.read_text() for file in (run.recipe, run.scores, run.merge_proof, run.stages, run.log)
    )
    known = [float(number) for number in decimals(text)]
    shown = [number for cell in cells(render_card(run, facts)) for number in decimals(cell)]
    assert len(shown) > 20, "the test would prove nothing"
    for number in shown:
        close = 5e-5 if "e" not in number else abs(float(number)) * 5e-3
        assert any(abs(float(number) - value) <= close for value in known), number


def test_every_score_reaches_the_card(run, facts):
    shown = cells(render_card(run, facts))
    for value in ("2.3457", "1.3457", "0.9123", "0.6123", "1.1", "0.125", "0.375", "2.98e-07"):
        assert value in shown


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({"format": "source_code"}, "This training taught it to continue code, not to follow"),
        ({"format": "chat", "weight": 0}, "This training taught it to continue code, not to"),
        ({"format": "chat"}, "It was also trained on dialogues; how well it follows"),
    ],
)
def test_the_card_says_whether_it_was_taught_to_answer(run, facts, source, sentence):
    recipe = YAML(typ="safe").load(run.recipe)
    recipe["data"]["sources"].append(source)
    with run.recipe.open("w") as stream:
        YAML(typ="safe", pure=True).dump(recipe, stream)
    assert sentence in render_card(run, facts)


def test_infilling_is_claimed_only_where_a_source_could_be_cut(run, facts):
    recipe = YAML(typ="safe").load(run.recipe)
    recipe["data"]["sources"] = [{"format": "chat"}, {"format": "source_code", "weight": 0}]
    with run.recipe.open("w") as stream:
        YAML(typ="safe", pure=True).dump(recipe, stream)
    card = render_card(run, facts)
    assert "this training had no part in filling in the middle" in card
    assert "fill-in-the-middle" not in ModelCard(card).data.tags
    assert "was cut in three" not in card


def test_files_are_counted_by_language_licence_and_reason(run, facts):
    card = render_card(run, facts)
    assert "| train | python | 2 | 2000 |" in card
    assert "| holdout | python | 1 | 1000 |" in card
    assert "| train | not stated | 1 |" in card
    assert "| longest line | 3 |" in card
    assert "Its training files: Python (2 files) and C++ (1 file)." in card


def test_the_recipe_is_shown_without_machine_paths_and_without_where_it_went(run, facts):
    card = render_card(run, facts)
    assert "path: <local>/mylib" in card
    assert "256 steps from &lt;local>/mylib" in card
    assert "learning_rate: 5e-05" in card
    for hidden in ("/home/ann", "private:", "hub:"):
        assert hidden not in card


def test_versions_and_commit_of_the_toolkit_are_shown(run, facts):
    card = render_card(run, facts)
    for row in ("| this toolkit | 0.1.0 |", "| its git commit | 0123abc |", "| torch | 2.13.0 |"):
        assert row in card


def test_the_use_restrictions_stand_in_the_card_in_full(run, facts):
    card = render_card(run, facts).replace("> ", "")
    text = (TEXTS / "bigcode-openrail-m.txt").read_text(encoding="utf-8")
    for line in text[text.index("Attachment A - ") :].splitlines():
        assert line.strip() in card
    assert "must say that it is machine generated" in card


def test_a_licence_without_restrictions_brings_none(run, scratch_facts):
    card = render_card(run, scratch_facts)
    assert "Attachment A" not in card
    assert "machine generated" not in card


def test_what_was_not_measured_is_said_so_and_not_invented(run, facts):
    for file in (run.scores, run.merge_proof, run.stages, run.log, run.manifest, run.drops):
        file.unlink()
    run.recipe.write_text("name: nano\n")
    card = render_card(run, facts)
    assert "model-index" not in card
    assert cells(card) == []
    assert card.count("Not measured.") >= 9
    assert "Its training files" not in card


def test_a_single_missing_score_is_a_cell_that_says_so(run, facts):
    scores = json.loads(run.scores.read_text())
    del scores["losses"]["base"]["spm"]
    scores["losses"]["tuned"]["spm"] = float("nan")
    run.scores.write_text(json.dumps(scores))
    card = render_card(run, facts)
    assert "suffix first (SPM) | not measured | not finite |" in card
    assert "NaN" not in card


def test_a_run_without_a_recipe_has_no_card(run, facts):
    run.recipe.unlink()
    with pytest.raises(UserError, match=r"recipe\.yaml: missing"):
        render_card(run, facts)


def test_a_broken_line_of_a_file_is_named(run, facts):
    run.manifest.write_text('{"id": "a"}\n{"id"\n')
    with pytest.raises(UserError, match=r"manifest\.jsonl:2: not valid JSON"):
        render_card(run, facts)


def test_a_cell_cannot_break_its_table(run, facts):
    run.drops.write_text(json.dumps({"reason": "a | b\nc"}) + "\n")
    assert "| a \\| b c | 1 |" in render_card(run, facts)


def test_the_paper_of_a_known_base_is_cited_and_of_no_other(run, facts, scratch_facts):
    assert "li2023starcoder" in render_card(run, facts)
    newer = replace(facts, base_model_id="bigcode/starcoder2-3b")
    assert "lozhkov2024starcoder2" in render_card(run, newer)
    assert "arXiv" not in render_card(run, scratch_facts)


def test_an_openrail_derivative_disclaims_endorsement(run, facts, scratch_facts):
    assert "neither made nor endorse it" in render_card(run, facts)
    assert "endorse" not in render_card(run, scratch_facts)


def test_a_gate_says_whether_it_had_anything_to_refuse(run, facts):
    assert "The recipe sets no limit" in render_card(run, facts)
    with run.recipe.open("a") as recipe:
        recipe.write("evaluate: {gate: {psm: {max_loss_rise: 0.05}}}\n")
    assert "Passed: no measure fell further" in render_card(run, facts)
    gate = {"gate": {"passed": False, "reasons": ["psm loss rose by 0.2, more than 0.05"]}}
    run.scores.write_text(json.dumps(json.loads(run.scores.read_text()) | gate))
    card = render_card(run, facts)
    assert "Not passed.\n- psm loss rose by 0.2, more than 0.05\n" in card
