"""The shipped JSON Schema and recipes, read by software that is not ours."""

import json
import re

import jsonschema
import pytest
from ruamel.yaml import YAML

from finetune.cli import main
from finetune.recipe.json_schema import schema_text
from finetune.shipped import shipped

SCHEMA = shipped("recipes/recipe.schema.json")
RECIPES = sorted(shipped("recipes").rglob("*.yaml"))


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def values(text):
    return YAML(typ="safe", pure=True).load(text)


@pytest.fixture
def errors(validator, recipe_text):
    """`errors(old, new)`: what the schema says of the small recipe, changed."""

    def messages(old="", new=""):
        assert old in recipe_text
        changed = values(recipe_text.replace(old, new) if old else recipe_text + new)
        return [error.message for error in validator.iter_errors(changed)]

    return messages


def test_recipes_are_shipped():
    assert RECIPES


def test_no_two_shipped_recipes_have_one_name():
    assert len({file.stem for file in RECIPES}) == len(RECIPES)


def test_the_shipped_schema_is_what_the_command_prints():
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), (
        "run `finetune schema > recipes/recipe.schema.json`"
    )


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_shipped_recipe_validates_against_the_schema(file, validator):
    validator.validate(values(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_shipped_recipe_names_the_schema_in_its_first_line(file):
    first = file.read_text(encoding="utf-8").splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named, first
    assert (file.parent / named[1]).resolve() == SCHEMA.resolve()


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_shipped_recipe_passes_check(file, tmp_path, capsys):
    assert main(["check", str(file), "--runs", str(tmp_path)]) == 0, capsys.readouterr().err


def test_the_schema_accepts_the_small_recipe(errors):
    assert errors() == []


def test_the_schema_accepts_a_base_written_as_text(errors):
    assert errors("{scratch: {licence: mit}}", "bigcode/starcoderbase") == []


def test_the_schema_accepts_an_exponent_for_a_count(errors):
    assert errors("16384", "2e9") == []


def test_the_schema_refuses_an_unknown_key(errors):
    assert errors(new="engin: ddp\n")


def test_the_schema_refuses_a_count_of_0(errors):
    assert errors("16384", "0")


def test_the_schema_refuses_a_count_in_quotes(errors):
    assert errors("16384", '"3"')


def test_the_schema_refuses_a_list_without_sources(errors):
    old = "sources:\n    - {format: source_code, path: src}\n    "
    new = "sources: []\n  curate: {}\n"
    assert errors(old + "- {format: source_code, package: rich, weight: 0.25}\n", new)


def test_the_schema_refuses_full_tuning_with_a_rank(errors):
    assert errors(new="tune: {method: full, rank: 4}\n")


def test_every_key_of_the_schema_is_described(validator):
    bare = [
        f"{section}.{key}"
        for section, content in validator.schema["$defs"].items()
        for key, field in content["properties"].items()
        if not ({"description", "$ref", "const"} & field.keys())
    ]
    assert bare == []
