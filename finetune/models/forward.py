"""The one call through which every loss of this toolkit goes: training, validation, evaluation."""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finetune.models.kernels import document_bounds, kernel_inputs
from finetune.models.loss_head import losses_for_logits
from finetune.sequences import Block
from finetune.sequences.segment import IGNORED


class Batch(TypedDict):
    """Blocks as tensors. There is no attention mask on purpose: one would undo the isolation."""

    input_ids: Tensor  # (B, L)
    labels: Tensor  # (B, L)
    position_ids: Tensor  # (B, L)
    bounds: Tensor  # (D + 1,): where each of D documents begins, rows laid end to end
    longest: int
    labelled: Tensor  # (N,): places, rows laid end to end, whose next token has a label


def collate(blocks: Sequence[Block], device: torch.device | str = "cpu") -> Batch:
    """Blocks -> tensors, and the bounds of their documents."""

    def stacked(name: str) -> NDArray[np.int64]:
        return np.stack([getattr(block, name) for block in blocks])  # (B, L)

    positions, labels = stacked("position_ids"), stacked("labels")
    bounds, longest = document_bounds(positions)  # here, where no GPU has to be waited for
    rows, columns = (labels[:, 1:] != IGNORED).nonzero()
    labelled = rows * labels.shape[1] + columns
    return {
        "input_ids": torch.from_numpy(stacked("input_ids")).to(device),
        "labels": torch.from_numpy(labels).to(device),
        "position_ids": torch.from_numpy(positions).to(device),
        "bounds": torch.from_numpy(bounds).to(device),
        "longest": longest,
        "labelled": torch.from_numpy(labelled).to(device),
    }


def token_losses(model: Any, batch: Batch) -> Tensor:
    """Cross-entropy in nats of each token given those before it in its document; 0 where ignored.

    With the default `use_cache`, or any attention mask, transformers lets packed documents see
    each other without a word; so neither is ever passed. What a kernel needs beside is.
    """
    with losses_for_logits(model, batch["labels"], batch["labelled"]) as are_losses:
        output: Tensor = model(
            input_ids=batch["input_ids"],
            position_ids=batch["position_ids"],
            use_cache=False,
            **kernel_inputs(model, batch["bounds"], batch["longest"]),
        ).logits
    return output if are_losses else _plain_losses(output, batch["labels"])  # (B, L - 1)


def _plain_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """(B, L, V) and (B, L) -> (B, L - 1)."""
    predicted = logits[:, :-1].flatten(0, 1).float()  # (B * (L - 1), V)
    wanted = labels[:, 1:].flatten()  # (B * (L - 1),)
    losses = torch.nn.functional.cross_entropy(
        predicted, wanted, ignore_index=IGNORED, reduction="none"
    )
    return losses.view(labels.shape[0], -1)  # (B, L - 1)


def num_labels(block: Block) -> int:
    """How many tokens of a block have a loss; the first position never has one."""
    return int((block.labels[1:] != IGNORED).sum())
