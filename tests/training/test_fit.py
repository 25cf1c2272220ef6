"""What the recipe leaves open is decided by the memory of the device that trains."""

from types import SimpleNamespace

import pytest
import torch

from finetune.errors import UserError
from finetune.recipe import Recipe
from finetune.run_folder import RunFolder
from finetune.training.fit import fitted, speed_of


def recipe_of(**train):
    made = {"layers": 4, "width": 192, "heads": 3, "positions": 512, "licence": "mit"}
    values = {
        "name": "one",
        "base": {"scratch": {**made, "vocabulary": 4096}},
        "data": {"sources": [{"format": "source_code", "path": "src"}]},
        "sequences": {"length": 512},
        "tune": {"method": "full"},
        "train": {"tokens": 1e6, "batch_tokens": 16384, "precision": "fp32", **train},
    }
    return Recipe.model_validate(values)


@pytest.fixture
def cpu():
    return SimpleNamespace(num_processes=1, device=torch.device("cpu"))


def decided(recipe, tmp_path, cpu):
    train = fitted(recipe, RunFolder(tmp_path), cpu).train
    return train.micro_batch, train.activation_checkpointing


def test_both_are_decided_where_both_are_open(tmp_path, cpu):
    micro, checkpointing = decided(recipe_of(), tmp_path, cpu)
    assert micro in (1, 2, 4, 8, 16, 32)
    assert checkpointing is False


def test_what_the_recipe_fixes_stays(tmp_path, cpu):
    assert decided(recipe_of(micro_batch=4), tmp_path, cpu) == (4, False)
    micro, checkpointing = decided(recipe_of(activation_checkpointing=True), tmp_path, cpu)
    assert (micro > 0, checkpointing) == (True, True)


def test_little_memory_turns_checkpointing_on(tmp_path, cpu, monkeypatch):
    monkeypatch.setattr("finetune.training.fit.host_memory", lambda processes: 880 * 2**20)
    assert decided(recipe_of(), tmp_path, cpu)[1] is True


def test_what_does_not_fit_is_refused_with_a_remedy(tmp_path, cpu, monkeypatch):
    monkeypatch.setattr("finetune.training.fit.host_memory", lambda processes: 2**20)
    with pytest.raises(UserError, match=r"needs .* per process at the least"):
        fitted(recipe_of(), RunFolder(tmp_path), cpu)


def test_the_speed_of_a_model_is_the_formula_of_its_family(tmp_path, cpu):
    """6 (L (10 d^2 + 256 d) + V d) is for heads of 128; these are of 64: 2 d of keys and values
    become 128 d."""
    speed = speed_of(recipe_of(), RunFolder(tmp_path), cpu)
    layers, width, vocabulary = 4, 192, 4096
    weights = layers * (10 * width**2 + 2 * 64 * width) + vocabulary * width
    assert speed.per_token == pytest.approx(6 * weights)
    assert speed.per_pair == pytest.approx(12 * layers * width)
    assert speed.peak is None
