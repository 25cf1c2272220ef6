"""What autograd really keeps of a forward pass: the yardstick of `finetune.planning`."""

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary
from transformers import (
    GPTBigCodeConfig,
    GPTBigCodeForCausalLM,
    PreTrainedModel,
    Starcoder2Config,
    Starcoder2ForCausalLM,
)

from finetune.models.forward import collate, token_losses
from finetune.sequences import Block


def gpt_bigcode(
    layers: int, width: int, heads: int, *, vocabulary: int = 97, positions: int = 512
) -> PreTrainedModel:
    """A GPT-BigCode with random weights and no dropout."""
    config = GPTBigCodeConfig(
        vocab_size=vocabulary,
        n_positions=positions,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        n_inner=4 * width,
        activation_function="gelu_pytorch_tanh",
        attn_pdrop=0.0,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    return GPTBigCodeForCausalLM(config)


def starcoder2(
    layers: int, width: int, heads: int, kv_heads: int, *, vocabulary: int = 97
) -> PreTrainedModel:
    """A StarCoder2 with random weights."""
    config = Starcoder2Config(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=0,
    )
    return Starcoder2ForCausalLM(config)


def packed_blocks(
    count: int, length: int, vocabulary: int = 97, *, documents: int = 2
) -> list[Block]:
    """Blocks of random tokens, each with so many documents whose positions restart."""
    draws = np.random.default_rng(0)
    parts = np.array_split(np.arange(length), documents)
    positions = np.concatenate([part - part[0] for part in parts])  # (L,)
    blocks = []
    for _ in range(count):
        tokens = draws.integers(0, vocabulary, length)  # (L,)
        blocks.append(Block(tokens, tokens.copy(), positions, ()))
    return blocks


class Saved:
    """Tensors that autograd holds, by storage; those of weights and buffers are not counted."""

    def __init__(self, model: torch.nn.Module) -> None:
        owned: list[Tensor] = [*model.parameters(), *model.buffers()]
        self._own = {one.untyped_storage().data_ptr() for one in owned}
        self._alive: weakref.WeakSet[_Held] = weakref.WeakSet()

    def hold(self, tensor: Tensor) -> "_Held":
        held = _Held(tensor)
        self._alive.add(held)
        return held

    def bytes(self) -> int:
        """Of all storages that a node of the graph still holds."""
        sizes = {}
        for held in list(self._alive):
            storage = held.tensor.untyped_storage()
            if storage.data_ptr() not in self._own:
                sizes[storage.data_ptr()] = storage.nbytes()
        return sum(sizes.values())


class Peak(TorchDispatchMode):
    """The most bytes that tensors take at one time, those given at the start included: what
    `torch.cuda.max_memory_allocated` tells of a GPU, for any device."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()
        self._seen = WeakIdKeyDictionary()
        self._live = 0
        self.bytes = 0
        for tensor in tensors:
            self._add(tensor)

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen:
            return
        size = storage.nbytes()
        self._seen[storage] = size
        self._live += size
        self.bytes = max(self.bytes, self._live)
        weakref.finalize(storage, self._drop, size)

    def _drop(self, size: int) -> None:
        self._live -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._add(leaf)
        return result


class _Held:
    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@contextmanager
def counting(saved: Saved) -> Iterator[None]:
    """Have autograd tell `saved` what it keeps."""
    with torch.autograd.graph.saved_tensors_hooks(saved.hold, lambda held: held.tensor):
        yield


def saved_bytes(model: Any, blocks: list[Block], *, autocast: bool = False) -> tuple[int, int]:
    """Bytes kept by the body and by the loss of one training pass over `blocks`."""
    model.train()
    saved, body = Saved(model), []
    head = next(part for name, part in model.named_modules() if name.endswith("lm_head"))
    hook = head.register_forward_pre_hook(lambda *_: body.append(saved.bytes()))
    device = next(model.parameters()).device
    try:
        with (
            counting(saved),
            torch.autocast(device.type, torch.bfloat16, enabled=autocast),
        ):
            losses = token_losses(model, collate(blocks, device)).sum()
        total = saved.bytes()
    finally:
        hook.remove()
    assert losses.requires_grad, "else nothing was kept at all"
    return body[0], total - body[0]


def two_steps(
    model: Any,
    optimizer: torch.optim.Optimizer,
    blocks: list[Block],
    passes: int,
    *,
    autocast: bool,
) -> Iterator[None]:
    """Optimiser steps of so many passes over `blocks` each; pauses before the second, when the
    optimiser's states are there."""
    device = next(model.parameters()).device
    for step in range(2):
        if step == 1:
            yield
        for _ in range(passes):
            with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
                losses = token_losses(model, collate(blocks, device))
            losses.sum().backward()
            del losses
        optimizer.step()
        optimizer.zero_grad()


def peak_bytes(
    model: Any,
    optimizer: torch.optim.Optimizer,
    blocks: list[Block],
    passes: int,
    *,
    autocast: bool,
) -> int:
    """Bytes at the peak of a whole optimiser step, weights and states included."""
    steps = two_steps(model, optimizer, blocks, passes, autocast=autocast)
    next(steps)
    states = [one for state in optimizer.state.values() for one in state.values()]
    with Peak([*model.parameters(), *model.buffers(), *states]) as peak:
        next(steps, None)
    return peak.bytes
