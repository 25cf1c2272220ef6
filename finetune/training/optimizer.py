"""AdamW with decay on matrices alone: biases, norms and DoRA's magnitudes have one dimension."""

from typing import Any

import torch

from finetune.errors import Failed
from finetune.recipe.schema import Train


def make_optimizer(model: Any, train: Train) -> torch.optim.Optimizer:
    """Over all trainable weights. Raises Failed where there are none."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    if not trainable:
        raise Failed("no weight of the model is trainable")
    dims = {id(p): len(getattr(p, "ds_shape", p.shape)) for p in trainable}
    groups = [
        {"params": [p for p in trainable if dims[id(p)] >= 2], "weight_decay": train.weight_decay},
        {"params": [p for p in trainable if dims[id(p)] < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=train.learning_rate,
        betas=(train.beta1, train.beta2),
        fused=torch.cuda.is_available() or None,  # one kernel for all weights, where there is one
    )
