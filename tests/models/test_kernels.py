"""What each attention kernel is given, and which ones are refused."""

from typing import get_args

import numpy as np
import pytest
import torch
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from finetune.errors import UserError
from finetune.families import WITHOUT_FLEX_ATTENTION
from finetune.models.adapters import add_lora
from finetune.models.forward import collate, token_losses
from finetune.models.kernels import (
    FLASH,
    MASKED,
    document_bounds,
    kernel_inputs,
    kernel_of,
    refuse_missing_kernel,
)
from finetune.models.loss_head import plain_head
from finetune.recipe.schema import Lora, Train
from finetune.sequences import Block

IGNORED = -100


def block_of(lengths, padding, seed):
    """A block of documents of these lengths, random ids and padding at its end."""
    length = sum(lengths) + padding
    ids = np.random.default_rng(seed).integers(19, 300, length)
    labels = ids.copy()
    starts = np.cumsum([0, *lengths])
    labels[starts[:-1]] = labels[starts[-1] :] = IGNORED
    positions = np.concatenate([np.arange(one) for one in [*lengths, padding]])
    return Block(ids, labels, positions, ())


def keep_logits(model, batch):
    """The logits of the very call that losses come from."""
    kept, head = [], plain_head(model)
    hook = head.register_forward_pre_hook(lambda _, called: kept.append(called[0] @ head.weight.T))
    with torch.inference_mode():
        token_losses(model, batch)
    hook.remove()
    return kept[0]


def test_bounds_are_counted_through_the_rows_of_a_batch():
    bounds, longest = document_bounds(np.array([[0, 1, 2, 0, 0], [0, 1, 0, 1, 2]]))
    assert bounds.tolist() == [0, 3, 4, 5, 7, 10]
    assert bounds.dtype == np.int32
    assert longest == 3


def test_without_isolation_each_row_is_one_document():
    bounds, longest = document_bounds(np.array([[0, 1, 2, 3], [0, 1, 2, 3]]))
    assert bounds.tolist() == [0, 4, 8]
    assert longest == 4


def test_a_row_that_begins_inside_a_document_has_no_bounds():
    with pytest.raises(AssertionError, match="would see another's"):
        document_bounds(np.array([[0, 1, 2], [3, 0, 1]]))


@pytest.mark.parametrize("kernel", ["flash_attention_2", "flash_attention_3"])
def test_flash_attention_of_padded_blocks_gives_the_logits_of_sdpa(
    small_model, use, varlen, kernel
):
    model = small_model()
    batch = collate([block_of([3, 1, 4], 2, seed=0), block_of([10], 0, seed=1)])
    wanted = keep_logits(use(model, "sdpa"), batch)
    got = keep_logits(use(model, kernel), batch)
    assert got.shape == wanted.shape == (2, 10, 300)
    assert float((got - wanted).abs().max()) < 1e-5
    assert [call["bounds"] for call in varlen.calls] == [[0, 3, 4, 8, 10, 20]] * 2  # per layer


@pytest.mark.parametrize("missing", ["cu_seq_lens_q", "cu_seq_lens_k", "max_length_q"])
def test_flash_attention_is_not_told_bounds_by_halves(small_model, use, varlen, missing):
    model = use(small_model(), "flash_attention_2")
    batch = collate([block_of([3, 4], 1, seed=0)])
    told = kernel_inputs(model, batch["bounds"], batch["longest"])
    del told[missing]
    with pytest.raises(AssertionError, match="no bounds have reached flash attention"):
        model(batch["input_ids"], position_ids=batch["position_ids"], use_cache=False, **told)


def test_gradients_flow_through_flash_attention_as_through_sdpa(small_model, use, varlen):
    model = small_model()
    batch = collate([block_of([3, 5], 2, seed=0)])
    gradients = []
    for kernel in ("sdpa", "flash_attention_2"):
        model.zero_grad()
        token_losses(use(model, kernel), batch).sum().backward()
        gradients.append(model.transformer.h[0].attn.c_attn.weight.grad.clone())
    assert float(gradients[0].abs().max()) > 1e-2
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-5)


class Engine(torch.nn.Module):
    """Like DeepSpeed's: the model is its `module`, and `config` is something else."""

    def __init__(self, module):
        super().__init__()
        self.module, self.config = module, {"train_batch_size": 1}


@pytest.mark.parametrize("kernel", ["sdpa", "eager", "flash_attention_2"])
def test_the_kernel_is_found_inside_what_wraps_a_model(small_model, use, kernel):
    adapted = use(add_lora(small_model(), Lora(method="lora"), seed=0), kernel)
    assert kernel_of(adapted) == kernel
    assert kernel_of(Engine(adapted)) == kernel


def test_sdpa_and_eager_are_given_nothing_beside_positions(small_model, use):
    model, bounds = small_model(), torch.tensor([0, 4], dtype=torch.int32)
    assert kernel_inputs(use(model, "sdpa"), bounds, 4) == {}
    assert kernel_inputs(use(model, "eager"), bounds, 4) == {}


def test_a_kernel_that_nobody_has_described_is_not_run(small_model, use):
    model = use(small_model(), "paged|eager")
    with pytest.raises(AssertionError, match="keeps documents apart"):
        kernel_inputs(model, torch.tensor([0, 4], dtype=torch.int32), 4)


def test_every_kernel_of_a_recipe_is_described():
    assert set(get_args(Train.model_fields["attention"].annotation)) == {*MASKED, *FLASH}


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_a_model_is_loaded_with_the_kernel_that_is_asked_for(small_model, kernel):
    assert kernel_of(small_model(attention=kernel)) == kernel


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about a machine without a GPU")
@pytest.mark.parametrize("kernel", FLASH)
def test_flash_attention_without_a_gpu_is_a_mistake(small_model, kernel):
    with pytest.raises(UserError) as caught:
        small_model(attention=kernel)
    assert str(caught.value) == (
        f"train.attention: {kernel} cannot run: it needs a GPU, and this machine shows none; "
        "set it to sdpa"
    )


@pytest.mark.parametrize(("kernel", "package"), [(name, FLASH[name][0]) for name in FLASH])
def test_flash_attention_without_its_package_is_a_mistake(monkeypatch, kernel, package):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(FLASH, kernel, (package, lambda: False))
    with pytest.raises(UserError) as caught:
        refuse_missing_kernel(kernel, GPTBigCodeConfig())
    assert str(caught.value) == (
        f"train.attention: {kernel} cannot run: the package {package} is not installed; "
        "set it to sdpa"
    )


def test_flex_attention_is_a_mistake_for_gpt_bigcode(small_model):
    with pytest.raises(UserError) as caught:
        small_model(attention="flex_attention")
    assert str(caught.value) == (
        "train.attention: flex_attention cannot run: transformers does not have it for "
        "gpt_bigcode; set it to sdpa"
    )


def test_what_is_said_of_flex_attention_is_what_transformers_does():
    assert GPTBigCodeConfig.model_type in WITHOUT_FLEX_ATTENTION
    config = GPTBigCodeConfig(vocab_size=8, n_embd=8, n_layer=1, n_head=1, n_positions=8)
    with pytest.raises(ValueError, match="flex_attention"):
        GPTBigCodeForCausalLM._from_config(config, attn_implementation="flex_attention")
