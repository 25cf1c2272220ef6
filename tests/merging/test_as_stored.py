"""A model whose weights stay as stored computes what it computes when loaded as fp32."""

import pytest
import torch

from finetune.merging.as_stored import computing_in_fp32, in_fp32, leave_in_files, values_of
from finetune.merging.sources import plain_weights
from finetune.models.adapters import load_adapter
from finetune.models.load import load_model
from finetune.recipe.schema import Lora
from tests.merging.made import logits, train_variant


@pytest.mark.parametrize("where", ["in memory", "in files"])
@pytest.mark.parametrize("method", ["lora", "dora"])
def test_logits_are_those_of_the_model_in_fp32_to_the_last_bit(run, method, where):
    load_model(run.base, dtype=torch.bfloat16).save_pretrained(run.base)
    train_variant(run, Lora(method=method, rank=4))
    plain = load_model(run.base, dtype=torch.bfloat16)
    weights = plain_weights(plain)
    stored = load_adapter(plain, run.adapter)
    if where == "in files":
        leave_in_files(weights, run.base)
        assert plain.transformer.wte.weight.count_nonzero() == 0
    with computing_in_fp32(stored):
        found = logits(stored, run.base)
    loaded = load_adapter(load_model(run.base, dtype=torch.float32), run.adapter)
    assert found.dtype == torch.float32
    assert torch.equal(found, logits(loaded, run.base))
    assert not torch.equal(found, logits(load_model(run.base), run.base))


def test_weights_are_what_they_were_afterwards(run):
    model = load_model(run.base, dtype=torch.bfloat16)
    places = {name: weight.data_ptr() for name, weight in model.named_parameters()}
    with computing_in_fp32(model):
        logits(model, run.base)
    for name, weight in model.named_parameters():
        assert weight.dtype == torch.bfloat16
        assert weight.data_ptr() == places[name]
    assert model.lm_head.weight is model.transformer.wte.weight


def test_weights_are_back_after_a_call_that_failed(run):
    model = load_model(run.base, dtype=torch.bfloat16)
    with computing_in_fp32(model), pytest.raises(IndexError):
        model(input_ids=torch.tensor([[9_999]]), use_cache=False)
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}


def test_what_a_block_makes_of_the_copies_is_gone_when_it_ends(run):
    model = load_model(run.base, dtype=torch.bfloat16)
    before = model.transformer.ln_f.weight.detach().clone()
    with in_fp32(model.transformer.ln_f):
        model.transformer.ln_f.weight.data.add_(1)
    assert torch.equal(model.transformer.ln_f.weight, before)


def test_values_that_were_left_in_files_are_the_files_own(run):
    model = load_model(run.base, dtype=torch.bfloat16)
    weights = plain_weights(model)
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    leave_in_files(weights, run.base)
    for name, weight in weights.items():
        assert weight.shape == before[name].shape
        assert weight.dtype == torch.bfloat16
        assert torch.equal(values_of(weight), before[name])
