"""Activation bytes against the tensors that autograd really saves, through training's own call."""

from fnmatch import fnmatchcase

import pytest
from plan_models import packed_blocks, saved_bytes, small_gpt_bigcode, small_starcoder2

from finetune.models.adapters import add_lora
from finetune.planning import Request, architecture_of
from finetune.planning.activations import kept_bytes
from finetune.planning.memory import copied_bytes
from finetune.recipe.schema import Full, Lora

TOLERANCE = 0.03
FULL = Full(method="full")
LORA = Lora(method="lora", rank=4)
SHAPES = [
    # layers, width, heads, length, blocks
    (3, 64, 4, 96, 2),
    (2, 128, 2, 64, 1),
    (5, 96, 3, 160, 3),
]


def request(model, tune, *, length, engine="single", precision="fp32", **more):
    return Request(
        architecture=architecture_of(model.config.to_dict()),
        tune=tune,
        engine=engine,
        processes=1,
        memory=2**34,
        device="cpu",
        precision=precision,
        length=length,
        blocks=8,
        **more,
    )


def compare(model, asked, blocks, *, checkpointing=False, autocast=False, documents=3):
    """Share by which the prediction differs from what is saved: of the body, and of the loss."""
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    batch = packed_blocks(blocks, asked.length, documents=documents)
    body, head = saved_bytes(model, batch, autocast=autocast)
    tokens = blocks * asked.length
    predicted = kept_bytes(asked.shape, tokens, checkpointing=checkpointing)
    if not checkpointing:
        predicted += copied_bytes(asked, asked.architecture.layers)
    assert body > 10_000, "else the comparison says nothing"
    return predicted / body - 1, asked.head.kept(tokens) / head - 1


def close(differences):
    return all(abs(one) < TOLERANCE for one in differences)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_full_tuning_in_fp32(shape, checkpointing):
    layers, width, heads, length, blocks = shape
    model = small_gpt_bigcode(layers, width, heads)
    asked = request(model, FULL, length=length)
    assert close(compare(model, asked, blocks, checkpointing=checkpointing))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_full_tuning_with_weights_in_bf16(shape, checkpointing):
    """As DeepSpeed holds them."""
    layers, width, heads, length, blocks = shape
    model = small_gpt_bigcode(layers, width, heads).bfloat16()
    asked = request(model, FULL, length=length, engine="zero2", precision="bf16")
    assert close(compare(model, asked, blocks, checkpointing=checkpointing))


@pytest.mark.parametrize("shape", SHAPES)
def test_full_tuning_under_autocast_keeps_copies_of_the_matrices_too(shape):
    layers, width, heads, length, blocks = shape
    model = small_gpt_bigcode(layers, width, heads)
    asked = request(model, FULL, length=length, precision="bf16")
    assert close(compare(model, asked, blocks, autocast=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_adapters_in_fp32(shape, checkpointing):
    layers, width, heads, length, blocks = shape
    model = small_gpt_bigcode(layers, width, heads)
    asked = request(model, LORA, length=length)
    model = add_lora(model, LORA, 0)
    assert close(compare(model, asked, blocks, checkpointing=checkpointing))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("checkpointing", [False, True])
def test_adapters_in_fp32_on_a_base_in_bf16_under_autocast(shape, checkpointing):
    layers, width, heads, length, blocks = shape
    model = small_gpt_bigcode(layers, width, heads)
    asked = request(model, LORA, length=length, precision="bf16")
    model = add_lora(model.bfloat16(), LORA, 0)
    assert close(compare(model, asked, blocks, checkpointing=checkpointing, autocast=True))


@pytest.mark.parametrize(
    "lora",
    [
        Lora(method="dora", rank=4),
        Lora(method="lora", rank=4, dropout=0.1),
        Lora(method="lora", rank=8, targets=("c_fc", "c_proj")),
    ],
    ids=["dora", "dropout", "two targets"],
)
def test_other_adapters(lora):
    model = small_gpt_bigcode()
    asked = request(model, lora, length=96)
    assert close(compare(add_lora(model, lora, 0), asked, 2))


@pytest.mark.parametrize("patterns", [("*.h.2.*",), ("*ln_*",), ("*wte*",), ("*.c_fc.*",)])
def test_parts_of_the_weights(patterns):
    model = small_gpt_bigcode()
    asked = request(model, Full(method="full", trainable=patterns), length=96)
    for name, weight in model.named_parameters():
        weight.requires_grad_(any(fnmatchcase(name, one) for one in patterns))
    assert close(compare(model, asked, 2))


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_eager_attention_keeps_every_weight_of_the_softmax(dtype):
    model = small_gpt_bigcode()
    model.config._attn_implementation = "eager"
    engine = "single" if dtype == "fp32" else "zero2"
    asked = request(model, FULL, length=96, engine=engine, precision=dtype, attention="eager")
    model = model if dtype == "fp32" else model.bfloat16()
    assert close(compare(model, asked, 2))


def test_a_block_of_one_document_keeps_no_mask():
    model = small_gpt_bigcode()
    asked = request(model, FULL, length=96, isolated=False)
    assert close(compare(model, asked, 2, documents=1))


@pytest.mark.parametrize("isolated", [True, False])
def test_starcoder2_keeps_keys_and_values_for_every_head_only_behind_a_mask(isolated):
    model = small_starcoder2()
    asked = request(model, FULL, length=96, isolated=isolated)
    assert close(compare(model, asked, 2, documents=3 if isolated else 1))


def test_starcoder2_with_checkpointing_and_with_adapters():
    model = small_starcoder2()
    assert close(compare(model, request(model, FULL, length=96), 2, checkpointing=True))
    model = small_starcoder2()
    asked = request(model, LORA, length=96)
    assert close(compare(add_lora(model, LORA, 0), asked, 2))


def test_the_published_formula_is_what_a_block_keeps(known, ask):
    """28 d + 4 head_dim + 4 heads + 8 bytes per token and layer in bf16, 2 S more where packed."""
    from finetune.planning.activations import last_block_bytes

    asked = ask(device="cpu", engine="zero2", precision="bf16", isolated=False)
    assert last_block_bytes(asked.shape) == 28 * 2048 + 4 * 128 + 4 * 16 + 8
    packed = ask(device="cpu", engine="zero2", precision="bf16", isolated=True)
    assert last_block_bytes(packed.shape) - last_block_bytes(asked.shape) == 2 * 2048
