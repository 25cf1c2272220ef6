"""Memory by part: an example worked out by hand, the published table, and what engines share."""

from dataclasses import replace

import pytest

from finetune.planning import Request, architecture_of, memory_of
from finetune.planning.memory import CONTEXT, NCCL
from finetune.planning.zero import ZeroSettings
from finetune.recipe.schema import Full, Lora

TINY = {
    "model_type": "gpt_bigcode",
    "n_layer": 1,
    "n_embd": 8,
    "n_head": 2,
    "n_positions": 4,
    "vocab_size": 16,
}
PUBLISHED_RANK = 16


def peak(request, micro_batch=1, *, checkpointing=True, accumulates=False):
    return memory_of(
        request, micro_batch=micro_batch, checkpointing=checkpointing, accumulates=accumulates
    )


def test_a_model_of_976_weights_worked_out_by_hand():
    """Width 8, 2 heads of 4, one block of weights, 2 blocks of 4 tokens, fp32 on a CPU.

    Weights: 16 x 8 + 4 x 8 embeddings; the block 8 x 16 + 16, 64 + 8, 8 x 32 + 32, 32 x 8 + 8 and
    32 of norms, 800; 16 of the last norm: 976. The block keeps per token 2 x (32 + 8) for norms, 32
    + 32 for their outputs, 64 for query, key and value, 32 + 8 for the attention, 16 of mask and
    256 for the activation: 520 bytes. When the activation goes backwards, the gradients of the
    block's last matrix are there, of the other 544 weights not yet: 432 in all; 8 x 520 bytes are
    kept, 8 x (32 + 8) x 4 at work, two masks of 4 x 4 booleans, and the gradient of the hidden
    states, 8 x 8 x 4.
    """
    request = Request(
        architecture=architecture_of(TINY),
        tune=Full(method="full"),
        engine="single",
        processes=1,
        memory=2**30,
        device="cpu",
        precision="fp32",
        length=4,
        blocks=2,
    )
    memory = peak(request, 2, checkpointing=False)
    assert memory.moment == "backward"
    assert (memory.weights, memory.gradients) == (976 * 4, 432 * 4)
    assert memory.moments == 976 * 8
    assert memory.activations == 8 * 520 + 1280 + 32
    assert memory.loss == 256
    assert memory.buffers == 4 * 4
    assert memory.context == CONTEXT
    assert memory.masters == memory.copies == memory.communication == memory.step == 0
    assert memory.total - CONTEXT == 3904 + 1728 + 7808 + 5472 + 256 + 16


PUBLISHED = {
    # base: GB at 2048 and 8192 tokens: full, ZeRO-2, ZeRO-3, with offloaded states, LoRA, QLoRA
    "starcoderbase-1b": ((19, 21), (6, 7), (4, 6), (2, 3), (3.3, 4.7), (1.8, 3.2)),
    "starcoderbase-3b": ((50, 52), (14, 16), (10, 12), (3, 5), (7.6, 10), (3.4, 5.7)),
    "starcoderbase-7b": ((119, 123), (31, 34), (22, 25), (5, 9), (17, 21), (6.5, 10)),
    "starcoderbase": ((251, 256), (62, 67), (40, 45), (9, 14), (34, 40), (12, 17)),
}
BUCKETS = {"overlaps": True, "reduce_bucket": 500_000_000}
COLUMNS = {
    "full": {},
    "zero2": {"processes": 8, "settings": ZeroSettings(stage=2, **BUCKETS)},
    "zero3": {"processes": 8, "settings": ZeroSettings(stage=3, **BUCKETS)},
    "offload": {
        "processes": 8,
        "settings": ZeroSettings(stage=3, offloads_states=True, **BUCKETS),
    },
    "lora": {"tune": Lora(method="lora", rank=PUBLISHED_RANK)},
    "qlora": {"tune": Lora(method="qlora", rank=PUBLISHED_RANK)},
}
ALLOWED = {
    # GB, share
    "full": (1.0, 0.1),
    "zero2": (1.2, 0.13),
    "zero3": (1.0, 0.15),
    "offload": (1.1, 0.27),
    "lora": (0.55, 0.0),
    "qlora": (0.55, 0.0),
}
# The table is in whole GB, and was not measured either. It adds up what is never there at one time:
# kept activations, all gradients, and the fp32 gradients of the optimiser's step. So it is above us
# for long blocks (251 against 256 GB, 41 against 45). It leaves out what ZeRO-2 needs to step, a
# copy of its share's gradients and the same in fp32 (70 GB against 62), and what a trained head
# costs: the embedding's gradient in fp32 and a chunk's logits, about 1 GB.


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("column", COLUMNS)
def test_the_published_table_is_reproduced(name, column, ask):
    """Micro-batch 1, full checkpointing, a loss in chunks, AdamW without temporaries.

    Within what is allowed for the reasons above.
    """
    engine = "zero3" if "settings" in COLUMNS[column] else "single"
    for length, published in zip(
        (2048, 8192), PUBLISHED[name][list(COLUMNS).index(column)], strict=True
    ):
        request = ask(name, engine=engine, length=length, fused=True, **COLUMNS[column])
        got = peak(request).allocated / 1e9
        least, share = ALLOWED[column]
        assert abs(got - published) <= max(least, share * published), (length, got)


