"""A merge that is not what was trained is refused, and leaves nothing behind."""

from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from finetune.errors import Refused
from finetune.merging import merge as merging
from finetune.merging import sources
from finetune.models.load import load_model
from finetune.models.quantised import out_of_4_bits
from finetune.models.scratch import make_model
from finetune.recipe.schema import Lora
from finetune.sequences import Block
from tests.merging.made import (
    TINY,
    change_file,
    corrupt_what_is_written,
    facts,
    merged,
    train_variant,
    train_with_peft,
)

MATRIX = "transformer.h.0.mlp.c_fc.weight"
LAYER = "base_model.model.transformer.h.0.mlp.c_fc"
ADAPTER = "adapter_model.safetensors"


def left_behind(run):
    """What a merge left in the run's folder."""
    return sorted(path.name for path in run.path.iterdir() if "merged" in path.name)


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
    stored = load_file(run.base / "model.safetensors")

    def as_it_was(model):
        return {
            name: (shape, partial(stored.get, name))
            for name, (shape, _) in out_of_4_bits(model).items()
        }

    monkeypatch.setattr(sources, "out_of_4_bits", as_it_was)
    with pytest.raises(Refused, match="logits differ"):
        merged(run, "qlora", "fp32")


def without_adapter(run):
    """The matrix of the base whose adapter the tests below misuse."""
    return load_file(run.base / "model.safetensors")[MATRIX]


@pytest.mark.parametrize("times", [0.0, 0.5, 2.0], ids=["never", "half the scale", "twice"])
def test_an_update_that_was_added_in_another_measure_is_refused(run, monkeypatch, times):
    base = without_adapter(run)

    def change(weights):
        weights[MATRIX] = base + times * (weights[MATRIX] - base)

    corrupt_what_is_written(monkeypatch, change)
    with pytest.raises(Refused, match=rf"logits differ.*{MATRIX} is off by"):
        merged(run)
    assert left_behind(run) == []


def test_a_change_too_small_for_the_logits_is_found_in_its_tensor(run, monkeypatch):
    def change(weights):
        weights[MATRIX][3, 3] += 1e-5

    corrupt_what_is_written(monkeypatch, change)
    with pytest.raises(Refused) as refused:
        merged(run)
    assert f"{MATRIX} is off by" in str(refused.value)
    assert "logits" not in str(refused.value)
    assert left_behind(run) == []


def test_a_change_of_a_weight_without_adapter_is_found_to_the_last_bit(run, monkeypatch):
    def change(weights):
        row = weights["transformer.wte.weight"][299]  # a token that the text does not have
        row[0] = torch.nextafter(row[0], torch.tensor(9.0))

    corrupt_what_is_written(monkeypatch, change)
    with pytest.raises(Refused, match=r"wte\.weight is not what was trained"):
        merged(run)


def test_weights_that_are_missing_or_too_many_are_named(run, monkeypatch):
    def change(weights):
        weights["base_model.model.lora_A"] = weights.pop("transformer.ln_f.bias")

    corrupt_what_is_written(monkeypatch, change)
    with pytest.raises(Refused, match=r"ln_f.bias was not written; .*lora_A does not belong"):
        merged(run)


def test_an_adapter_that_lost_a_magnitude_is_refused_before_anything_is_loaded(run):
    train_variant(run, Lora(method="dora", rank=4))
    change_file(run.adapter / ADAPTER, lambda parts: parts.pop(f"{LAYER}.lora_magnitude_vector"))
    with pytest.raises(Refused, match=f"lora_magnitude_vector of {MATRIX} is missing"):
        merged(run, "dora")
    assert left_behind(run) == []


def test_an_adapter_that_lost_half_of_a_pair_is_refused(run):
    change_file(run.adapter / ADAPTER, lambda parts: parts.pop(f"{LAYER}.lora_B.weight"))
    with pytest.raises(Refused, match=f"lora_B of {MATRIX} is missing"):
        merged(run)


def test_an_adapter_that_lost_a_whole_layer_is_refused(run):
    """PEFT fills in an adapter that does nothing, and base and adapter agree with the merge."""

    def change(parts):
        del parts[f"{LAYER}.lora_A.weight"], parts[f"{LAYER}.lora_B.weight"]

    change_file(run.adapter / ADAPTER, change)
    with pytest.raises(Refused, match=f"nothing for {MATRIX}, 1 in all"):
        merged(run)
    assert left_behind(run) == []


def test_an_adapter_with_a_value_that_is_no_number_is_refused(run):
    def change(parts):
        parts[f"{LAYER}.lora_A.weight"][0, 0] = float("nan")

    change_file(run.adapter / ADAPTER, change)
    with pytest.raises(Refused, match=f"lora_A of {MATRIX} holds values that are not finite"):
        merged(run)
    assert left_behind(run) == []


@pytest.mark.parametrize(
    ("other", "match"),
    [({"width": 64}, "is .* in the base and .* in the adapter"), ({"layers": 1}, "has no .*h.1")],
)
def test_an_adapter_of_another_base_is_refused(run, other, match):
    make_model(TINY.model_copy(update=other), run.base)
    with pytest.raises(Refused, match=match):
        merged(run)
    assert left_behind(run) == []


def test_an_adapter_on_tied_embeddings_is_refused(run):
    """The merge would change the output as well, the training did not."""
    for modules in (["wte"], ["lm_head"]):
        train_with_peft(run, r=4, target_modules=modules, init_lora_weights=False)
        with pytest.raises(Refused, match=r"logits differ|base has no lm_head\.weight"):
            merged(run)
        assert left_behind(run) == []


def test_an_embedding_that_was_trained_whole_without_its_head_is_refused(run):
    train_with_peft(run, r=4, target_modules=["c_attn"], modules_to_save=["wte"])
    with pytest.raises(Refused, match="logits differ"):
        merged(run)
    assert left_behind(run) == []


def test_values_that_fp16_cannot_hold_are_refused(run):
    load_model(run.base, dtype=torch.float16).save_pretrained(run.base)

    def change(parts):
        parts[f"{LAYER}.lora_A.weight"].fill_(300.0)
        parts[f"{LAYER}.lora_B.weight"].fill_(300.0)

    change_file(run.adapter / ADAPTER, change)
    with pytest.raises(Refused, match=f"{MATRIX} holds values that are not finite"):
        merged(run)
    assert left_behind(run) == []


def test_an_adapter_without_a_single_weight_is_refused(run):
    change_file(run.adapter / ADAPTER, dict.clear)
    with pytest.raises(Refused, match="it is empty"):
        merged(run)
