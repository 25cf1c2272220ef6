"""Losses in chunks are those of plain cross-entropy, gradients too, and no one holds all logits."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    AutoModelForCausalLM,
    Cohere2Config,
    Gemma2Config,
    GPTBigCodeConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Starcoder2Config,
)

from finetune.models import loss_head
from finetune.models.adapters import add_lora
from finetune.models.forward import collate, token_losses
from finetune.models.loss_head import PLAIN_HEADS, plain_head
from finetune.recipe.schema import Lora
from finetune.sequences import Block

V, LENGTH = 101, 24
SIZES = {
    "vocab_size": V,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": LENGTH,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
BIGCODE = GPTBigCodeConfig(
    vocab_size=V, n_positions=LENGTH, n_embd=32, n_layer=2, n_head=4,
    attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0,
)  # fmt: skip
PLAIN = {
    "gpt_bigcode": BIGCODE,
    "starcoder2": Starcoder2Config(**SIZES, embedding_dropout=0.0),
    "llama": LlamaConfig(**SIZES),
    "mistral": MistralConfig(**SIZES, sliding_window=None),
    "qwen2": Qwen2Config(**SIZES),
    "tied llama": LlamaConfig(**SIZES, tie_word_embeddings=True),
}
OTHER = {
    "cohere2": Cohere2Config(**SIZES, logit_scale=0.25),
    "gemma2": Gemma2Config(**SIZES, final_logit_softcapping=5.0),
    "granite": GraniteConfig(**SIZES, logits_scaling=3.0),
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Several chunks, the last one not whole."""
    monkeypatch.setattr(loss_head, "CHUNK", 7)


