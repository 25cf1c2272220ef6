"""Adapters: LoRA and its variants attached, made plain where they changed the base, and loaded."""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from torch import Tensor
from transformers import PreTrainedModel

from finetune.families import lora_targets
from finetune.recipe.schema import Lora

PRINCIPAL = ("olora", "pissa")
"""Ways to begin that take part of each weight out of the base, and train that part."""


def add_lora(model: PreTrainedModel, lora: Lora, seed: int) -> PeftModel:
    """Freeze `model` and attach fp32 adapters; the initial weights depend on `seed` alone."""
    targets = lora_targets(lora, model.config.model_type)
    assert targets is not None, "checked before the model is loaded"
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(targets),
        use_dora=lora.method == "dora",
        use_rslora=lora.rank_stabilised,
        init_lora_weights=True if lora.initial == "zero" else lora.initial,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=_own_gpu()), _without_noise():
        torch.manual_seed(seed)
        adapted: Any = get_peft_model(model, config)
    if lora.initial in PRINCIPAL:
        state = get_peft_model_state_dict(adapted)
        adapted.taken_out = {n: t.detach().to("cpu", copy=True) for n, t in state.items()}
    return adapted


def plain_adapter(model: Any, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], LoraConfig]:
    """PEFT's state of a trained adapter -> one that fits the base as it was, and its config.

    Where s B0 A0 was taken out of a weight W at the start, what was trained is
    W - s B0 A0 + s B A: the base with [B, -B0] [A; A0], an adapter of twice the rank. PEFT would
    take s B0 A0 out of the base again as it loads an adapter that is not plain, which another
    machine or another type of the weights does differently.
    """
    config = copy.deepcopy(model.peft_config["default"])
    config.inference_mode = True
    config.base_model_name_or_path = None
    if config.init_lora_weights not in PRINCIPAL:
        return state, config
    joined = {}
    for name, tensor in state.items():
        if ".lora_A." in name:
            joined[name] = torch.cat([tensor, model.taken_out[name]], dim=0)  # (2r, in)
        elif ".lora_B." in name:
            joined[name] = torch.cat([tensor, -model.taken_out[name]], dim=1)  # (out, 2r)
        else:
            joined[name] = tensor  # a DoRA magnitude is that of the whole weight
    scale = config.lora_alpha / (config.r**0.5 if config.use_rslora else config.r)
    config.r *= 2
    config.lora_alpha, config.use_rslora = scale * config.r, False
    config.init_lora_weights = True
    return joined, config


def load_adapter(model: PreTrainedModel, folder: Path) -> PeftModel:
    """`model` with the adapter of `folder` attached, for inference."""
    with _without_noise():
        adapted: Any = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    return adapted


def _own_gpu() -> list[int]:
    return [torch.cuda.current_device()] if torch.cuda.is_available() else []


@contextmanager
def _without_noise() -> Iterator[None]:
    """PEFT asks transformers under a name that transformers is about to drop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        yield
