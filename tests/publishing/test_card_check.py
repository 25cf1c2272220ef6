"""A card's metadata: what the Hub takes, and what the base demands."""

from dataclasses import replace

import pytest
from huggingface_hub import ModelCard

from finetune.publishing import build_release, render_card, validate_card
from finetune.publishing.card import metadata
from finetune.publishing.evidence import read_evidence

QUANTIZED = """\
---
license: bigcode-openrail-m
base_model: ann/mylib-completion
base_model_relation: quantized
library_name: {library}
pipeline_tag: text-generation
language: [code]
tags: [code]
---

# A quantised model
"""


@pytest.mark.parametrize("artefact", ["merged", "adapter"])
def test_the_card_of_a_release_is_valid_and_loads(run, facts, artefact):
    folder = build_release(run, replace(facts, artefact=artefact))
    assert validate_card((folder / "README.md").read_text(), facts.base_licence) == []
    card = ModelCard.load(folder / "README.md")
    assert len(card.data.eval_results) == 7


def test_the_card_of_a_model_tuned_in_full_is_valid(run, facts):
    recipe = run.recipe.read_text().replace("method: lora", "method: full")
    run.recipe.write_text(recipe)
    assert validate_card(render_card(run, facts), facts.base_licence) == []


def test_a_quantised_release_names_the_plain_weights_or_else_the_base(run, facts):
    quantised = replace(facts, artefact="gguf")
    for more, base in ({}, facts.base_model_id), ({"merged_repo": "ann/plain"}, "ann/plain"):
        data = metadata(read_evidence(run), replace(quantised, **more))
        assert (data["base_model"], data["base_model_relation"]) == (base, "quantized")
        assert data["library_name"] == "gguf"


def test_what_to_agree_to_and_datasets_of_the_hub_stand_in_the_metadata(run, facts):
    recipe = run.recipe.read_text()
    source = "  - format: source_code\n    dataset: "
    assert "  sources:\n" in recipe
    more = f"  sources:\n{source}bigcode/the-stack-smol\n{source}/home/ann/rows\n"
    run.recipe.write_text(recipe.replace("  sources:\n", more, 1))
    text = render_card(run, replace(facts, gated_prompt="You are 18.\nAnd you read it."))
    data = ModelCard(text).data.to_dict()
    assert data["datasets"] == ["bigcode/the-stack-smol"]
    assert data["extra_gated_prompt"] == "You are 18.\nAnd you read it."
    assert validate_card(text, facts.base_licence) == []


@pytest.mark.parametrize("library", ["gguf", "llama.cpp"])
def test_the_card_of_a_quantised_model_is_valid(library):
    assert validate_card(QUANTIZED.format(library=library), "bigcode-openrail-m") == []


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("bigcode-openrail-m", "bigscience-openrail-m", "paragraph 5.1 asks it to include"),
        ("bigcode-openrail-m", "apache-2.0", "contradicts the base's `bigcode-openrail-m`"),
        ("bigcode-openrail-m", "openrail", "contradicts the base's `bigcode-openrail-m`"),
        ("bigcode-openrail-m", "mit", "contradicts the base's `bigcode-openrail-m`"),
        ("license: bigcode-openrail-m", "license: other", "needs `license_name`"),
        ("license: bigcode-openrail-m\n", "", "`license` is missing"),
        ("license: bigcode-openrail-m", "license: [mit]", "`license` must be a text"),
        ("license: bigcode-openrail-m", "licence: mit", "did you mean `license`?"),
        ("bigcode-openrail-m", "nonsense", "`nonsense` is no licence id of the Hub"),
        ("ann/mylib-completion", "/home/ann/model", "`base_model` must be a Hub id"),
        ("ann/mylib-completion", "./model", "`base_model` must be a Hub id"),
        ("ann/mylib-completion", "https://huggingface.co/a/b", "`base_model` must be a Hub id"),
        ("ann/mylib-completion", "mylib", "`base_model` must be a Hub id"),
        ("quantized", "derived", "`base_model_relation` must be one of finetune, adapter"),
        ("quantized", "adapter", "`library_name: peft` come together"),
        ("base_model_relation: quantized\n", "", "come together"),
        ("gguf", "trl", "`library_name` must be one of"),
        ("text-generation", "text2text-generation", "`pipeline_tag` must be text-generation"),
        ("[code]\ntags", "[en]\ntags", "`language` must name `code`"),
        ("tags: [code]", "tags: code", "`tags` must be a list of texts"),
        ("tags: [code]", "model-index: [{results: 1}]", "`model-index` cannot be read"),
        ("tags: [code]", "tags: [code", "not valid YAML"),
        ("tags: [code]", "date: 2024-02-31", "not valid YAML"),
        ("[code]\ntags", "5\ntags", "`language` must be a text or texts"),
        ("[code]\ntags", "true\ntags", "`language` must be a text or texts"),
        ("tags: [code]", "? [a, b]\n: c", "cannot be read"),
        ("# A quantised model\n", "", "has metadata and no text"),
    ],
)
def test_a_faulty_card_is_refused_with_its_fault(old, new, finding):
    good = QUANTIZED.format(library="gguf")
    assert old in good
    found = validate_card(good.replace(old, new, 1), "bigcode-openrail-m")
    assert any(finding in one for one in found), found


def test_the_licence_of_a_known_base_needs_nobody_to_state_it(run, facts):
    card = render_card(run, facts).replace("license: bigcode-openrail-m", "license: apache-2.0", 1)
    assert any("paragraph 5.1" in one for one in validate_card(card))


def test_a_score_that_is_no_number_is_refused(run, facts):
    for value in ("better", ".inf", ".nan", "true", "1" + "0" * 400):
        card = render_card(run, facts).replace("value: 1.3457", f"value: {value}", 1)
        assert any("is no number" in one for one in validate_card(card)), value


def test_aliases_that_unfold_to_gigabytes_stay_a_short_message():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    card = "\n".join(["---", *lines, "thumbnail: *a11", "base_model: *a11", "---", "A card.", ""])
    found = validate_card(card)
    assert any("`thumbnail` must be a text" in one for one in found)
    assert sum(map(len, found)) < 20_000


def test_a_text_without_metadata_is_no_card():
    assert "no metadata" in validate_card("# A model\n")[0]
