"""The loss of each token without the logits of all: the head's product a chunk of tokens at a time.

A vocabulary of 49152 makes logits the largest tensor of a step: in fp32 192 KiB per token, and
cross-entropy keeps several of them. Here a chunk's logits live until its losses and gradients are
taken. The gradient of the hidden states is kept for the backward pass, one row per token, to be
scaled by whatever arrives there; that of the head's weight is summed on the spot for a gradient of
one per token, which is what a sum of losses sends back. Where the backward pass brings another, the
chunks are computed again. (Liger kernels, https://arxiv.org/abs/2410.10989, keep gradients too.)

The losses are computed inside the call of the head's own module: what wraps a model (DDP, PEFT,
autocast) sees an ordinary forward pass, and ZeRO-3 gathers the head's weight as it always does.

Shapes: B blocks, L tokens each, d the hidden size, V the vocabulary, N the tokens with a label.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from transformers import PreTrainedModel

PLAIN_HEADS = frozenset({"gpt_bigcode", "starcoder2", "llama", "mistral", "qwen2"})
"""Values of `model_type` whose logits are the head's product and nothing else. Other families may
scale or cap it (Cohere, Gemma 2, Granite): their logits are taken whole."""

CHUNK = 1024
"""Tokens whose logits live at a time: 192 MiB of fp32 at V = 49152."""


def plain_head(model: Any) -> torch.nn.Linear | None:
    """The head whose losses can be taken in chunks, whatever wraps the model; None without one."""
    inner = next((part for part in model.modules() if isinstance(part, PreTrainedModel)), None)
    if inner is None or inner.config.model_type not in PLAIN_HEADS:
        return None
    head = inner.get_output_embeddings()
    is_plain = type(head) is torch.nn.Linear and head.bias is None  # no adapter, not quantised
    return head if is_plain else None


@contextmanager
def losses_for_logits(model: Any, labels: Tensor, labelled: Tensor) -> Iterator[bool]:
    """Let the model's next output hold losses (B, L - 1) under the name `logits`.

    `labels` (B, L); `labelled` (N,): see `Batch`. Yields False where the family's logits are not
    the head's product alone; then they are what they always were.
    """
    head = plain_head(model)
    if head is None:
        yield False
        return
    wanted = labels.flatten()[labelled + 1]  # (N,)

    def forward(hidden: Tensor) -> Tensor:
        return head_losses(hidden, head.weight, labelled, wanted)  # (B, L - 1)

    before = head.__dict__.get("forward")  # Accelerate puts one there for quantised models
    head.forward = forward
    try:
        yield True
    finally:
        del head.forward
        if before is not None:
            head.forward = before


def head_losses(hidden: Tensor, weight: Tensor, labelled: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy (B, L - 1) in nats, in fp32; 0 where `labelled` does not point.

    `hidden` (B, L, d), `weight` (V, d); `labelled` (N,): places in the rows laid end to end whose
    next token, one of `wanted` (N,), is to be told. Under autocast the products are in its type.
    """
    device = hidden.device.type
    is_mixed = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if is_mixed else hidden.dtype
    keep = torch.is_grad_enabled()
    wants = (keep and hidden.requires_grad, keep and weight.requires_grad)
    losses: Tensor = _HeadLosses.apply(hidden, weight, labelled, wanted, dtype, wants)
    return losses


class _HeadLosses(torch.autograd.Function):
    """`wants`: whether hidden states and weight need a gradient; inside, torch tells no more."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,  # (B, L, d)
        weight: Tensor,  # (V, d)
        labelled: Tensor,  # (N,)
        wanted: Tensor,  # (N,)
        dtype: torch.dtype,
        wants: tuple[bool, bool],
    ) -> Tensor:
        rows = hidden.flatten(0, 1)[labelled].to(dtype)  # (N, d)
        losses, of_rows, of_weight = _pass(rows, weight.to(dtype), wanted, wants)
        ctx.wants, ctx.dtype, ctx.shape = wants, dtype, hidden.shape
        kept = (hidden, weight) if wants[1] else (None, None)
        ctx.save_for_backward(of_rows, of_weight, labelled, wanted, *kept)
        spread = losses.new_zeros(hidden.shape[0], hidden.shape[1] - 1)  # (B, L - 1)
        spread.view(-1)[_places(labelled, hidden.shape[1])] = losses
        return spread

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arriving: Tensor) -> tuple[Tensor | None, ...]:
        of_rows, of_weight, labelled, wanted, hidden, weight = ctx.saved_tensors
        batch, length, size = ctx.shape
        each = arriving.reshape(-1)[_places(labelled, length)]  # (N,)
        grad_hidden = grad_weight = None
        if ctx.wants[0]:
            grad_hidden = of_rows.new_zeros(batch * length, size)
            grad_hidden[labelled] = (of_rows * each[:, None]).to(of_rows.dtype)
            grad_hidden = grad_hidden.view(batch, length, size)
        if ctx.wants[1]:
            if not any(arriving.stride()):  # one number for all, as a sum sends back
                grad_weight = of_weight * arriving[0, 0]
            else:
                rows = hidden.flatten(0, 1)[labelled].to(ctx.dtype)  # (N, d)
                of_weight = _pass(rows, weight.to(ctx.dtype), wanted, (False, True), each)[2]
                grad_weight = of_weight
            grad_weight = grad_weight.to(weight.dtype)
        return grad_hidden, grad_weight, None, None, None, None


def _places(labelled: Tensor, length: int) -> Tensor:
    """Places (N,) in rows of `length` tokens -> the same in rows without their last token."""
    return labelled - labelled // length


@torch.no_grad()
def _pass(
    rows: Tensor,  # (N, d)
    weight: Tensor,  # (V, d)
    wanted: Tensor,  # (N,)
    wants: tuple[bool, bool],
    arriving: Tensor | None = None,  # (N,); ones when left out
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Losses (N,) in fp32, and the gradients that are wanted: of rows (N, d), of the weight (V, d).

    The gradient of the weight is summed in fp32, whatever the type of the products.
    """
    losses = torch.empty(len(rows), dtype=torch.float32, device=rows.device)
    of_rows = torch.empty_like(rows) if wants[0] else None
    of_weight = torch.zeros_like(weight, dtype=torch.float32) if wants[1] else None
    with torch.autocast(rows.device.type, enabled=False):
        for start in range(0, len(rows), CHUNK):
            part = slice(start, start + CHUNK)
            logits = (rows[part] @ weight.T).float()  # (C, V), and ours to overwrite
            logits -= logits.amax(-1, keepdim=True)
            of_wanted = logits.gather(1, wanted[part, None])  # (C, 1)
            sums = logits.exp_().sum(-1, keepdim=True)  # (C, 1)
            losses[part] = (sums.log() - of_wanted)[:, 0]
            if not any(wants):
                continue
            logits /= sums
            logits.scatter_add_(1, wanted[part, None], torch.full_like(sums, -1.0))
            if arriving is not None:
                logits *= arriving[part, None]
            difference = logits.to(rows.dtype)  # (C, V)
            if of_rows is not None:
                of_rows[part] = difference @ weight
            if of_weight is not None:
                of_weight += difference.T @ rows[part]
    return losses, of_rows, of_weight
