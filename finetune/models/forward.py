"""The one call through which every loss of this toolkit goes: training, validation, evaluation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from finetune.sequences import Block
from finetune.sequences.segment import IGNORED

Batch = dict[str, Tensor]


def collate(blocks: Sequence[Block], device: torch.device | str = "cpu") -> Batch:
    """Blocks -> tensors. There is no attention mask on purpose: one would undo the isolation."""

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(block, name) for block in blocks])).to(device)

    return {name: stacked(name) for name in ("input_ids", "labels", "position_ids")}  # (B, L)


def token_losses(model: Any, batch: Batch) -> Tensor:
    """Cross-entropy in nats of each token given those before it in its document; 0 where ignored.

    With the default `use_cache`, or any attention mask, transformers lets packed documents see
    each other without a word; so neither is ever passed.
    """
    logits = model(
        input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False
    ).logits  # (B, L, V)
    predicted = logits[:, :-1].flatten(0, 1).float()  # (B * (L - 1), V)
    wanted = batch["labels"][:, 1:].flatten()  # (B * (L - 1),)
    losses = torch.nn.functional.cross_entropy(
        predicted, wanted, ignore_index=IGNORED, reduction="none"
    )
    return losses.view(batch["labels"].shape[0], -1)  # (B, L - 1)


def num_labels(block: Block) -> int:
    """How many tokens of a block have a loss; the first position never has one."""
    return int((block.labels[1:] != IGNORED).sum())
