"""A base in 4 bits: what it holds, what it computes, and how it becomes plain weights again."""

import numpy as np
import pytest
import torch

import finetune.methods as methods
from finetune.errors import UserError
from finetune.models.adapters import add_lora, load_adapter
from finetune.models.forward import collate, token_losses
from finetune.models.load import load_model
from finetune.models.loss_head import plain_head
from finetune.models.quantised import compute_in_fp32, out_of_4_bits
from finetune.models.tunable import DTYPES, tunable_model, tuning_facts
from finetune.recipe.schema import Lora, Train
from finetune.sequences import Block
from finetune.training.weights import gather_trainable, save_adapter

bitsandbytes = pytest.importorskip(
    "bitsandbytes", reason="bitsandbytes quantises; pip install 'finetune-code[qlora]'"
)
QLORA = Lora(method="qlora", rank=4, alpha=8)
IDS = torch.randint(19, 300, (4, 60), generator=torch.Generator().manual_seed(0))


def logits(model):
    with torch.inference_mode():
        return model.eval()(IDS, use_cache=False).logits.float()


def far(a, b):
    return float((a - b).abs().max())


def agreement(a, b):
    return float((a.argmax(-1) == b.argmax(-1)).float().mean())


def make(folder, precision="fp32"):
    model = tunable_model(folder, QLORA, Train(tokens=1, precision=precision))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 10)
    return model


def in_4_bits(folder, precision="fp32"):
    return load_model(folder, dtype=DTYPES[precision], quantised=True)


def dequantised(model):
    """Plain weights of the same values, made by transformers."""
    return compute_in_fp32(model).dequantize(torch.float32)


@pytest.fixture(scope="module")
def trained(small_folder, tmp_path_factory):
    """`trained(precision)`: folder of an adapter on the base in 4 bits, and its logits."""
    made = {}

    def of(precision):
        if precision not in made:
            model, folder = make(small_folder, precision), tmp_path_factory.mktemp(precision)
            save_adapter(model, gather_trainable(model, keep=True), folder)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                made[precision] = folder, logits(model)
        return made[precision]

    return of


def test_the_matrices_of_blocks_are_in_4_bits_and_nothing_else_is(small_folder):
    model = in_4_bits(small_folder, "bf16")
    for name, weight in model.named_parameters():
        is_matrix = weight.dim() == 2 and ".h." in name
        assert weight.dtype == (torch.uint8 if is_matrix else torch.bfloat16), name
    state = model.transformer.h[0].mlp.c_fc.weight.quant_state
    assert (state.quant_type, state.nested) == ("nf4", True)
    assert plain_head(model) is model.lm_head


def test_weights_in_4_bits_are_counted_whole(small_folder, small_base):
    total = sum(parameter.numel() for parameter in small_base().parameters())
    assert tuning_facts(make(small_folder))["frozen_parameters"] == total


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_saved_adapter_on_the_same_4_bits_is_what_was_trained(small_folder, trained, precision):
    folder, wanted = trained(precision)
    reloaded = load_adapter(in_4_bits(small_folder, precision), folder)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        assert far(logits(reloaded), wanted) == 0.0


@pytest.mark.filterwarnings("ignore:Merge lora module to 4-bit linear")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_only_a_merge_into_the_dequantised_base_is_what_was_trained(
    small_folder, small_base, trained, precision
):
    """Largest differences of logits, from weights that were quantised in fp32 and in bf16:
    1.7e-6 and 1.4e-6 dequantised, 0.90 and 0.86 in place, 0.97 and 0.99 into the base as it was."""
    folder, _ = trained(precision)
    wanted = logits(load_adapter(compute_in_fp32(in_4_bits(small_folder, precision)), folder))

    def merged(base):
        return logits(load_adapter(base, folder).merge_and_unload(safe_merge=True))

    right = merged(dequantised(in_4_bits(small_folder, precision)))
    assert far(right, wanted) < 1e-4
    assert agreement(right, wanted) == 1.0
    in_place = merged(in_4_bits(small_folder, precision))
    assert far(in_place, wanted) > 0.1
    original = merged(small_base())
    assert far(original, wanted) > 0.1


def test_what_was_trained_in_bf16_differs_from_its_weights_in_fp32_by_rounding(
    small_folder, small_base, trained
):
    folder, wanted = trained("bf16")
    in_fp32 = logits(load_adapter(compute_in_fp32(in_4_bits(small_folder, "bf16")), folder))
    with torch.autocast("cpu", torch.bfloat16):
        rounding = far(logits(load_model(small_folder, dtype=torch.bfloat16)), logits(small_base()))
    assert far(in_fp32, wanted) < 8 * rounding
    assert far(in_fp32, logits(small_base())) > 10 * rounding


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_matrices_out_of_4_bits_are_those_that_transformers_makes(small_folder, precision):
    wanted = dict(dequantised(in_4_bits(small_folder, precision)).named_parameters())
    made = out_of_4_bits(compute_in_fp32(in_4_bits(small_folder, precision)))
    assert len(made) == 8
    for name, (shape, values) in made.items():
        assert values().dtype == torch.float32
        assert values().shape == shape
        assert torch.equal(values(), wanted[name])


def batch():
    ids = np.random.default_rng(0).integers(19, 300, 32)
    return collate([Block(ids, ids, np.arange(32) % 20, ())])


def gradients(model):
    model.train().zero_grad()
    token_losses(model, batch()).sum().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}


def test_a_validation_changes_neither_the_weights_nor_their_gradients(small_folder):
    """bitsandbytes repacks weights at the first pass without gradients, on some CPUs."""
    model = make(small_folder)
    before, loss = gradients(model), token_losses(model, batch()).detach()
    with torch.no_grad():
        validated = token_losses(model.eval(), batch())
    assert torch.equal(validated, loss)
    after = gradients(model)
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.skipif(
    not bitsandbytes.functional.has_avx512bf16(),
    reason="without bf16 instructions bitsandbytes leaves the weights as they are",
)
def test_what_a_validation_would_change_if_bitsandbytes_were_let():
    torch.manual_seed(0)
    layer = bitsandbytes.nn.Linear4bit(128, 64, bias=False, quant_type="nf4").to("cpu")
    inputs = torch.randn(8, 128, requires_grad=True)
    before = layer(inputs)
    (gradient,) = torch.autograd.grad(before.sum(), inputs)
    assert float(gradient.abs().max()) > 0.1
    with torch.no_grad():
        layer.eval()(inputs.detach())
    after = layer.train()(inputs)
    assert far(after.detach(), before.detach()) > 1e-3
    with pytest.warns(UserWarning, match="an autograd kernel was not registered"):
        assert torch.autograd.grad(after.sum(), inputs, allow_unused=True) == (None,)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_gradients_in_4_bits_are_those_of_the_dequantised_base(small_folder, precision):
    model = make(small_folder, precision)
    plain = add_lora(dequantised(in_4_bits(small_folder, precision)), QLORA, seed=0)
    plain.load_state_dict(
        {n: p for n, p in model.named_parameters() if p.requires_grad}, strict=False
    )
    wanted = gradients(plain)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        found = gradients(model)
    tolerance = {"fp32": 1e-4, "bf16": 0.1}[precision]
    for name, gradient in wanted.items():
        assert far(found[name], gradient) <= tolerance * float(gradient.abs().max()), name


def test_without_bitsandbytes_it_is_a_mistake(small_folder, monkeypatch):
    monkeypatch.setattr(methods, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"qlora needs bitsandbytes.*finetune-code\[qlora\]"):
        make(small_folder)
