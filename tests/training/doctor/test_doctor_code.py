"""Faults in what a run calls: a base's own code, the packing, the recipe. Nothing of the doctor is
replaced."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

import finetune.sequences.stream as stream
from finetune.errors import Refused
from finetune.models.load import load_model
from finetune.recipe import load_recipe
from finetune.run_folder import RunFolder
from finetune.sequences import Block
from finetune.sequences.segment import IGNORED
from finetune.tokenizer import CodeTokenizer
from finetune.training.doctor.subject import without_dropout
from finetune.training.start import train
from tests.training.doctor.conftest import change_json

OWN_CODE = """\
import torch
from transformers import GPTBigCodeForCausalLM


class Own(GPTBigCodeForCausalLM):
"""
LEAKING = """\
    def forward(self, input_ids=None, **others):
        others["attention_mask"] = torch.ones_like(input_ids)
        return super().forward(input_ids=input_ids, **others)
"""
FREEZING = """\
    def train(self, mode=True):
        self.requires_grad_(False)
        return super().train(mode)
"""
DETACHING = """\
    def __init__(self, config):
        super().__init__(config)
        self.transformer.h[1].register_forward_pre_hook(
            lambda module, inputs: (inputs[0].detach(), *inputs[1:])
        )
"""


@pytest.fixture
def with_code(base, doctor, tmp_path, monkeypatch):
    """`with_code(body, *overrides)`: what is found where the base's folder has such a class."""
    import transformers.dynamic_module_utils as modules

    monkeypatch.setattr(modules, "HF_MODULES_CACHE", str(tmp_path / "modules"))

    def examined(body: str, *overrides: str):
        (base / "own.py").write_text(OWN_CODE + body)
        auto = {"AutoModelForCausalLM": "own.Own"}
        change_json(base / "config.json", lambda config: config.update(auto_map=auto))
        return doctor("base.trust_remote_code=true", *overrides)

    return examined


def test_a_mask_that_lets_packed_documents_see_each_other(with_code):
    found = with_code(LEAKING)
    assert "isolation" in found.faults
    assert "the mask leaks" in found.findings["isolation"]["cause"]


def test_adapters_that_were_frozen(with_code):
    found = with_code(FREEZING)
    assert found.faults == {"trainable weights"}
    assert "16 weights of lora are frozen" in found.findings["trainable weights"]["what"]


def test_a_layer_that_passes_no_gradient_on(with_code):
    """The four adapted modules of the first of two layers."""
    found = with_code(DETACHING)
    assert found.faults == {"gradients"}
    assert "at 4 of 8 adapted modules: " in found.findings["gradients"]["what"]
    assert "transformer.h.0.attn.c_attn" in found.findings["gradients"]["what"]


@pytest.fixture
def packed(monkeypatch):
    """`packed(change)`: blocks come from the packer as `change` makes them."""
    make_block = stream.make_block

    def plant(change: Callable[[Block], Block]) -> None:
        monkeypatch.setattr(stream, "make_block", lambda *a, **how: change(make_block(*a, **how)))

    return plant


def test_ends_that_are_masked_because_they_have_the_id_of_the_padding(doctor, packed, base):
    end = CodeTokenizer(base).eod
    packed(lambda one: replace(one, labels=np.where(one.labels == end, IGNORED, one.labels)))
    found = doctor()
    assert "ends" in found.faults  # what ends a middle is missed by the check of sentinels too
    assert "344 of 344 documents end without a label" in found.findings["ends"]["what"]


def test_labels_that_were_moved_by_one(doctor, packed):
    def move(block: Block) -> Block:
        return replace(block, labels=np.append(block.labels[1:], IGNORED))

    packed(move)
    found = doctor()
    assert "labels" in found.faults
    assert "the model moves them by one itself" in found.findings["labels"]["cause"]


def test_a_learning_rate_a_hundred_times_too_high(doctor):
    found = doctor("train.learning_rate=0.5")
    assert found.faults == {"learning rate"}
    assert "100 times as high" in found.findings["learning rate"]["what"]


def test_a_rate_that_throws_the_model_off_in_one_step(doctor):
    """Just below ten times the usual, where the table alone has nothing but a note."""
    found = doctor("tune={method: full}", "train.learning_rate=0.029")
    assert found.verdict("learning rate") == "note"
    assert found.faults == {"first step"}


def test_training_with_a_fault_is_refused_before_a_step_unless_it_is_overruled(
    recipe_file, prepared, tmp_path
):
    import shutil

    run = RunFolder(tmp_path / "patient")
    shutil.copytree(prepared, run.path)
    recipe = load_recipe(recipe_file, ("train.learning_rate=0.5", "train.tokens=1024")).recipe
    with pytest.raises(Refused, match=r"^doctor: 1 fault: learning rate; doctor\.json"):
        train(recipe, run)
    assert not run.log.exists()
    assert not run.adapter.exists()
    train(recipe, run, despite_doctor=True)
    assert run.adapter.exists()


def test_a_run_that_goes_on_from_a_checkpoint_is_not_examined_again(
    recipe_file, prepared, tmp_path
):
    import shutil

    run = RunFolder(tmp_path / "patient")
    shutil.copytree(prepared, run.path)
    train(load_recipe(recipe_file, ("train.tokens=1024",)).recipe, run)
    assert run.doctor.exists()
    run.doctor.unlink()
    train(load_recipe(recipe_file, ("train.tokens=1024",)).recipe, run)
    assert not run.doctor.exists()


def test_dropout_is_off_for_a_measurement_and_back_afterwards(base):
    model = load_model(base, dropout=0.3).train()
    ids = torch.arange(20, 60)[None]

    def logits():
        return model(input_ids=ids, use_cache=False).logits

    with without_dropout(model), torch.no_grad():
        assert torch.equal(logits(), logits())
    with torch.no_grad():
        assert not torch.equal(logits(), logits())
    assert model.transformer.h[0].attn.attn_dropout == 0.3
    assert model.transformer.h[0].mlp.dropout.p == 0.3
