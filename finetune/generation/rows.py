"""Rows that a model is writing: their keys and values, left-padded to one width.

Rows leave once they have ended and others take their places, so the batch stays full.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from finetune.errors import UserError


@dataclass(frozen=True)
class Rows:
    """B rows of at most T tokens each, and what the model expects next."""

    cache: DynamicCache
    """Keys and values of each layer, (B, H, T, D). Without a configuration every layer keeps all
    tokens; a sliding window is then a matter of the mask alone."""
    mask_BT: Tensor
    """1 for a token, 0 for padding on its left."""
    logits_BV: Tensor


def read_prompts(model: Any, prompts: Sequence[Sequence[int]], pad: int) -> Rows:
    """Rows behind their prompts. A prompt that stands several times is read once."""
    distinct = list(dict.fromkeys(map(tuple, prompts)))
    width = max(map(len, distinct))
    ids_BT = torch.full((len(distinct), width), pad)
    mask_BT = torch.zeros_like(ids_BT)
    for row, prompt in enumerate(distinct):
        ids_BT[row, width - len(prompt) :] = torch.tensor(prompt)
        mask_BT[row, width - len(prompt) :] = 1
    mask_BT = mask_BT.to(model.device)
    rows = _forward(model, DynamicCache(), ids_BT.to(model.device), mask_BT)
    place = {prompt: row for row, prompt in enumerate(distinct)}
    return keep(rows, [place[tuple(prompt)] for prompt in prompts])


def step(model: Any, rows: Rows, ids: Sequence[int]) -> Rows:
    """One token more in each row. The cache of `rows` is used up."""
    ids_B1 = torch.tensor(ids, device=model.device)[:, None]
    mask_BT = torch.cat([rows.mask_BT, torch.ones_like(ids_B1)], -1)
    return _forward(model, rows.cache, ids_B1, mask_BT)


def _forward(model: Any, cache: DynamicCache, ids_BN: Tensor, mask_BT: Tensor) -> Rows:
    """Positions count a row's own tokens: learned ones would see the padding otherwise."""
    positions_BT = (mask_BT.cumsum(-1) - 1).clamp(min=0)
    wanted = {
        "past_key_values": cache,
        "position_ids": positions_BT[:, -ids_BN.shape[1] :],
        "logits_to_keep": 1,
    }
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model  # within PEFT's
    taken = inspect.signature(inner.forward).parameters
    if "past_key_values" not in taken:
        raise UserError(
            f"{type(inner).__name__}: keeps no keys and values of each token, by which rows are "
            "batched here; let a server write for it (evaluate.servers)"
        )
    # Families without learned or rotary positions take none: the mask tells them enough.
    more = {name: value for name, value in wanted.items() if name in taken}
    output = model(input_ids=ids_BN, attention_mask=mask_BT, use_cache=True, **more)
    return Rows(cache, mask_BT, output.logits[:, -1])


def keep(rows: Rows, kept: Sequence[int]) -> Rows:
    """Only the rows `kept`, in that order, without the padding that all of them have."""
    if list(kept) == list(range(len(rows.mask_BT))):
        return rows
    index = torch.tensor(kept, device=rows.mask_BT.device)
    mask_BT = rows.mask_BT[index]
    cut = int(mask_BT.any(0).int().argmax())
    rows.cache.batch_select_indices(index)
    for layer in rows.cache.layers:
        layer.keys, layer.values = layer.keys[:, :, cut:], layer.values[:, :, cut:]
    return Rows(rows.cache, mask_BT[:, cut:], rows.logits_BV[index])


def join(first: Rows, second: Rows) -> Rows:
    """The rows of both, the narrower ones padded on the left. Both caches are used up."""
    width = max(first.mask_BT.shape[1], second.mask_BT.shape[1])
    for own, other in zip(first.cache.layers, second.cache.layers, strict=True):
        own.keys = torch.cat([_widened(own.keys, width), _widened(other.keys, width)])
        own.values = torch.cat([_widened(own.values, width), _widened(other.values, width)])
    masks = [
        torch.nn.functional.pad(rows.mask_BT, (width - rows.mask_BT.shape[1], 0))
        for rows in (first, second)
    ]
    return Rows(first.cache, torch.cat(masks), torch.cat([first.logits_BV, second.logits_BV]))


def _widened(states_BHTD: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(states_BHTD, (0, 0, width - states_BHTD.shape[2], 0))
