"""The card and the report say how a model was trained, for every method of a recipe."""

from dataclasses import replace

import pytest
from ruamel.yaml import YAML

from finetune.publishing.card import render_card


@pytest.fixture
def card(run, facts):
    """`card(tune, **facts)`: the card of a run with that section."""

    def rendered(tune, **changed):
        recipe = YAML(typ="safe").load(run.recipe)
        recipe["tune"] = tune
        with run.recipe.open("w") as stream:
            YAML(typ="safe", pure=True).dump(recipe, stream)
        return render_card(run, replace(facts, **changed))

    return rendered


LORA = {"rank": 8, "alpha": 16}


@pytest.mark.parametrize(
    ("tune", "sentence"),
    [
        (
            {"method": "lora", **LORA},
            "(LoRA, rank 8, alpha 16) were trained beside the base's frozen weights and then "
            "merged into them.",
        ),
        (
            {"method": "dora", **LORA, "rank_stabilised": True},
            "(DoRA, rank 8, alpha 16, rank-stabilised) were trained beside",
        ),
        (
            {"method": "lora", **LORA, "initial": "pissa"},
            "begun from the principal part of each weight, PiSSA) were trained",
        ),
        (
            {"method": "qlora", **LORA, "initial": "zero"},
            "(QLoRA, rank 8, alpha 16) were trained beside the base's frozen weights, held in 4 "
            "bits (bitsandbytes, nf4, quantised twice), and then merged into the values that "
            "those bits stand for.",
        ),
        ({"method": "full"}, "The weights themselves were trained, all of them."),
        (
            {"method": "full", "trainable": ["*.h.1.*", "*ln_f*"]},
            "Of the weights, those named `*.h.1.*`, `*ln_f*` were trained; the others are the "
            "base's.",
        ),
    ],
)
def test_the_card_says_what_was_trained(card, tune, sentence):
    assert sentence in card(tune)


@pytest.mark.parametrize(
    ("method", "tags"),
    [("lora", ["lora"]), ("dora", ["lora", "dora"]), ("qlora", ["lora", "qlora"]), ("full", [])],
)
def test_the_tags_name_the_method(card, method, tags):
    text = card({"method": method, **LORA})
    metadata = YAML(typ="safe").load(text.split("---")[1])
    assert [tag for tag in metadata["tags"] if "lora" in tag or "dora" in tag] == tags


def test_an_adapter_of_4_bits_says_on_which_base_it_was_trained(card):
    adapter = card({"method": "qlora", **LORA}, artefact="adapter")
    assert "quantised twice); this repository holds the adapters alone." in adapter
    assert "The adapter was trained on the base in 4 bits." in adapter
    assert "4 bits" not in card({"method": "lora", **LORA}, artefact="adapter")
