"""What training made, as safetensors that reload equal: gathered from all ranks, then proven."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from finetune.errors import Failed
from finetune.models.adapters import plain_adapter
from finetune.models.load import SHARD_SIZE


def gather_trainable(model: Any, *, keep: bool, frozen: bool = False) -> dict[str, Tensor]:
    """Copies on CPU of all trainable weights (of `frozen` ones too), one gathered at a time.

    Every rank must call it; only ranks that `keep` hold copies. Names are those of the unwrapped
    model; tied weights appear once.
    """
    return {
        name: parameter.detach().to("cpu", copy=True)
        for name, parameter in each_whole(model, frozen=frozen)
        if keep
    }


def each_whole(model: Any, *, frozen: bool = False) -> Iterator[tuple[str, Any]]:
    """Names and trainable weights (`frozen` ones too), each gathered for its turn alone.

    Every rank must take every turn.
    """
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad and not frozen:
            continue
        with gathered(parameter):
            yield name, parameter


def gathered(*parameters: Any) -> Any:
    """ZeRO-3 leaves an empty tensor on each rank: gather them for the time of the block."""
    shared = [parameter for parameter in parameters if hasattr(parameter, "ds_id")]
    if not shared:
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(shared)


def save_adapter(model: Any, weights: dict[str, Tensor], folder: Path) -> None:
    """Write PEFT's own folder format, and refuse an adapter that does not reload equal."""
    from peft import get_peft_model_state_dict

    state, config = plain_adapter(model, get_peft_model_state_dict(model, state_dict=weights))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "adapter_model.safetensors"
    save_file({n: t.contiguous() for n, t in state.items()}, file, metadata={"format": "pt"})
    config.save_pretrained(str(folder))
    _prove_reload(state, load_file(file), folder)


def save_model(model: Any, weights: dict[str, Tensor], folder: Path) -> None:
    """Write a Hugging Face model folder, and refuse weights that do not reload equal."""
    model.save_pretrained(folder, state_dict=weights, max_shard_size=SHARD_SIZE)
    reloaded: dict[str, Tensor] = {}
    for shard in sorted(folder.glob("*.safetensors")):
        reloaded |= load_file(shard)
    _prove_reload(weights, reloaded, folder)


def _prove_reload(wanted: dict[str, Tensor], found: dict[str, Tensor], folder: Path) -> None:
    """ZeRO-3 has written empty adapters before; what is on disk is compared with what was meant."""
    if not wanted:
        raise Failed(f"{folder}: nothing was trained: no weight requires a gradient")
    for name, tensor in wanted.items():
        if tensor.numel() == 0:
            raise Failed(f"{folder}: {name} is empty; its shards were not gathered")
        if name not in found:
            raise Failed(f"{folder}: {name} was not written")
        if not torch.equal(tensor, found[name]):
            raise Failed(f"{folder}: {name} does not reload equal")
        if not torch.isfinite(tensor).all():
            raise Failed(f"{folder}: {name} holds values that are not finite")
