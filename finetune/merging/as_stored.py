"""A model whose weights stay in its files, and are in memory, as fp32, while they compute.

Loading a model in bf16 as fp32 takes twice its weights. Here a module's weights are read, made
fp32, and put on the GPU where there is one, for the time of the module's own call alone.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor

from finetune.merging.tensors import TensorFiles
from finetune.models.load import best_device


def leave_in_files(weights: Mapping[str, Any], folder: Path) -> None:
    """Let go of the values of named parameters that the files of `folder` hold as well.

    What is left in their place is a zero of the same type that is seen as of the same shape.
    """
    files = TensorFiles(folder)
    for name, weight in weights.items():
        stored_name = files.stored_name(name)
        if stored_name is not None and isinstance(weight, torch.nn.Parameter):
            weight.read_stored = partial(files.read, stored_name)
            weight.data = torch.zeros((), dtype=weight.dtype).expand(weight.shape)


def values_of(weight: Any) -> Tensor:
    """The values of a weight, from its file where they were left there."""
    read = getattr(weight, "read_stored", None)
    values: Tensor = read().to(weight.dtype) if read else weight.detach()
    return values


@contextmanager
def in_fp32(module: Any, device: torch.device | str = "cpu") -> Iterator[None]:
    """The floating-point weights of `module` as fp32 copies on `device`; of an adapted layer with
    all that is below it.

    What the block makes of the copies is gone when it ends. Codes of 4 bits stay codes.
    """
    stored = [(p, p.data) for p in _own_weights(module) if p.is_floating_point()]
    try:
        for parameter, _ in stored:
            parameter.data = values_of(parameter).to(device, torch.float32)
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

    An adapted layer is one unit with all below it: DoRA's and the trainable tokens' read the weight
    of the layer below them without calling it.
    """
    named = dict(model.named_modules())
    adapted = tuple(f"{name}." for name, one in named.items() if isinstance(one, BaseTunerLayer))
    return [
        module
        for name, module in named.items()
        if not name.startswith(adapted) and any(True for _ in _own_weights(module))
    ]


def _own_weights(module: Any) -> Iterator[Any]:
    yield from module.parameters(recurse=isinstance(module, BaseTunerLayer))


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
