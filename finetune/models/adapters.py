"""Low-rank adapters: attached, counted, saved, loaded."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from finetune.families import lora_targets
from finetune.recipe.schema import Lora


def add_lora(model: PreTrainedModel, lora: Lora, seed: int) -> PeftModel:
    """Freeze `model` and attach fp32 adapters; the initial weights depend on `seed` alone."""
    targets = lora_targets(lora, model.config.model_type)
    assert targets is not None, "checked before the model is loaded"
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(targets),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=_own_gpu()), _without_noise():
        torch.manual_seed(seed)
        adapted: Any = get_peft_model(model, config)
    return adapted


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
