"""The whole prediction, all parts together, against the peak of real optimiser steps on a CPU."""

import pytest
import torch
from plan_models import Peak, packed_blocks, peak_bytes, small_gpt_bigcode

from finetune.models.adapters import add_lora
from finetune.planning import Request, architecture_of, memory_of
from finetune.planning.holding import holding_of
from finetune.recipe.schema import Full, Lora, Train
from finetune.training.optimizer import make_optimizer

pytestmark = pytest.mark.slow

TOLERANCE = 0.03
LENGTH, BLOCKS = 256, 2


@pytest.mark.parametrize("tune", [Full(method="full"), Lora(method="lora", rank=8)])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(("passes", "vocabulary"), [(1, 512), (2, 8192)])
def test_the_peak_of_a_step_is_the_predicted_one(
    tune, precision, checkpointing, passes, vocabulary
):
    """Weights, gradients, states, activations, loss and what is live for a moment; the peak is in
    the blocks, or with a large vocabulary at the loss and at the embedding."""
    torch.manual_seed(0)
    model = small_gpt_bigcode(5, 192, 3, vocabulary=vocabulary)
    request = Request(
        architecture=architecture_of(model.config.to_dict()),
        tune=tune,
        engine="single",
        processes=1,
        memory=2**34,
        device="cpu",
        precision=precision,
        length=LENGTH,
        blocks=BLOCKS * passes,
    )
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if isinstance(tune, Lora):
        model = add_lora(model if precision == "fp32" else model.bfloat16(), tune, 0)
    real = peak_bytes(
        model.train(),
        make_optimizer(model, Train(tokens=1)),
        packed_blocks(BLOCKS, LENGTH, vocabulary),
        passes,
        autocast=precision == "bf16",
    )
    predicted = memory_of(
        request, micro_batch=BLOCKS, checkpointing=checkpointing, accumulates=passes > 1
    )
    assert predicted.allocated / real - 1 == pytest.approx(0, abs=TOLERANCE)


def test_the_foreach_step_of_a_gpu_takes_four_bytes_a_weight():
    """torch takes the foreach kernel on a GPU by itself; here it is asked for."""
    weight = torch.nn.Parameter(torch.zeros(1000, 1000))
    optimizer = torch.optim.AdamW([weight], foreach=True)
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    held = [weight, weight.grad, *optimizer.state[weight].values()]
    with Peak(held) as peak:
        optimizer.step()
    temporaries = peak.bytes - sum(one.nbytes for one in held)
    step = holding_of("full", "fp32", None, "cuda").step
    assert temporaries == pytest.approx(step * weight.numel(), rel=0.001)