def test_training_in_one_process_takes_more_than_the_table_says(ask):
    """AdamW's square roots take 4 bytes a weight in its step, and autocast's copies of matrices 2
    at the loss: 20 bytes a weight, not 16."""
    request = ask("starcoderbase", length=2048)
    step = peak(request)
    assert step.moment == "step"
    parameters = request.tuning.base
    assert step.allocated == pytest.approx(20 * parameters + 8192**2, rel=1e-9)
    loss = peak(replace(request, fused=True), accumulates=True)
    assert (loss.moment, loss.copies) == ("loss", 2 * request.architecture.matrix_parameters)


def test_each_zero_stage_shares_one_thing_more(ask):
    def parts(engine):
        request = ask(engine=engine, processes=8, precision="bf16")
        memory = peak(request, accumulates=True)
        return memory.weights, memory.gradients, memory.moments

    alone, first, second, third = map(parts, ("single", "zero1", "zero2", "zero3"))
    assert first[2] == pytest.approx(alone[2] / 8, rel=1e-6)
    assert second[1] == pytest.approx(first[1] / 8, rel=1e-6)
    assert third[0] == pytest.approx(second[0] / 8, rel=1e-6)
    assert (second[2], third[1], third[2]) == (first[2], second[1], first[2])


def test_ddp_copies_all_gradients_into_buckets(ask):
    request = ask(engine="ddp", processes=2)
    memory = peak(request)
    assert memory.communication == 4 * request.tuning.base
    assert memory.context == CONTEXT + NCCL


def test_passes_that_add_up_hold_gradients_at_the_loss(ask):
    request = ask("starcoderbase-7b", fused=True)
    once, often = peak(request), peak(request, accumulates=True)
    assert often.total > once.total
    assert often.gradients == 4 * request.tuning.base


def test_checkpointing_keeps_a_fraction_of_the_activations(ask):
    request = ask(tune=Lora(method="lora"), length=8192)
    kept = peak(request).activations
    whole = peak(request, checkpointing=False).activations
    assert kept < whole / 5


def test_a_chunked_loss_does_not_grow_with_logits(ask):
    """With all logits the 1B's loss takes 14 x 49152 bytes a token and more; in chunks 1024 do."""
    chunked, whole = ask(length=8192), ask(length=8192, loss_chunk=None)
    logits = 14 * 49152 * 8192
    assert whole.head.kept(8192) + whole.head.working(8192) >= logits
    assert chunked.head.kept(8192) + chunked.head.working(8192) < logits / 3


def test_flash_attention_keeps_no_mask(ask):
    def of(kernel):
        request = ask(attention=kernel, length=8192, tune=Lora(method="lora"))
        return peak(request, checkpointing=False).activations

    layers, mask = 24, 8192 * 8192
    assert of("sdpa") - of("flash_attention_2") == layers * 2 * mask + mask
