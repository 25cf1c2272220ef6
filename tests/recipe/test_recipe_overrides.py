"""`key=value` after a recipe: the same values, the same schema, the command line as the place."""

import pytest


def test_a_dotted_override_replaces_a_value(load, recipe_text):
    assert load(recipe_text, "train.tokens=2e6").train.tokens == 2_000_000


def test_an_override_reaches_into_a_list_by_index(load, recipe_text):
    sources = load(recipe_text, "data.sources.1.package=torch").data.sources
    assert [source.package for source in sources] == [None, "torch"]


def test_an_override_makes_a_section_that_the_file_leaves_out(load, recipe_text):
    assert load(recipe_text, "fim.rate=0.9").fim.rate == 0.9


def test_an_override_fills_a_section_that_the_file_leaves_empty(load, recipe_text):
    assert load(recipe_text + "publish:\n", "publish.repo=me/a").publish.repo == "me/a"


def test_an_empty_override_unsets_an_optional_section(load, recipe_text):
    assert load(recipe_text + "publish: {repo: me/a}\n", "publish=").publish is None


def test_an_override_may_be_a_whole_mapping(load, recipe_text):
    assert load(recipe_text, "tune={method: lora, rank: 4}").tune.rank == 4


def test_the_last_of_two_overrides_of_a_key_holds(load, recipe_text):
    assert load(recipe_text, "train.seed=1", "train.seed=2").train.seed == 2


def test_an_equals_sign_in_the_value_belongs_to_it(load, recipe_text):
    recipe = load(recipe_text, "publish={repo: me/a, summary: x=1}")
    assert recipe.publish.summary == "x=1"


def test_a_bad_value_is_located_on_the_command_line(refusal, recipe_text):
    assert refusal(recipe_text, "train.tokens=few") == [
        "command line: train.tokens: must be a whole number; got 'few'"
    ]


def test_a_bad_key_is_located_on_the_command_line_with_the_nearest(refusal, recipe_text):
    assert refusal(recipe_text, "train.tokns=1") == [
        "command line: train.tokns: unknown key; did you mean `tokens`?"
    ]


def test_a_key_inside_an_overridden_mapping_is_located_on_the_command_line(refusal, recipe_text):
    assert refusal(recipe_text, "train={tokens: few, batch_tokens: 8192}") == [
        "command line: train.tokens: must be a whole number; got 'few'"
    ]


def test_a_section_that_an_override_made_is_located_on_the_command_line(refusal, recipe_text):
    assert refusal(recipe_text, "fims.rate=1") == [
        "command line: fims: unknown key; did you mean `fim`?"
    ]


def test_a_problem_beside_an_override_keeps_its_line(refusal, recipe_text):
    text = recipe_text.replace("batch_tokens: 8192", "batch_tokens: 1.5")
    assert refusal(text, "train.tokens=8192") == [
        "r.yaml:9: train.batch_tokens: must be a whole number; got 1.5"
    ]


@pytest.mark.parametrize("override", ["train.tokens", "=1", "", "train.=1", ".train=1", "a..b=1"])
def test_what_is_not_key_equals_value_is_refused(refusal, recipe_text, override):
    assert refusal(recipe_text, override) == [
        f"command line: `{override}` is no override; write key=value"
    ]


@pytest.mark.parametrize("index", ["2", "-1", "x"])
def test_an_index_that_is_not_in_the_list_is_refused(refusal, recipe_text, index):
    override = f"data.sources.{index}.path=a"
    assert refusal(recipe_text, override) == [
        f"command line: `{override}`: there is no `{index}` in data.sources, which is a list of 2"
    ]


def test_a_key_of_a_value_that_has_none_is_refused(refusal, recipe_text):
    assert refusal(recipe_text, "train.tokens.x=1") == [
        "command line: `train.tokens.x=1`: there is no `x` in train.tokens, which is 16384"
    ]


def test_a_number_that_is_no_index_is_an_unknown_key(refusal, recipe_text):
    assert refusal(recipe_text, "data.5.x=1") == [
        "command line: data.5: unknown key; known here: sources, holdout, curate, workers"
    ]


def test_a_value_that_is_no_yaml_is_refused(refusal, recipe_text):
    assert refusal(recipe_text, "train.tokens=[") == [
        "command line: train.tokens: `[` is not valid YAML"
    ]
