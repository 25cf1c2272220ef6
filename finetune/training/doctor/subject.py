"""What the doctor looks at once the engine has prepared it, and how it asks for losses."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from finetune.models.forward import collate, token_losses
from finetune.models.load import DROPOUTS
from finetune.recipe import Recipe
from finetune.sequences import Block, TokenisedCorpus
from finetune.tokenizer import CodeTokenizer
from finetune.training.loop import Trainer

RATES = (*DROPOUTS, "attn_dropout")
"""Names that modules give to dropout that they apply themselves."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A run that could take its first step. All ranks look at the same blocks."""

    recipe: Recipe
    """As fitted to this machine."""
    trainer: Trainer
    blocks: Sequence[Block]
    """The first that training will see."""
    corpus: TokenisedCorpus
    """What they point into."""
    held_out: TokenisedCorpus
    is_trained: bool | None = None
    """Whether the base was found to have learned something; None before it was asked."""

    @property
    def is_fp32(self) -> bool:
        """Whether all arithmetic is in fp32."""
        return self.recipe.train.precision == "fp32"

    @property
    def tokenizer(self) -> CodeTokenizer:
        return self.corpus.tokenizer

    @torch.no_grad()  # inference_mode would leave ZeRO-3 weights that cannot train on
    def losses(self, blocks: Sequence[Block], exchanged: Mapping[int, int] | None = None) -> Tensor:
        """Losses (N, L - 1) of blocks in fp64, through the call that training makes: in its mode,
        in its micro-batches, but for dropout. `exchanged`: other ids in place of some.

        Every rank must call it with as many blocks.
        """
        micro, found = self.trainer.plan.micro_batch, []
        with without_dropout(self.trainer.model):
            for at in range(0, len(blocks), micro):
                batch = collate(blocks[at : at + micro], self.trainer.accelerator.device)
                batch["input_ids"] = _with(batch["input_ids"], exchanged or {})
                found.append(token_losses(self.trainer.model, batch).double().cpu())
        return torch.cat(found)  # (N, L - 1)


def _with(ids: Tensor, exchanged: Mapping[int, int]) -> Tensor:
    """(B, L) -> the same with other ids in place of some, all at once."""
    changed = ids.clone()
    for before, after in exchanged.items():
        changed[ids == before] = after
    return changed


@contextmanager
def without_dropout(model: Any) -> Iterator[None]:
    """Training mode without its noise: evaluation mode would take other paths."""
    kept: list[tuple[Any, str, float]] = []
    for module in model.modules():
        for name in ("p",) if isinstance(module, torch.nn.Dropout) else RATES:
            rate = getattr(module, name, None)
            if isinstance(rate, float) and rate > 0:
                kept.append((module, name, rate))
                setattr(module, name, 0.0)
    try:
        yield
    finally:
        for module, name, rate in kept:
            setattr(module, name, rate)
