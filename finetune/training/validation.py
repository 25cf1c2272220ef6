"""Held-out losses during training, shared out evenly over the ranks."""

from dataclasses import dataclass
from typing import Any

import torch

from finetune.models.measure import LAYOUTS, MeasuringSet, blank, measuring_set, sum_losses
from finetune.sequences import TokenisedCorpus


@dataclass(frozen=True)
class Validation:
    """The sets by layout; the same blocks at every validation."""

    sets: dict[str, MeasuringSet]

    @torch.no_grad()  # inference_mode would leave ZeRO-3 weights that cannot train on
    def losses(self, accelerator: Any, model: Any, micro_batch: int) -> dict[str, float]:
        """Nats per token by layout. Every rank must call it: sharded weights need them all."""
        model.eval()
        found = {}
        ranks, rank = accelerator.num_processes, accelerator.process_index
        for layout, measured in self.sets.items():
            blocks = list(measured.blocks)
            blocks += [blank(blocks[0])] * (-len(blocks) % ranks)
            nats, tokens = sum_losses(model, blocks[rank::ranks], micro_batch)
            mine = torch.tensor([nats, tokens], dtype=torch.float64, device=accelerator.device)
            total = accelerator.reduce(mine, reduction="sum")
            found[layout] = float(total[0] / total[1])
        model.train()
        return found


def make_validation(
    corpus: TokenisedCorpus,
    length: int,
    max_tokens: int,
) -> Validation:
    """Left to right always; the infilling layouts where the tokenizer has sentinels and something
    that is held out can be cut."""
    layouts = LAYOUTS if corpus.tokenizer.sentinels else {"left_to_right": LAYOUTS["left_to_right"]}
    sets = {layout: measuring_set(corpus, layout, length, max_tokens) for layout in layouts}
    return Validation({layout: one for layout, one in sets.items() if one.blocks})
