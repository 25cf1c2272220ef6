"""Greedy infilling in batches: the prompts sorted by length, padded on the left.

Every row stops for itself, at the end-of-document token or at a newline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from finetune.errors import UserError
from finetune.tokenizer import CodeTokenizer

SHORTEST_PROMPT = 4
"""Ids: three sentinels and one of context."""


@dataclass(frozen=True)
class Gap:
    """A place in a text where something is missing."""

    prefix: str
    suffix: str


def psm_prompt(gap: Gap, tokenizer: CodeTokenizer, budget: int) -> list[int]:
    """`PRE prefix SUF suffix MID` in at most `budget` ids.

    What is too long loses its far ends: the suffix may take a quarter of the room, or what the
    prefix leaves free.
    """
    sentinels = tokenizer.sentinels
    assert sentinels is not None, "callers ask for the sentinels first"
    prefix, suffix = tokenizer.encode(gap.prefix), tokenizer.encode(gap.suffix)
    room = budget - 3
    kept_suffix = min(len(suffix), max(room // 4, room - len(prefix)))
    kept_prefix = min(len(prefix), room - kept_suffix)
    prefix = prefix[len(prefix) - kept_prefix :]
    return [sentinels.prefix, *prefix, sentinels.suffix, *suffix[:kept_suffix], sentinels.middle]


@torch.inference_mode()
def infill_lines(
    model: Any,
    tokenizer: CodeTokenizer,
    gaps: Sequence[Gap],
    *,
    max_new_tokens: int,
    batch_size: int = 32,
) -> list[str]:
    """The most likely rest of a line for each gap, in the order of `gaps`.

    Raises UserError where `max_new_tokens` leaves a prompt no room.
    """
    positions = getattr(model.config, "max_position_embeddings", None) or model.config.n_positions
    budget = positions - max_new_tokens
    if budget < SHORTEST_PROMPT:
        raise UserError(
            f"evaluate.max_new_tokens: {max_new_tokens} leave no room for a prompt in the "
            f"model's {positions} positions; make it smaller"
        )
    prompts = [psm_prompt(gap, tokenizer, budget) for gap in gaps]
    newlines = torch.tensor(_newline_ids(tokenizer), device=model.device)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    completions = [""] * len(gaps)
    for at in range(0, len(order), batch_size):
        rows = order[at : at + batch_size]
        made = _generate(model, tokenizer, [prompts[i] for i in rows], newlines, max_new_tokens)
        for row, ids in zip(rows, made, strict=True):
            completions[row] = tokenizer.decode(ids).split("\n")[0]
    return completions


def _generate(
    model: Any,
    tokenizer: CodeTokenizer,
    prompts: Sequence[list[int]],
    newlines: Tensor,
    max_new_tokens: int,
) -> list[list[int]]:
    width = max(map(len, prompts))
    input_ids = torch.full((len(prompts), width), tokenizer.pad)  # (B, W)
    mask = torch.zeros_like(input_ids)  # (B, W)
    for row, prompt in enumerate(prompts):
        input_ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1

    def at_newline(ids: Tensor, _: Any, **__: Any) -> Tensor:
        return torch.isin(ids[:, -1], newlines)  # (B,)

    output = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=mask.to(model.device),
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=tokenizer.eod,
        pad_token_id=tokenizer.pad,
        stopping_criteria=[at_newline],
        use_cache=True,
    )  # (B, W + new)
    return [_until(row, tokenizer.eod) for row in output[:, width:].tolist()]


def _until(ids: list[int], end: int) -> list[int]:
    return ids[: ids.index(end)] if end in ids else ids


def _newline_ids(tokenizer: CodeTokenizer) -> list[int]:
    return [id_ for id_ in range(tokenizer.size) if "\n" in tokenizer.decode([id_])]
