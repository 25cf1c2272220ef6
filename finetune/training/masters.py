"""Trained weights and AdamW's moments as whole fp32 tensors, however an engine holds them.

ZeRO keeps flat partitions of fp32 masters behind weights that may be lower and sharded; other
engines keep the weights themselves. Here both are the same: for each trained weight its value, its
two moments and the number of steps behind them. One weight is whole at a time.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")
Whole = dict[str, Tensor]
"""`weight`; behind the first step also `exp_avg`, `exp_avg_sq` of its shape, and `step` ()."""


def trained(model: Any) -> dict[str, Any]:
    """The parameters that train, by their names in the model without wrappers."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def read_masters(model: Any, optimizer: Any) -> Iterator[tuple[str, Whole]]:
    """Each trained weight whole, on the device where it is computed with; fp32.

    `model` is without wrappers, `optimizer` as the accelerator prepared it. Every rank must take
    every step: each weight is gathered from all of them.
    """
    adam = _adam(optimizer)
    _link_moments(optimizer.optimizer)
    for name, parameter in trained(model).items():
        yield name, _read_zero(parameter, adam) if _is_zero(parameter) else _read(parameter, adam)


def write_masters(model: Any, optimizer: Any, stored: Callable[[str], Whole]) -> None:
    """Put back what `read_masters` gave, whatever the engine and number of ranks it came from.

    `stored` gives a weight by its name; every rank must call this.
    """
    adam, zero = _adam(optimizer), optimizer.optimizer
    for name, parameter in trained(model).items():
        whole = stored(name)
        if _is_zero(parameter):
            if "step" in whole:
                _begin(zero, adam, whole["step"])
            _write_zero(parameter, whole)
        else:
            _write(parameter, whole, adam)


def _adam(optimizer: Any) -> Any:
    """What Accelerate wraps, and under ZeRO DeepSpeed's optimiser inside that."""
    while hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    return optimizer


def _is_zero(parameter: Any) -> bool:
    return hasattr(parameter, "ds_id") or hasattr(parameter, "_hp_mapping")


def _read(parameter: Any, adam: Any) -> Whole:
    whole = {"weight": parameter.detach().float()}
    state = adam.state.get(parameter)
    if state:  # none where every step so far was skipped, or the weight has had no gradient
        whole |= {key: state[key].float() for key in MOMENTS}
        whole["step"] = torch.tensor(float(state["step"]))  # ()
    return whole


def _read_zero(parameter: Any, adam: Any) -> Whole:
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

    whole = {"weight": safe_get_full_fp32_param(parameter)}
    state = next(iter(adam.state.values()), None)
    if state:
        whole |= {key: safe_get_full_optimizer_state(parameter, key) for key in MOMENTS}
        whole["step"] = torch.tensor(float(state["step"]))  # ()
    return whole


@torch.no_grad()
def _write(parameter: Any, whole: Whole, adam: Any) -> None:
    parameter.copy_(whole["weight"])
    if "step" not in whole:
        return
    state = adam.state[parameter]
    for key in MOMENTS:
        state.setdefault(key, torch.zeros_like(parameter)).copy_(whole[key])
    state["step"] = whole["step"].to(_place_of_step(parameter, adam))


def _place_of_step(parameter: Any, adam: Any) -> torch.device:
    """AdamW counts on the CPU, unless a kernel on the device does."""
    by_kernel = any(group.get("fused") or group.get("capturable") for group in adam.param_groups)
    return torch.device(parameter.device if by_kernel else "cpu")


def _begin(zero: Any, adam: Any, step: Tensor) -> None:
    """Give AdamW the state that it makes in its first step, with `step` steps behind it."""
    flats = getattr(zero, "fp32_partitioned_groups_flat", None)  # stage 3
    if flats is None:
        flats = [flat for group in adam.param_groups for flat in group["params"]]
    for flat in flats:
        state = adam.state[flat]
        for key in MOMENTS:
            state.setdefault(key, torch.zeros_like(flat))
        # A tensor each: AdamW counts up in place.
        state["step"] = step.to(_place_of_step(flat, adam), copy=True)
    _link_moments(zero)


def _link_moments(zero: Any) -> None:
    """Have ZeRO's stages 1 and 2 know each weight's moments.

    DeepSpeed links them once, after the first of AdamW's groups has stepped: those of the other
    groups are not there yet then.
    """
    if hasattr(zero, "_hp_optimizer_states_linked"):
        zero._hp_optimizer_states_linked = False
        zero._lazy_init_hp_params_optimizer_state()


@torch.no_grad()
def _write_zero(parameter: Any, whole: Whole) -> None:
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

    if hasattr(parameter, "ds_id"):
        _write_shards(parameter, whole)
        return
    parameter.copy_(whole["weight"])
    safe_set_full_fp32_param(parameter, whole["weight"])
    for key in MOMENTS if "step" in whole else ():
        safe_set_full_optimizer_state(parameter, whole[key], key)


def _write_shards(parameter: Any, whole: Whole) -> None:
    """This rank's parts under stage 3, without a word between ranks.

    The last rank's are filled up, which DeepSpeed's own way of setting whole tensors does not
    allow for.
    """
    from deepspeed.runtime.zero.partition_parameters import ZeroParamStatus
    from deepspeed.utils import safe_set_local_fp32_param, safe_set_local_optimizer_state

    rank = torch.distributed.get_rank(parameter.ds_process_group)
    size = parameter.ds_tensor.ds_numel

    def shard(tensor: Tensor) -> Tensor:
        part = tensor.flatten()[rank * size : (rank + 1) * size]
        return torch.nn.functional.pad(part, (0, size - part.numel()))  # (size,)

    parameter.ds_tensor.copy_(shard(whole["weight"]))
    if parameter.ds_status is ZeroParamStatus.AVAILABLE:  # small ones stay gathered
        parameter.copy_(whole["weight"])
    safe_set_local_fp32_param(parameter, shard(whole["weight"]))
    for key in MOMENTS if "step" in whole else ():
        safe_set_local_optimizer_state(parameter, shard(whole[key]), key)
