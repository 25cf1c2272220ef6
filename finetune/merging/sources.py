"""What training made -> how to make each plain weight of the merge, one at a time."""

from collections.abc import Callable
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import ModulesToSaveWrapper
from torch import Tensor

from finetune.errors import Refused
from finetune.merging.as_stored import in_fp32, values_of
from finetune.merging.tensors import Sources
from finetune.models.quantised import out_of_4_bits


def plain_weights(model: Any) -> dict[str, Any]:
    """Names and weights as a file holds them: tied ones once, buffers that are stored included.

    To be taken before an adapter is attached, which gives its layers other names.
    """
    parameters = dict(model.named_parameters())
    state = model.state_dict()
    shared = {tensor.data_ptr() for tensor in parameters.values()}
    buffers = {n: t for n, t in state.items() if t.data_ptr() not in shared}
    return parameters | buffers


def changed_weights(weights: dict[str, Any], adapted: Any) -> Sources:
    """For those of the plain `weights` that something is attached to, how to make them with it.

    PEFT merges, in fp32; the weights in the model stay as they are.
    """
    names = {id(weight): name for name, weight in weights.items()}
    changed = {}
    for module in adapted.modules():
        if isinstance(module, ModulesToSaveWrapper):
            trained = module.modules_to_save[module.active_adapters[0]].parameters()
            pairs = zip(module.original_module.parameters(), trained, strict=True)
            changed.update({names[id(base)]: _as_is(new) for base, new in pairs})
        elif isinstance(module, BaseTunerLayer):
            for key, parameter in module.get_base_layer().named_parameters():
                if id(parameter) in names and _changes(module, key):
                    changed[names[id(parameter)]] = _merging(module, key)
    return changed


def unchanged_weights(weights: dict[str, Any]) -> Sources:
    """The plain `weights` as they are."""
    return {name: _as_is(weight) for name, weight in weights.items()}


def plain_values(model: Any) -> tuple[Sources, dict[str, Tensor]]:
    """Of a model in 4 bits: how to make each plain weight, and stand-ins of their shapes."""
    coded = out_of_4_bits(model)
    weights = {
        name: weight
        for name, weight in plain_weights(model).items()
        if not name.startswith(tuple(f"{one}." for one in coded))  # scales and tables of the codes
    }
    sources = {**unchanged_weights(weights), **{name: make for name, (_, make) in coded.items()}}
    shapes = {name: torch.empty(shape, device="meta") for name, (shape, _) in coded.items()}
    return sources, {**weights, **shapes}


def _as_is(weight: Any) -> Callable[[], Tensor]:
    return lambda: values_of(weight)


def _changes(layer: Any, key: str) -> bool:
    return key == "weight" or (key == "bias" and any(getattr(layer, "lora_bias", {}).values()))


def _merging(layer: Any, key: str) -> Callable[[], Tensor]:
    """How to make the weight `key` of an adapted layer."""

    def merged() -> Tensor:
        with in_fp32(layer):
            try:
                layer.merge(safe_merge=True)
            except ValueError as error:  # PEFT has found a value that is not finite
                raise Refused(f"merge: {error}") from error
            weight: Tensor = dict(layer.get_base_layer().named_parameters())[key].data
        layer.merged_adapters.clear()  # the block has taken the merge back
        return weight

    return merged
