"""The merge written down: from the files of base and adapter, without PEFT, one tensor at a time.

LoRA: W + s B A with s = alpha / r, or alpha / sqrt(r) where rank-stabilised (arXiv 2106.09685,
2312.03732). DoRA: each row of that, brought to the length that was trained (arXiv 2402.09353).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finetune.merging.tensors import TensorFiles
from finetune.run_folder import read_json

PREFIX = "base_model.model."
_SUFFIX = re.compile(
    r"\.(lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector|base_layer"
    r"|token_adapter\.trainable_tokens_delta)(\.weight|\.bias)?$"
)
TOKENS = "token_adapter.trainable_tokens_delta"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a tensor of the merge should be, and by how much rounding in fp32 may move it."""

    values: Tensor  # as float64 where an adapter changed them
    slack: float


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """An adapter's files: its parts by the weight that they change, and its settings."""

    parts: Mapping[str, Mapping[str, Tensor]]
    config: Mapping[str, Any]


def read_adapter(folder: Path) -> Adapter:
    """The adapter of `folder`."""
    files = TensorFiles(folder)
    parts: dict[str, dict[str, Tensor]] = {}
    for key in files.index:
        name, found = key.removeprefix(PREFIX), _SUFFIX.search(key)
        if found is None:  # a module that was trained whole
            parts.setdefault(name, {})["whole"] = files.read(key)
        else:
            changed = name.removesuffix(found[0]) + (".bias" if found[2] == ".bias" else ".weight")
            parts.setdefault(changed, {})[found[1]] = files.read(key)
    return Adapter(parts=parts, config=read_json(folder / "adapter_config.json"))


def expected(name: str, base: Tensor, adapter: Adapter) -> Expected:
    """What the merge makes of the weight `base` called `name`."""
    parts = adapter.parts.get(name)
    if parts is None:
        return Expected(values=base, slack=0.0)
    if "whole" in parts:
        return Expected(values=parts["whole"], slack=0.0)
    base = parts.get("base_layer", base)  # PEFT's copy of an embedding that has an adapter
    if TOKENS in parts:
        values = base.clone()
        values[trained_tokens(name, adapter.config)] = parts[TOKENS].to(base.dtype)  # (t, d)
        return Expected(values=values, slack=0.0)
    if name.endswith(".bias"):
        return _bias(name, base.double(), adapter)
    return _low_rank(name, base.double(), parts, adapter.config)


def _bias(name: str, base: Tensor, adapter: Adapter) -> Expected:
    """b + s c, where c is the bias of the second matrix of the layer's update."""
    of_weight = name.removesuffix("bias") + "weight"
    rank = adapter.parts[of_weight]["lora_A"].shape[0]
    scale = scaling(of_weight, rank, adapter.config)
    update = scale * adapter.parts[name]["lora_B"].double()  # (out,)
    return Expected(values=base + update, slack=_slack(base.abs() + update.abs()))


def _low_rank(
    name: str, base: Tensor, parts: Mapping[str, Tensor], config: Mapping[str, Any]
) -> Expected:
    if "lora_embedding_A" in parts:
        a, b = parts["lora_embedding_A"].double(), parts["lora_embedding_B"].double()
        turned = True  # an embedding is (V, d), its adapter B A is (d, V)
    else:
        a, b = parts["lora_A"].double(), parts["lora_B"].double()  # (r, in), (out, r)
        turned = bool(config.get("fan_in_fan_out"))
    scale = scaling(name, a.shape[0], config)
    update, size = scale * (b @ a), abs(scale) * (b.abs() @ a.abs())
    values = base + (update.T if turned else update)
    size = base.abs() + (size.T if turned else size)
    if "lora_magnitude_vector" in parts:
        rows = values.T if turned else values  # (out, in)
        factor = parts["lora_magnitude_vector"].double() / torch.linalg.norm(rows, dim=1)  # (out,)
        factor = factor[None, :] if turned else factor[:, None]
        values, size = values * factor, size * factor.abs()
    return Expected(values=values, slack=_slack(size))


def _slack(size: Tensor) -> float:
    """What rounding in fp32 may add up to where terms of `size` are added."""
    slack: float = 8 * torch.finfo(torch.float32).eps * float(size.max())
    return slack


def scaling(name: str, rank: int, config: Mapping[str, Any]) -> float:
    """What an update of `rank` is multiplied by."""
    module, alpha = name.removesuffix(".weight"), config["lora_alpha"]
    for pattern, own in (config.get("alpha_pattern") or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", module):  # PEFT takes the first that fits
            alpha = own
            break
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def trained_tokens(name: str, config: Mapping[str, Any]) -> list[int]:
    """Rows of the embedding `name` that were trained."""
    indices = config["trainable_token_indices"]
    if isinstance(indices, list):
        return indices
    module = name.removesuffix(".weight")
    found: list[int] = next(rows for key, rows in indices.items() if module.endswith(key))
    return found
