"""From bytes to values: YAML 1.2, as an editor reads it too."""

import pytest

from finetune.errors import UserError
from finetune.recipe import load_recipe


def test_a_number_with_an_exponent_needs_no_point(load, recipe_text):
    recipe = load(recipe_text + "  learning_rate: 5e-5\n")
    assert recipe.train.learning_rate == 0.00005


def test_an_exponent_may_write_a_count(load, recipe_text):
    recipe = load(recipe_text.replace("tokens: 16384", "tokens: 2e9"))
    assert recipe.train.tokens == 2_000_000_000
    assert type(recipe.train.tokens) is int


def test_yes_is_text_and_not_true(refusal, recipe_text):
    assert refusal(recipe_text + "sequences: {isolate_documents: yes}\n") == [
        "r.yaml:10: sequences.isolate_documents: must be true or false; got 'yes'"
    ]


def test_a_leading_zero_is_decimal_and_not_octal(load, recipe_text):
    assert load(recipe_text + "  seed: 010\n").train.seed == 10


def test_a_date_is_text(load, recipe_text):
    recipe = load(recipe_text + "publish: {repo: me/a, summary: 2026-01-02}\n")
    assert recipe.publish.summary == "2026-01-02"


def test_a_number_with_underscores_is_text_as_it_is_for_an_editor(refusal, recipe_text):
    assert refusal(recipe_text.replace("16384", "16_384")) == [
        "r.yaml:8: train.tokens: must be a whole number; got '16_384'"
    ]


def test_an_anchored_truth_value_stays_one(load, recipe_text):
    recipe = load(recipe_text + "sequences: {isolate_documents: &yes false}\n")
    assert recipe.sequences.isolate_documents is False


def test_a_merged_mapping_brings_its_keys(load, recipe_text):
    merged = recipe_text.replace("train:\n", "train:\n  <<: {seed: 3}\n")
    assert load(merged).train.seed == 3


def test_a_byte_order_mark_does_no_harm(load, recipe_text):
    assert load("\ufeff" + recipe_text).name == "a"


def test_a_key_given_twice_is_refused_with_its_line(refusal, recipe_text):
    (line,) = refusal(recipe_text + "name: b\n")
    assert line.startswith("r.yaml:10: not valid YAML: found duplicate key")


def test_a_tab_is_refused_with_its_line(refusal, recipe_text):
    (line,) = refusal(recipe_text + "fim:\n\trate: 1\n")
    assert line.startswith("r.yaml:11: not valid YAML")


def test_a_second_document_is_refused(refusal, recipe_text):
    (line,) = refusal(recipe_text + "---\nname: b\n")
    assert "another document" in line


@pytest.mark.parametrize("text", ["", "# only a comment\n", "- a\n- b\n", "text\n", "3\n"])
def test_what_is_no_mapping_is_refused(refusal, text):
    assert refusal(text) == ["r.yaml:1: a recipe is a mapping of keys, such as `name: my-model`"]


def test_bytes_that_are_not_utf_8_are_refused_with_their_place(refusal):
    assert refusal(b"name: \xff\n") == ["r.yaml: not UTF-8 text (byte 6)"]


def test_a_nul_character_is_refused_in_one_line(refusal, recipe_text):
    (line,) = refusal(recipe_text + "# \0\n")
    assert line.startswith("r.yaml: not valid YAML")


def test_nesting_without_end_is_refused(refusal):
    assert refusal("a: " + "[" * 500) == ["r.yaml: not a recipe: nested too deeply"]


def test_a_missing_file_is_refused(folder):
    with pytest.raises(UserError, match=r"none\.yaml: cannot read the recipe: No such file"):
        load_recipe(folder / "none.yaml")


def test_a_folder_in_place_of_a_file_is_refused(folder):
    with pytest.raises(UserError, match="cannot read the recipe: Is a directory"):
        load_recipe(folder)
