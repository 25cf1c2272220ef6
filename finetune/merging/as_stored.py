"""A model whose weights stay as stored, mapped from its files, and are fp32 while they compute.

Loading a model in bf16 as fp32 takes twice its weights. Here a module's weights are fp32, and on
the GPU where there is one, for the time of its own call alone: a copy of one module at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from finetune.models.load import best_device


@contextmanager
def in_fp32(module: Any, device: torch.device | str = "cpu") -> Iterator[None]:
    """The floating-point weights of `module` and of all below it as fp32 copies on `device`.

    What the block makes of the copies is gone when it ends. Codes of 4 bits stay codes.
    """
    stored = [(p, p.data) for p in module.parameters() if p.is_floating_point()]
    try:
        for parameter, data in stored:
            parameter.data = data.to(device, torch.float32)
        yield
    finally:
        for parameter, data in stored:
            parameter.data = data


@contextmanager
def computing_in_fp32(model: Any) -> Iterator[torch.device]:
    """Have every module of `model` compute under `in_fp32`; the device on which it does."""
    device = best_device()
    model.eval()
    for module in model.modules():
        for name, buffer in module._buffers.items():
            module._buffers[name] = buffer if buffer is None else buffer.to(device)
    handles = [handle for module in _units(model) for handle in _hooked(module, device)]
    try:
        yield device
    finally:
        for handle in handles:
            handle.remove()


def _units(model: Any) -> list[Any]:
    """Modules that use weights in their own call.

    An adapted layer is one unit: DoRA's and the trainable tokens' read the weight of the layer
    below them without calling it.
    """
    return [
        module
        for module in model.modules()
        if isinstance(module, BaseTunerLayer) or any(True for _ in module.parameters(recurse=False))
    ]


def _hooked(module: Any, device: torch.device) -> list[Any]:
    open_blocks: list[Any] = []

    def before(*_: Any) -> None:
        block = in_fp32(module, device)
        block.__enter__()
        open_blocks.append(block)

    def after(*_: Any) -> None:
        open_blocks.pop().__exit__(None, None, None)

    return [
        module.register_forward_pre_hook(before),
        module.register_forward_hook(after, always_call=True),
    ]
