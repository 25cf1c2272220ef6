"""Variants of LoRA: what they start from, what is saved, and what that does on the plain base."""

import json

import pytest
import torch

from finetune.models.adapters import PRINCIPAL, load_adapter
from finetune.models.tunable import tunable_model, tuning_facts
from finetune.recipe.schema import Lora, Train
from finetune.training.weights import gather_trainable, save_adapter

VARIANTS = {
    "lora": Lora(method="lora", rank=4, alpha=8),
    "rank-stabilised": Lora(method="lora", rank=16, alpha=8, rank_stabilised=True),
    "gaussian": Lora(method="lora", rank=4, initial="gaussian"),
    "orthogonal": Lora(method="lora", rank=4, initial="orthogonal"),
    "olora": Lora(method="lora", rank=4, initial="olora"),
    "pissa": Lora(method="lora", rank=4, initial="pissa"),
    "rank-stabilised pissa": Lora(method="lora", rank=4, initial="pissa", rank_stabilised=True),
    "dora": Lora(method="dora", rank=4),
    "dora from pissa": Lora(method="dora", rank=4, initial="pissa"),
}
IDS = torch.randint(19, 300, (3, 60), generator=torch.Generator().manual_seed(0))


def logits(model):
    with torch.inference_mode():
        return model.eval()(IDS, use_cache=False).logits.float()


def far(a, b):
    return float((a - b).abs().max())


def train_a_little(model):
    """Some steps of a sort: noise on every weight that trains."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) / 50)


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def lora(request):
    return request.param


def make(folder, lora, precision="fp32"):
    return tunable_model(folder, lora, Train(tokens=1, precision=precision))


def test_before_the_first_step_the_model_is_the_base(small_folder, small_base, lora):
    assert far(logits(make(small_folder, lora)), logits(small_base())) < 1e-4


def test_what_trains_are_adapters_in_fp32_and_nothing_else(small_folder, lora):
    model = make(small_folder, lora, "bf16")
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert {p.dtype for p in trained.values()} == {torch.float32}
    assert all("lora_" in name for name in trained)
    frozen = [p for p in model.parameters() if not p.requires_grad]
    assert {p.dtype for p in frozen} == {torch.bfloat16}


def test_the_same_seed_gives_the_same_start_bit_for_bit(small_folder, lora):
    """A resumed run begins by making the same start again."""
    one, other = make(small_folder, lora), make(small_folder, lora)
    for (name, a), (_, b) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(a, b), name


def test_a_saved_adapter_does_on_the_base_what_was_trained(
    small_folder, small_base, lora, tmp_path
):
    model = make(small_folder, lora)
    train_a_little(model)
    trained = logits(model)
    save_adapter(model, gather_trainable(model, keep=True), tmp_path / "adapter")
    reloaded = load_adapter(small_base(), tmp_path / "adapter")
    assert far(logits(reloaded), trained) < 1e-4
    assert far(logits(small_base()), trained) > 0.1  # the training moved it
    merged = reloaded.merge_and_unload(safe_merge=True)
    assert far(logits(merged), trained) < 1e-4


@pytest.mark.parametrize("initial", PRINCIPAL)
def test_in_bf16_what_was_taken_out_of_the_base_is_lost_by_rounding_alone(
    small_folder, small_base, initial, tmp_path
):
    """The base without its principal part is rounded again. Measured 2.1 (pissa) and 4.1 (olora,
    which takes alpha / rank times as much) times what bf16 arithmetic loses in the base itself."""
    model = make(small_folder, Lora(method="lora", rank=4, initial=initial), "bf16")
    base = make(small_folder, VARIANTS["lora"], "bf16")
    train_a_little(model)
    with torch.autocast("cpu", torch.bfloat16):
        trained, of_base = logits(model), logits(base)
    rounding = far(of_base, logits(small_base()))
    save_adapter(model, gather_trainable(model, keep=True), tmp_path / "adapter")
    reloaded = logits(load_adapter(small_base(), tmp_path / "adapter"))
    assert 0 < far(reloaded, trained) < 8 * rounding
    assert far(reloaded, logits(small_base())) > 20 * rounding


@pytest.mark.parametrize("initial", PRINCIPAL)
def test_an_adapter_that_changed_the_base_is_saved_as_a_plain_one(small_folder, initial, tmp_path):
    """Else PEFT would change the base again as it loads it, each machine in its own way."""
    lora = Lora(method="lora", rank=4, alpha=6, initial=initial, rank_stabilised=True)
    model = make(small_folder, lora)
    save_adapter(model, gather_trainable(model, keep=True), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["init_lora_weights"] is True
    assert (config["r"], config["use_rslora"]) == (8, False)
    assert config["lora_alpha"] / config["r"] == pytest.approx(6 / 4**0.5)


def test_the_scale_is_alpha_over_the_root_of_the_rank_where_that_is_asked_for(small_folder):
    def scale(rank_stabilised):
        lora = Lora(method="lora", rank=16, alpha=8, rank_stabilised=rank_stabilised)
        layer = make(small_folder, lora).base_model.model.transformer.h[0].mlp.c_fc
        return layer.scaling["default"]

    assert (scale(False), scale(True)) == (8 / 16, 8 / 4)


def test_what_is_trained_is_counted_and_named(small_folder):
    facts = tuning_facts(make(small_folder, VARIANTS["lora"]))
    # width 32, two heads of 16 share one key and value head: c_attn is 64 wide, the MLP 128
    each = (32 + 64) + (32 + 32) + (32 + 128) + (128 + 32)
    assert facts["trainable_parameters"] == 2 * 4 * each
    assert facts["adapted_modules"] == {
        "transformer.h.*.attn.c_attn": 2,
        "transformer.h.*.attn.c_proj": 2,
        "transformer.h.*.mlp.c_fc": 2,
        "transformer.h.*.mlp.c_proj": 2,
    }
    dora = tuning_facts(make(small_folder, VARIANTS["dora"]))
    assert dora["trainable_parameters"] == 2 * (4 * each + 64 + 32 + 128 + 32)
    assert dora["frozen_parameters"] == facts["frozen_parameters"]


@pytest.mark.filterwarnings("ignore:Model with `tie_word_embeddings=True`")
@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")
def test_an_adapter_on_tied_embeddings_would_merge_to_another_model(
    small_folder, small_base, tmp_path
):
    """Why they are refused before training: nothing else says a word."""
    for target in ("wte", "lm_head"):
        model = make(small_folder, Lora(method="lora", rank=4, targets=(target,)))
        train_a_little(model)
        trained = logits(model)
        merged = model.merge_and_unload(safe_merge=True)
        merged.save_pretrained(tmp_path / target)
        from_disk = type(small_base()).from_pretrained(tmp_path / target, dtype=torch.float32)
        assert far(logits(from_disk), trained) > 0.5
