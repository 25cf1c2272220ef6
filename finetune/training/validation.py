"""Held-out losses during training by layout and language, shared out evenly over the ranks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from finetune.models.measure import LAYOUTS, MeasuringSet, blank, measuring_set, sum_losses
from finetune.sequences import TokenisedCorpus

OTHERS = "other languages"
"""Those of which less is held out than a block for each can be asked for."""


@dataclass(frozen=True)
class HeldOutLosses:
    """Nats per token."""

    by_layout: dict[str, float]
    """Over all languages."""
    by_language: dict[str, dict[str, float]]
    """By language, then layout."""

    @property
    def mean(self) -> float:
        """Over the layouts: what a run is judged by while it trains."""
        return sum(self.by_layout.values()) / max(1, len(self.by_layout))


@dataclass(frozen=True)
class Validation:
    """The sets by language, then layout; the same blocks at every validation."""

    sets: dict[str, dict[str, MeasuringSet]]

    @torch.no_grad()  # inference_mode would leave ZeRO-3 weights that cannot train on
    def losses(self, accelerator: Any, model: Any, micro_batch: int) -> HeldOutLosses:
        """Every rank must call it: sharded weights need them all."""
        model.eval()
        sums = {
            language: {
                layout: self._sum(accelerator, model, micro_batch, one)
                for layout, one in by_layout.items()
            }
            for language, by_layout in self.sets.items()
        }
        model.train()
        totals = {
            layout: np.sum([by[layout] for by in sums.values() if layout in by], axis=0)
            for layout in LAYOUTS
            if any(layout in by for by in sums.values())
        }
        return HeldOutLosses(_means(totals), {name: _means(by) for name, by in sums.items()})

    def _sum(
        self, accelerator: Any, model: Any, micro_batch: int, measured: MeasuringSet
    ) -> list[float]:
        """Nats and number of labels over all ranks."""
        ranks, rank = accelerator.num_processes, accelerator.process_index
        blocks = list(measured.blocks)
        blocks += [blank(blocks[0])] * (-len(blocks) % ranks)
        mine = sum_losses(model, blocks[rank::ranks], micro_batch)
        vector = torch.tensor(mine, dtype=torch.float64, device=accelerator.device)  # (2,)
        total: list[float] = accelerator.reduce(vector, reduction="sum").tolist()
        return total


def _means(sums: dict[str, Any]) -> dict[str, float]:
    return {name: float(nats / tokens) for name, (nats, tokens) in sums.items() if tokens}


def make_validation(corpus: TokenisedCorpus, length: int, max_tokens: int) -> Validation:
    """Left to right always; the infilling layouts where the tokenizer has sentinels and something
    that is held out can be cut.

    A layout has at most `max_tokens` tokens, which the languages share by how much is held out of
    each; those too small for a block go together.
    """
    layouts = list(LAYOUTS) if corpus.tokenizer.sentinels else ["left_to_right"]
    sets: dict[str, dict[str, MeasuringSet]] = {}
    for language, own, share in _languages(corpus, max(1, max_tokens // length)):
        made = {layout: measuring_set(own, layout, length, share * length) for layout in layouts}
        sets[language] = {layout: one for layout, one in made.items() if one.blocks}
    return Validation(sets)


def _languages(
    corpus: TokenisedCorpus, num_blocks: int
) -> Iterator[tuple[str, TokenisedCorpus, int]]:
    """Languages with their documents and how many of `num_blocks` each has, the largest first."""
    numbers, tokens = corpus.rows["language"], corpus.rows["tokens"].astype(np.int64)
    sizes = {
        name: int(tokens[numbers == number].sum()) for number, name in enumerate(corpus.languages)
    }
    sizes = {name: size for name, size in sizes.items() if size}
    total = sum(sizes.values())
    blocks = {name: num_blocks * size // total for name, size in sizes.items()}
    large = sorted((name for name in blocks if blocks[name]), key=lambda name: -sizes[name])
    small = [name for name in blocks if not blocks[name]]
    for name in large:
        yield name, corpus.in_language(name), blocks[name]
    if small:
        yield small[0] if len(small) == 1 else OTHERS, _of(corpus, small), 1


def _of(corpus: TokenisedCorpus, languages: list[str]) -> TokenisedCorpus:
    numbers = [corpus.languages.index(name) for name in languages]
    return corpus.only(np.flatnonzero(np.isin(corpus.rows["language"], numbers)).tolist())
