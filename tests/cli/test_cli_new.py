"""`finetune new`: a commented recipe that `check` accepts."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from finetune.cli.new import templates
from finetune.shipped import shipped

TEMPLATES = list(templates())


def test_there_are_templates():
    assert TEMPLATES


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_new_recipe_passes_check(finetune, template):
    assert finetune("new", "mine.yaml", "--from", template).code == 0
    ran = finetune("check", "mine.yaml")
    assert (ran.code, ran.err) == (0, [])


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_comments_of_the_template_stay(finetune, tmp_path, template):
    finetune("new", "mine.yaml", "--from", template)
    lines = templates()[template].read_text(encoding="utf-8").splitlines()[1:]
    new = (tmp_path / "mine.yaml").read_text(encoding="utf-8").splitlines()[1:]
    comments = [line for line in lines if line.startswith("#") and "recipes/" not in line]
    assert comments
    assert set(comments) <= set(new)
    assert len(new) == len(lines)


def test_the_run_is_named_after_the_file(finetune, tmp_path):
    finetune("new", "mine.yaml", "--from", "base")
    values = YAML(typ="safe", pure=True).load(tmp_path / "mine.yaml")
    assert values["name"] == "mine"
    assert values["publish"] == {"repo": "me/mine", "hub": "./hub"}


@pytest.mark.parametrize("stem", ["123", "1e5", "null", "true", "2026-01-02", "a.b-c_d"])
def test_a_name_that_yaml_takes_for_something_else_is_quoted(finetune, tmp_path, stem):
    assert finetune("new", f"{stem}.yaml", "--from", "base").code == 0
    assert YAML(typ="safe", pure=True).load(tmp_path / f"{stem}.yaml")["name"] == stem
    assert finetune("check", f"{stem}.yaml").code == 0


def test_the_first_line_names_the_shipped_schema(finetune, tmp_path):
    finetune("new", "sub/mine.yaml", "--from", "base")
    first = (tmp_path / "sub" / "mine.yaml").read_text().splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", first)
    assert Path(tmp_path, "sub", named[1]).resolve() == shipped("recipes/recipe.schema.json")


def test_the_example_command_names_the_new_file(finetune, tmp_path):
    finetune("new", "mine.yaml", "--from", "my_code")
    text = (tmp_path / "mine.yaml").read_text()
    assert "finetune run mine.yaml " in text
    assert "recipes/nano" not in text


def test_a_file_that_is_there_is_never_overwritten(finetune, tmp_path):
    (tmp_path / "mine.yaml").write_text("precious\n")
    ran = finetune("new", "mine.yaml", "--from", "base")
    assert (ran.code, ran.out) == (2, [])
    assert ran.err == ["mine.yaml: is there already and stays as it is; choose a new name"]
    assert (tmp_path / "mine.yaml").read_text() == "precious\n"


def test_an_unknown_template_names_the_nearest_and_lists_all(finetune, tmp_path):
    ran = finetune("new", "mine.yaml", "--from", "pyton")
    assert (ran.code, ran.out) == (2, [])
    assert ran.err == [
        "--from pyton: no such template; did you mean `python`? There are " + ", ".join(TEMPLATES)
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_help_lists_the_templates(finetune):
    ran = finetune("new", "--help")
    assert ", ".join(TEMPLATES) in " ".join(" ".join(ran.out).split())


@pytest.mark.parametrize(
    "name", ["my lib.yaml", ".yaml.yaml", "./-x.yaml", "é.yaml", "mine", "a.b"]
)
def test_a_file_name_that_cannot_name_a_run_is_refused(finetune, tmp_path, name):
    ran = finetune("new", name, "--from", "base")
    assert (ran.code, len(ran.err)) == (2, 1), ran
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused(finetune, tmp_path):
    (tmp_path / "file").write_text("")
    ran = finetune("new", "file/mine.yaml", "--from", "base")
    assert (ran.code, len(ran.err)) == (2, 1), ran
