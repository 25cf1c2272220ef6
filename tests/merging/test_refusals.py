"""A merge that is not what was trained is refused, and leaves nothing behind."""

import numpy as np
import pytest
from safetensors.torch import load_file

from finetune.errors import Refused
from finetune.merging import merge as merging
from finetune.models.load import load_model
from finetune.recipe.schema import Lora
from finetune.sequences import Block
from tests.merging.made import corrupt_what_is_written, facts, merged, train_variant


def scale_a_matrix(weights):
    weights["transformer.h.0.mlp.c_fc.weight"] *= 1.02


def change_one_bias(weights):
    weights["transformer.h.1.mlp.c_proj.bias"][0] += 0.1


def break_a_number(weights):
    weights["transformer.ln_f.weight"][0] = float("nan")


@pytest.mark.parametrize("change", [scale_a_matrix, change_one_bias, break_a_number])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_weights_that_were_written_wrongly_are_refused(run, monkeypatch, method, change):
    corrupt_what_is_written(monkeypatch, change)
    with pytest.raises(Refused, match="logits differ"):
        merged(run, method)
    assert not run.merged.exists()


def test_a_merge_that_forgets_the_adapter_is_refused(run, monkeypatch):
    base = load_file(run.base / "model.safetensors")
    corrupt_what_is_written(monkeypatch, lambda weights: weights.update(base))
    with pytest.raises(Refused, match="logits differ"):
        merged(run)
    assert not run.merged.exists()


def test_a_value_that_is_no_number_in_a_later_block_alone_is_refused(run, monkeypatch):
    """Positions from 50 on are broken, and only the second of two blocks reaches so far."""

    def change(weights):
        weights["transformer.wpe.weight"][50:] = float("nan")

    ids = np.arange(100, 164)
    labels = np.full(64, -100)
    restarting = Block(ids, labels, np.arange(64) % 32, ())
    running_on = Block(ids, labels, np.arange(64), ())
    corrupt_what_is_written(monkeypatch, change)
    with pytest.raises(Refused, match="logits differ"):
        merging.merge(run, facts(run), "lora", [restarting, running_on])


def test_qlora_merged_into_the_base_as_it_was_is_refused(run, monkeypatch):
    train_variant(run, Lora(method="qlora", rank=4, alpha=8))
    monkeypatch.setattr(merging, "dequantised", lambda _: load_model(run.base))
    with pytest.raises(Refused, match="logits differ"):
        merged(run, "qlora", "fp32")