def model_of(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(4)  # losses far from uniform
    return model.train()


def batch_of(rows=3, ignored=0.3):
    rng = np.random.default_rng(0)
    blocks = []
    for _ in range(rows):
        ids = rng.integers(1, V, LENGTH)
        labels = np.where(rng.random(LENGTH) < ignored, -100, ids)
        blocks.append(Block(ids, labels, np.arange(LENGTH) % 11, ()))
    return collate(blocks)


def by_hand(model, batch):
    """Minus the logarithm of the softmax at each label, from all logits at once."""
    logits = model(
        batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
    ).logits.float()
    chances = logits[:, :-1].log_softmax(-1)
    labels = batch["labels"][:, 1:]
    losses = -chances.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return losses * (labels != -100)


def largest(difference):
    return float(difference.detach().abs().max())


def gradients(model, losses, arriving):
    model.zero_grad(set_to_none=True)
    (losses * arriving if arriving.dim() else losses.sum() * arriving).sum().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


UPSTREAM = {
    "a sum": torch.tensor(0.37),
    "a weight each": torch.rand(3, LENGTH - 1, generator=torch.Generator().manual_seed(1)),
}


def assert_close(found, wanted, tolerance):
    """Relative to the largest gradient of each weight."""
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        size = float(gradient.abs().max())
        assert size > 0 or "k_proj.bias" in name  # softmax does not see what all keys share
        assert float((found[name] - gradient).abs().max()) <= tolerance * max(size, 1e-3), name


@pytest.mark.parametrize("arriving", UPSTREAM.values(), ids=UPSTREAM)
@pytest.mark.parametrize("config", PLAIN.values(), ids=PLAIN)
def test_losses_and_all_gradients_are_those_of_plain_cross_entropy(config, arriving):
    model, batch = model_of(config), batch_of()
    assert plain_head(model) is model.lm_head
    wanted, found = by_hand(model, batch), token_losses(model, batch)
    assert found.shape == (3, LENGTH - 1)
    assert found.dtype == torch.float32
    assert largest(found - wanted) < 1e-5  # of losses up to 20
    want, have = gradients(model, wanted, arriving), gradients(model, found, arriving)
    assert set(have) == {name for name, _ in model.named_parameters()}
    assert_close(have, want, 1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("arriving", UPSTREAM.values(), ids=UPSTREAM)
def test_under_autocast_they_differ_by_the_rounding_of_16_bits(arriving, dtype):
    model, batch = model_of(BIGCODE), batch_of()
    exact = gradients(model, by_hand(model, batch), arriving)
    with torch.autocast("cpu", dtype):
        wanted, found = by_hand(model, batch), token_losses(model, batch)
    assert found.dtype == torch.float32
    assert largest(found - wanted) < 1e-5  # the products are the very same
    want, have = gradients(model, wanted, arriving), gradients(model, found, arriving)
    assert_close(have, want, 3e-2)

    def error(those):
        return sum(float((those[n] - g).norm() / g.norm()) for n, g in exact.items())

    assert error(have) < 1.1 * error(want)  # no further from fp32 than the plain path is


def test_weights_in_bf16_have_gradients_in_bf16():
    model, batch = model_of(BIGCODE).to(torch.bfloat16), batch_of()
    losses = token_losses(model, batch)
    assert losses.dtype == torch.float32
    found = gradients(model, losses, UPSTREAM["a sum"])
    assert {g.dtype for g in found.values()} == {torch.bfloat16}
    assert_close(found, gradients(model, by_hand(model, batch), UPSTREAM["a sum"]), 3e-2)


def test_a_frozen_head_gets_no_gradient_and_the_adapters_get_theirs():
    model, batch = add_lora(model_of(BIGCODE), Lora(method="lora", rank=4), seed=0), batch_of()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    wanted = gradients(model, by_hand(model, batch), UPSTREAM["a sum"])
    kept = shapes_kept(lambda: token_losses(model, batch))
    found = gradients(model, token_losses(model, batch), UPSTREAM["a sum"])
    assert_close(found, wanted, 1e-5)
    assert len(found) == 16  # two layers, four targets, A and B
    assert not any(V in shape for shape in kept)  # neither the head nor a gradient of its shape


def shapes_kept(losses_of):
    """Shapes of all tensors that the forward pass keeps for the backward pass."""
    shapes = []

    def pack(tensor):
        shapes.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        losses_of()
    return shapes


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that holds a number for each id of the vocabulary."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        is_logits = isinstance(result, torch.Tensor) and result.shape[-1:] == (V,)
        if is_logits and result.shape != (32, V):  # else the head's weight, lying on its side
            self.numel = max(self.numel, result.numel())
        return result


@pytest.mark.parametrize("arriving", UPSTREAM.values(), ids=UPSTREAM)
def test_no_more_logits_than_a_chunk_s_live_at_a_time(arriving):
    model, batch = model_of(BIGCODE), batch_of()
    with Largest() as plain:
        gradients(model, by_hand(model, batch), arriving)
    with Largest() as ours:
        gradients(model, token_losses(model, batch), arriving)
    assert plain.numel == 3 * LENGTH * V
    assert ours.numel == 7 * V


def test_nothing_of_the_size_of_all_logits_is_kept():
    model, batch = model_of(BIGCODE), batch_of()
    plain = shapes_kept(lambda: by_hand(model, batch))
    ours = shapes_kept(lambda: token_losses(model, batch))
    assert (3, LENGTH - 1, V) in plain
    assert [shape for shape in ours if V in shape] == [(V, 32), (V, 32)]  # gradient and weight


def test_for_a_sum_of_losses_no_chunk_is_computed_twice(monkeypatch):
    calls, once = [], loss_head._pass
    monkeypatch.setattr(loss_head, "_pass", lambda *a: calls.append(a) or once(*a))
    model, batch = model_of(BIGCODE), batch_of()
    gradients(model, token_losses(model, batch), UPSTREAM["a sum"])
    assert len(calls) == 1
    gradients(model, token_losses(model, batch), UPSTREAM["a weight each"])
    assert len(calls) == 3


def test_positions_without_a_label_cost_nothing(monkeypatch):
    rows, once = [], loss_head._pass
    monkeypatch.setattr(loss_head, "_pass", lambda *a: rows.append(len(a[0])) or once(*a))
    batch = batch_of(ignored=0.9)
    token_losses(model_of(BIGCODE), batch)
    assert rows == [int((batch["labels"][:, 1:] != -100).sum())]
    assert 0 < rows[0] < 15


def test_a_batch_without_labels_has_no_loss_and_no_gradient():
    model, batch = model_of(BIGCODE), batch_of(ignored=2.0)
    losses = token_losses(model, batch)
    found = gradients(model, losses, UPSTREAM["a sum"])
    assert not losses.any()
    assert all(float(gradient.abs().max()) == 0.0 for gradient in found.values())


def test_without_a_backward_pass_no_gradient_is_computed(monkeypatch):
    wants, once = [], loss_head._pass
    monkeypatch.setattr(loss_head, "_pass", lambda *a: wants.append(a[3]) or once(*a))
    with torch.no_grad():
        losses = token_losses(model_of(BIGCODE), batch_of())
    assert wants == [(False, False)]
    assert not losses.requires_grad


@pytest.mark.parametrize("config", OTHER.values(), ids=OTHER)
def test_families_that_change_their_logits_are_given_the_plain_path(config):
    model, batch = model_of(config), batch_of()
    assert plain_head(model) is None
    assert largest(token_losses(model, batch) - by_hand(model, batch)) < 1e-5


def test_what_would_be_wrong_for_families_that_change_their_logits(monkeypatch):
    """The list guards against something: with their names in it, losses are wrong."""
    monkeypatch.setattr(loss_head, "PLAIN_HEADS", PLAIN_HEADS | set(OTHER))
    batch = batch_of()
    for config in OTHER.values():
        model = model_of(config)
        assert largest(token_losses(model, batch) - by_hand(model, batch)) > 1e-2


def test_every_family_of_the_list_is_proven_here():
    assert {config.model_type for config in PLAIN.values()} == PLAIN_HEADS


def test_a_head_with_an_adapter_of_its_own_takes_the_plain_path():
    lora = Lora(method="lora", rank=4, targets=("lm_head",))
    model = add_lora(model_of(LlamaConfig(**SIZES)), lora, seed=0)
    assert plain_head(model) is None
    found = gradients(model, token_losses(model, batch_of()), UPSTREAM["a sum"])
    assert float(found["base_model.model.lm_head.lora_B.default.weight"].abs().max()) > 0


def test_the_head_gives_logits_again_afterwards_even_after_an_error():
    model, batch = model_of(BIGCODE), batch_of()
    before = model(batch["input_ids"]).logits
    token_losses(model, batch)
    assert torch.equal(model(batch["input_ids"]).logits, before)
    with pytest.raises(IndexError):
        token_losses(model, {**batch, "input_ids": batch["input_ids"] + V})
    assert "forward" not in vars(model.lm_head)
    assert torch.equal(model(batch["input_ids"]).logits, before)
