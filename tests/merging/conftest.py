"""One training for all tests of the room, and a copy of it for each."""

import shutil

import pytest

from finetune.models.adapters import add_lora
from finetune.models.load import load_model
from finetune.models.scratch import make_model
from finetune.recipe.schema import Lora
from finetune.run_folder import RunFolder
from finetune.training.weights import gather_trainable, save_adapter, save_model
from tests.merging.made import TINY, noise


@pytest.fixture(scope="session")
def trained(tiny_tokenizer, tmp_path_factory):
    """A base, an adapter and a fully tuned model, as training leaves them."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(tiny_tokenizer, folder / "base")
    make_model(TINY, folder / "base")
    adapted = add_lora(load_model(folder / "base"), Lora(method="lora", rank=4, alpha=8), seed=0)
    noise(adapted, "lora_B")
    save_adapter(adapted, gather_trainable(adapted, keep=True), folder / "adapter")
    full = load_model(folder / "base", dropout=0.0)
    noise(full, "c_fc")
    save_model(full, gather_trainable(full, keep=True), folder / "model")
    return folder


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    return RunFolder(tmp_path / "run")
