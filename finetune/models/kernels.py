"""What each attention kernel needs so that packed documents do not see each other.

sdpa and eager are masked by transformers, which finds documents by positions that restart, as long
as neither a mask nor a cache is passed. Flash attention has no such mask, and in GPT-BigCode the
positions never reach it: it must be told where documents begin, or it leaks without a word.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, PretrainedConfig, PreTrainedModel
from transformers.utils import is_flash_attn_2_available, is_flash_attn_3_available

from finetune.errors import UserError

MASKED = ("sdpa", "eager", "flex_attention")
"""Kernels that positions are enough for; of flex_attention no test here proves it."""

FLASH = {
    "flash_attention_2": ("flash-attn", is_flash_attn_2_available),
    "flash_attention_3": ("flash-attn-3", is_flash_attn_3_available),
}
"""Kernels that are told bounds: the package of each, and whether it is here and has a GPU."""


def document_bounds(position_ids: NDArray[np.int64]) -> tuple[NDArray[np.int32], int]:
    """Where documents begin in the rows laid end to end, and where the last ends; the longest.

    A document begins wherever the position is 0: once per row where documents are not isolated.
    """
    assert not position_ids[:, 0].any(), "a row that begins inside a document would see another's"
    starts = np.flatnonzero(position_ids == 0)  # (N,)
    bounds = np.append(starts, position_ids.size).astype(np.int32)  # (N + 1,)
    return bounds, int(np.diff(bounds).max())


def kernel_inputs(model: Any, bounds: Tensor, longest: int) -> dict[str, Any]:
    """What the kernel of `model` is given beside ids and positions.

    transformers lays the rows of a batch end to end itself where all four names are present; with
    one of them missing it ignores the others.
    """
    kernel = kernel_of(model)
    if kernel is None or kernel in MASKED:
        return {}
    assert kernel in FLASH, f"nobody has said how {kernel} keeps documents apart"
    return {
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def kernel_of(model: Any) -> str | None:
    """Name of the attention kernel, whatever wraps the model; None for what transformers ignores.

    The outermost transformers model is looked for, and not an attribute `config`: DeepSpeed's
    engine has one of its own.
    """
    for part in model.modules():
        if isinstance(part, PreTrainedModel):
            return str(part.config._attn_implementation)
    return None


def refuse_missing_kernel(kernel: str, config: PretrainedConfig) -> None:
    """Raise UserError where `kernel` does not run on this machine or with this family."""
    lack = _lack(kernel, config)
    if lack:
        raise UserError(f"train.attention: {kernel} cannot run: {lack}; set it to sdpa")


def _lack(kernel: str, config: PretrainedConfig) -> str | None:
    if kernel in ("sdpa", "eager"):
        return None
    # None for a model with code of its own: transformers asks that class as it loads it.
    family = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    support = "_supports_flash_attn" if kernel in FLASH else "_supports_flex_attn"
    if family is not None and not getattr(family, support):
        return f"transformers does not have it for {config.model_type}"
    if kernel not in FLASH:
        return None
    if not torch.cuda.is_available():
        return "it needs a GPU, and this machine shows none"
    # Without its package, transformers may fetch a build from the Hub and run that.
    package, is_available = FLASH[kernel]
    return None if is_available() else f"the package {package} is not installed"
