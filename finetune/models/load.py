"""A model folder -> a model whose attention keeps documents apart."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from finetune.models.kernels import refuse_missing_kernel
from finetune.models.quantised import keep_exact, quantised_loading

DROPOUTS = (
    "attn_pdrop",
    "resid_pdrop",
    "embd_pdrop",
    "attention_dropout",
    "residual_dropout",
    "embedding_dropout",
)
"""Names that configurations give to their dropout rates."""


SHARD_SIZE = "5GB"
"""Of weights on disk; transformers' own default is ten times that, too long for one connection."""


def best_device() -> torch.device:
    """Where a single process measures: the first GPU, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_model(
    folder: Path,
    *,
    dtype: torch.dtype = torch.float32,
    dropout: float | None = None,
    attention: str | None = "sdpa",
    quantised: bool = False,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """Load safetensors weights with the kernel `attention`, or with the one that transformers
    chooses for the family. Raises UserError where it cannot run.

    Packed documents are kept apart by what the kernel is given (`forward.token_losses`).
    `dropout` replaces what the config states. `quantised`: matrices of blocks in 4 bits, made from
    their values in `dtype`.
    """
    disable_progress_bar()
    config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    if attention is not None:
        refuse_missing_kernel(attention, config)
    if dropout is not None:
        for name in DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, dropout)
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        config=config,
        dtype=dtype,
        attn_implementation=attention,
        use_safetensors=True,
        trust_remote_code=trust_remote_code,
        **(quantised_loading(dtype) if quantised else {}),
    )
    if quantised:
        keep_exact(model)
    return model
