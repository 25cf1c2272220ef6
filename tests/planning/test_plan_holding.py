"""What the planner takes for granted, looked at in the model and the optimiser of training."""

import json

import pytest
import torch
from plan_models import small_gpt_bigcode

from finetune.models import loss_head
from finetune.models.tunable import tunable_model
from finetune.planning.head import LOSS_CHUNK
from finetune.planning.holding import MOMENTS, NF4_BYTES, holding_of
from finetune.planning.zero import zero_settings
from finetune.recipe.schema import Full, Lora, Train
from finetune.shipped import shipped
from finetune.training.optimizer import make_optimizer

BYTES = {torch.float32: 4, torch.bfloat16: 2, torch.float16: 2}
METHODS = {
    "full": Full(method="full"),
    "lora": Lora(method="lora", rank=4),
    "dora": Lora(method="dora", rank=4),
}


@pytest.fixture(scope="module")
def base(tiny_tokenizer, tmp_path_factory):
    """A folder with a model and a tokenizer."""
    from finetune.models.scratch import make_model
    from finetune.recipe.schema import ScratchModel

    folder = tmp_path_factory.mktemp("plan_holding")
    for file in tiny_tokenizer.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    make_model(ScratchModel(layers=2, width=32, heads=2, positions=128, licence="mit"), folder)
    return folder


@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
@pytest.mark.parametrize("method", METHODS)
def test_one_process_holds_weights_as_planned(base, method, precision):
    train = Train(tokens=1, precision=precision)
    model = tunable_model(base, METHODS[method], train)
    sizes = {True: set(), False: set()}
    for weight in model.parameters():
        sizes[weight.requires_grad].add(BYTES[weight.dtype])
    holding = holding_of(method, precision, None, "cpu")
    assert sizes[True] == {holding.trained}
    assert sizes[False] == (set() if method == "full" else {holding.frozen})


def test_the_optimiser_keeps_two_averages_in_fp32_and_is_not_fused():
    """Where it becomes fused, `Request.fused` has to be true where it is."""
    model = small_gpt_bigcode(layers=1)
    optimizer = make_optimizer(model, Train(tokens=1))
    weight = model.transformer.ln_f.weight
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    averages = [one for one in optimizer.state[weight].values() if one.shape == weight.shape]
    assert sum(one.nbytes for one in averages) == MOMENTS * weight.numel()
    assert not optimizer.defaults["fused"]


def test_the_loss_takes_as_many_tokens_at_a_time_as_planned():
    assert loss_head.CHUNK == LOSS_CHUNK


def test_four_bits_and_their_scales_are_what_bitsandbytes_keeps():
    functional = pytest.importorskip(
        "bitsandbytes.functional", reason="bitsandbytes quantises; pip install bitsandbytes"
    )
    weight = torch.randn(512, 1024)
    packed, state = functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    scales = state.absmax.nbytes + state.state2.absmax.nbytes
    assert (packed.nbytes + scales) / weight.numel() == pytest.approx(NF4_BYTES, rel=1e-3)


@pytest.mark.parametrize("engine", ["zero1", "zero2", "zero3"])
def test_the_files_of_the_engines_are_read(engine):
    file = shipped(f"deepspeed_configs/{engine}.json")
    whole = json.loads(file.read_text())
    settings = zero_settings(engine)
    assert settings.stage == whole["zero_optimization"]["stage"] == int(engine[-1])
    assert settings.reduce_bucket == whole["zero_optimization"]["reduce_bucket_size"]
    accumulation = whole.get("data_types", {}).get("grad_accum_dtype")
    assert settings.fp32_gradients == (accumulation == "fp32")


def test_one_process_and_ddp_have_no_such_file():
    assert zero_settings("single") is zero_settings("ddp") is None
