"""A base in 4 bits (nf4, the block sizes quantised in turn), for QLoRA; and out of them again.

https://arxiv.org/abs/2305.14314. bitsandbytes is an extra, imported here alone and inside.
"""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from finetune.errors import UserError
from finetune.methods import bitsandbytes_problem


def quantised_loading(dtype: torch.dtype) -> dict[str, Any]:
    """What `from_pretrained` is told: matrices of blocks in nf4, the rest in `dtype`.

    Embeddings, head, biases and norms stay. Raises UserError without bitsandbytes.
    """
    problem = bitsandbytes_problem()
    if problem:
        raise UserError(f"tune.method: {problem}")
    # It looks for faster kernels on the Hub as it is imported, and says that there are none.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from transformers import BitsAndBytesConfig

    device = torch.cuda.current_device() if torch.cuda.is_available() else "cpu"
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        ),
        "device_map": {"": device},
    }


def keep_exact(model: Any) -> None:
    """Have a model in 4 bits compute in evaluation what it computes in training.

    On a CPU with bf16 instructions, bitsandbytes turns the weights into another layout at the first
    pass without gradients, rounds their scales to bf16, and from then on passes no gradient through
    them: a validation would change what is trained and how.
    """
    for module in _in_4_bits(model):
        module.support_avx512bf16_for_cpu = False


def compute_in_fp32(model: Any) -> Any:
    """A model in 4 bits, its codes untouched, whose every product and other weight is fp32."""
    for module in _in_4_bits(model):
        module.compute_dtype = torch.float32
        module.weight.quant_state.dtype = torch.float32
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.float()
    return model


def out_of_4_bits(model: Any) -> dict[str, tuple[torch.Size, Callable[[], Tensor]]]:
    """Of each matrix in 4 bits, by the name of its weight: its shape, and how to make its values,
    one matrix at a time. `model` computes in fp32."""
    coded = {*_in_4_bits(model)}
    return {
        f"{name}.weight": (module.weight.quant_state.shape, partial(_values_of, module.weight))
        for name, module in model.named_modules()
        if module in coded
    }


def _values_of(weight: Any) -> Tensor:
    from bitsandbytes.functional import dequantize_4bit

    values: Tensor = dequantize_4bit(weight.data, weight.quant_state)
    return values


def _in_4_bits(model: Any) -> Iterator[Any]:
    import bitsandbytes

    kind = bitsandbytes.nn.Linear4bit
    yield from (module for module in model.modules() if isinstance(module, kind))
