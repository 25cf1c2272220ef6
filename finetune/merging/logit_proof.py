"""The logits of two models on the same text, with one of the models in memory at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from finetune.merging.as_stored import computing_in_fp32
from finetune.merging.tensors import save_tensors
from finetune.models.forward import collate
from finetune.sequences import Block

ROWS = 256
"""Positions that are compared at a time."""


@dataclass(frozen=True, kw_only=True)
class LogitProof:
    """How far two models' logits are apart."""

    max_abs_difference: float
    argmax_agreement: float
    tokens: int


def keep_logits(model: Any, blocks: Sequence[Block], folder: Path) -> None:
    """Write the model's fp32 logits of each block into `folder`."""
    folder.mkdir()
    with computing_in_fp32(model) as device:
        for index, block in enumerate(blocks):
            logits = _logits(model, block, device).cpu()
            save_tensors({"logits": logits.detach}, {"logits": logits}, _file(folder, index))


def compare_logits(model: Any, blocks: Sequence[Block], folder: Path) -> LogitProof:
    """The model's logits beside those that `keep_logits` wrote."""
    largest, agreements, tokens = torch.tensor(0.0), 0, 0
    with computing_in_fp32(model) as device:
        for index, block in enumerate(blocks):
            after = _logits(model, block, device).cpu()  # (L, V)
            with safe_open(_file(folder, index), framework="pt") as kept:
                before = kept.get_slice("logits")
                for first in range(0, len(after), ROWS):
                    old, new = before[first : first + ROWS], after[first : first + ROWS]
                    largest = torch.maximum(largest, (old - new).abs_().max())  # keeps a NaN
                    agreements += int((old.argmax(-1) == new.argmax(-1)).sum())
            tokens += len(after)
    return LogitProof(
        max_abs_difference=float(largest), argmax_agreement=agreements / tokens, tokens=tokens
    )


@torch.inference_mode()
def _logits(model: Any, block: Block, device: torch.device) -> Tensor:
    batch = collate([block], device)
    logits: Tensor = model(
        input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
    ).logits[0]
    return logits  # (L, V)


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index}.safetensors"
