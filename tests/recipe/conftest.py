"""A small valid recipe, and ways to load it changed."""

from pathlib import Path

import pytest

from finetune.errors import UserError
from finetune.recipe import load_recipe

RECIPE = """\
name: a
base: {scratch: {licence: mit}}
data:
  sources:
    - {format: source_code, path: src}
    - {format: source_code, package: rich, weight: 0.25}
train:
  tokens: 16384
  batch_tokens: 8192
"""
"""Line 1: name, 2: base, 3: data, 4: sources, 5 and 6: the sources, 7: train, 8: tokens."""


@pytest.fixture
def recipe_text():
    return RECIPE


@pytest.fixture
def load(tmp_path):
    """`load(text, *overrides)`: the recipe of a file with this text."""

    def load_text(text, *overrides):
        file = tmp_path / "r.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_recipe(file, overrides).recipe

    return load_text


@pytest.fixture
def refusal(load, tmp_path):
    """`refusal(text, *overrides)`: the lines of the message, the file called `r.yaml`."""

    def lines(text, *overrides):
        with pytest.raises(UserError) as caught:
            load(text, *overrides)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return lines


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the recipe lies."""
    return tmp_path
