"""A base as a recipe's method trains it: what is frozen, what is added, in which types."""

import re
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from finetune.errors import UserError
from finetune.methods import added_tokens_problem, trainable_problem
from finetune.models.adapters import add_lora
from finetune.models.load import load_model
from finetune.recipe.schema import Full, Lora, Train
from finetune.tokenizer import CodeTokenizer

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
"""Of frozen weights, by `train.precision`. Weights that train are in fp32 whatever it is: AdamW's
steps would be lost in the rounding of 16 bits. The engines lower them for arithmetic."""


def tunable_model(
    folder: Path, tune: Lora | Full, train: Train, *, trust_remote_code: bool = False
) -> Any:
    """The base of `folder` in training mode, ready for an optimiser.

    Raises UserError where the recipe does not fit the base.
    """
    model = load_model(
        folder,
        dtype=DTYPES[train.precision] if isinstance(tune, Lora) else torch.float32,
        dropout=train.dropout,
        attention=train.attention,
        quantised=tune.method == "qlora",
        trust_remote_code=trust_remote_code,
    )
    _refuse_added_tokens(model, folder)
    tuned: Any = model
    if isinstance(tune, Lora):
        tuned = add_lora(model, tune, train.seed)
    elif tune.trainable is not None:
        train_only(model, tune.trainable)
    if train.activation_checkpointing:
        # Reentrant checkpoints need inputs that require a gradient, which a frozen embedding has
        # not; these keep dropout's state as well.
        enable = "activation_checkpointing_enable"  # the name that transformers 6 will have alone
        enable = enable if hasattr(model, enable) else "gradient_checkpointing_enable"
        getattr(model, enable)({"use_reentrant": False})
    return tuned.train()


def train_only(model: PreTrainedModel, patterns: tuple[str, ...]) -> None:
    """Freeze every weight whose name matches none of `patterns`.

    Raises UserError where a pattern matches nothing.
    """
    weights: Any = dict(model.named_parameters())
    problem = trainable_problem(patterns, list(weights))
    if problem:
        raise UserError(f"tune.trainable: {problem}")
    for name, weight in weights.items():
        weight.requires_grad_(any(fnmatchcase(name, pattern) for pattern in patterns))


def _refuse_added_tokens(model: PreTrainedModel, folder: Path) -> None:
    embedding: Any = model.get_input_embeddings()
    rows = getattr(embedding.weight, "ds_shape", embedding.weight.shape)[0]
    problem = added_tokens_problem(CodeTokenizer(folder).size, rows)
    if problem:
        raise UserError(f"base: {folder.name}: {problem}")


def tuning_facts(model: Any) -> dict[str, Any]:
    """What is trained: numbers of weights, and what has an adapter, layers counted together."""
    counts = {True: 0, False: 0}
    for parameter in model.parameters():
        counts[parameter.requires_grad] += num_weights(parameter)
    adapted = Counter(
        re.sub(r"\.\d+\.", ".*.", name.removeprefix("base_model.model."))
        for name, module in model.named_modules()
        if len(getattr(module, "lora_A", ()))
    )
    facts: dict[str, Any] = {
        "trainable_parameters": counts[True],
        "frozen_parameters": counts[False],
    }
    return facts | ({"adapted_modules": dict(adapted)} if adapted else {})


def num_weights(parameter: Any) -> int:
    """Of a whole tensor, also where ZeRO-3 keeps a part of it here or 4 bits hold each weight."""
    state = getattr(parameter, "quant_state", None)
    if state is not None:
        return int(state.shape.numel())
    return int(getattr(parameter, "ds_numel", parameter.numel()))
