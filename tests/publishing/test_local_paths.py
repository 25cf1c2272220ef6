"""Machine paths: found, masked, and not confused with other slashes."""

import pytest

from finetune.publishing.local_paths import in_json, inside, mask


@pytest.mark.parametrize(
    "value",
    [
        {"base_model_name_or_path": "/base"},
        {"x": ["/home/ann/model"]},
        {"x": "~/model"},
        {"x": "C:\\models\\base"},
        {"x": "file:///models/base"},
        {"x": "loaded from /home/ann/model today"},
        {"/home/ann/model": 1},
    ],
)
def test_an_absolute_path_is_found_wherever_it_stands(value):
    assert list(in_json(value))


@pytest.mark.parametrize(
    "value",
    [
        "bigcode/starcoderbase",
        "https://host/data/x",
        "/think",
        "</s>",
        "docs/home/x",
        "a / b",
        "//",
    ],
)
def test_other_slashes_are_no_paths(value):
    assert not list(in_json({"x": value}))


def test_a_path_in_running_text_is_found():
    assert inside("see `/home/ann/x.py`, or docs/home/x") == ["/home/ann/x.py"]


def test_a_recipe_shows_the_last_part_of_a_path_only():
    recipe = {"path": "/home/ann/src/mylib", "n": 1, "list": ["~/x", "me/name"]}
    shown = {"path": "<local>/mylib", "n": 1, "list": ["<local>/x", "me/name"]}
    assert mask(recipe) == shown
