"""Activations: what the forward pass keeps for the backward pass, tensor by tensor.

`kept_bytes` counts the tensors that autograd saves, without weights and without the loss. On a CPU
the tests compare it with the real saved tensors. Notation: T tokens of a pass, S the length of a
block, d width, k width of the keys, H heads, h width of a head, m inner width of the MLP; c bytes
of an activation inside a block, r of one between blocks.

One block of GPT-BigCode or StarCoder2 whose weights are all trained keeps, per token:

| tensor | bytes |
| --- | --- |
| input of each of two norms, mean and deviation | 2 (d r + 2 stats) |
| output of the first norm, read by the attention's matrices | d c |
| query, key, value | (d + 2 k) c |
| log of the softmax's sum | 4 H |
| mask, once per block of the model, where documents are isolated under sdpa | S c |
| output of the attention, read by the output matrix | d c |
| output of the second norm, read by the MLP's first matrix | d c |
| input and output of the activation function | 2 m c |

With c = r = 2, m = 4 d and one head of keys that is 28 d + 4 h + 4 H + 8 bytes on a CPU. What is
not trained keeps less: the input of a frozen matrix is not needed, and nothing is kept below the
lowest trained weight. With checkpointing a block keeps its input alone, d r, and the rest lives for
one block at a time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from finetune.planning.architecture import Architecture, Matrix, Slot
from finetune.planning.holding import Holding
from finetune.planning.tuning import PLACES, Tuning

SLOTS: tuple[Slot, ...] = get_args(Slot)

ID_BYTES = 8
"""An index of a token or a position, in 64 bits."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What decides on activations beside the weights."""

    architecture: Architecture
    tuning: Tuning
    holding: Holding
    attention: str
    """sdpa, eager or flash_attention_*."""
    isolated: bool
    """Whether blocks hold several documents that do not see each other."""
    length: int
    """Tokens per block of text."""
    dropout: float
    on_gpu: bool


def kept_bytes(shape: Shape, tokens: int, *, checkpointing: bool) -> int:
    """Tensors kept from the forward pass over `tokens` for the backward pass, the loss apart."""
    architecture, holding = shape.architecture, shape.holding
    if shape.tuning.lowest >= architecture.layers:
        return tokens * _norm(shape)
    if checkpointing:
        per_token = architecture.layers * architecture.width * holding.stream + _norm(shape)
        per_token += _embeddings(shape)
        return tokens * per_token
    layers = range(shape.tuning.lowest, architecture.layers)
    blocks = sum(
        count * block_bytes(shape, kept_inputs=kept, begins=begins)
        for (kept, begins), count in Counter(_kinds(shape, layers)).items()
    )
    return tokens * (blocks + _norm(shape) + _embeddings(shape) + _rotation(shape))


def _kinds(shape: Shape, layers: Iterable[int]) -> Iterator[tuple[frozenset[str], int]]:
    """By block: its trained matrices, and the place from which on there are gradients."""
    tuning = shape.tuning
    for layer in layers:
        kept = tuning.kept_inputs[layer] if tuning.kept_inputs else frozenset()
        has_gradient = layer > tuning.lowest or tuning.reaches_embeddings
        yield kept, -1 if has_gradient else tuning.begins


def last_block_bytes(shape: Shape) -> int:
    """Kept by the last block per token."""
    ((kept, begins),) = _kinds(shape, [shape.architecture.layers - 1])
    return block_bytes(shape, kept_inputs=kept, begins=begins)


def block_bytes(shape: Shape, *, kept_inputs: frozenset[str], begins: int) -> int:
    """Kept by one block per token: see the table above.

    `begins`: the first place of the block that needs a gradient; -1 where its input does.
    """
    architecture, holding, tuning = shape.architecture, shape.holding, shape.tuning
    total = sum(_input(shape, kept_inputs, slot) for slot in SLOTS)
    total += sum(_adapter(shape, one, begins) for one in tuning.adapted)
    total += _norm(shape) * sum(begins <= PLACES.index(norm) for norm in ("norm_1", "norm_2"))
    if begins <= PLACES.index("attention_in"):
        total += _attention(shape)
    if begins <= PLACES.index("mlp_in"):
        total += (3 if architecture.gated else 1) * architecture.inner * holding.compute
    if shape.dropout:
        masks = 1 + (begins <= PLACES.index("attention_out"))
        total += masks * _dropout_mask(shape) * architecture.width
    return total


def working_bytes(shape: Shape, tokens: int) -> int:
    """Live for a moment of the backward pass beside what is kept.

    The MLP's activation function has its input, its output's gradient and its input's gradient at
    once when its output has been freed: m + d numbers more than the block keeps. Under adapters the
    gradient passes through base and update, 2 d more, and one in fp32 under autocast has the
    gradient of its input in fp32, 4 m bytes. QLoRA dequantises one matrix; DoRA builds an identity
    as wide as the input, the update and the sum of both.
    """
    architecture, holding, tuning = shape.architecture, shape.holding, shape.tuning
    numbers = architecture.inner + (3 if tuning.has_adapters else 1) * architecture.width
    total = tokens * numbers * holding.compute
    if tuning.has_adapters and holding.autocast:
        total += tokens * 4 * max(matrix.inputs for matrix in tuning.adapted)
    largest = max(architecture.matrices, key=lambda matrix: matrix.size)
    if tuning.quantised:
        total += 2 * largest.size
    if tuning.method == "dora":
        total += 4 * (largest.inputs**2 + 3 * largest.size)
    return total


def shared_bytes(shape: Shape, tokens: int) -> int:
    """One for all blocks: the mask of isolated documents as booleans, S per token."""
    if shape.attention in ("sdpa", "eager") and shape.isolated:
        return tokens * shape.length
    return 0


def _norm(shape: Shape) -> int:
    """A norm's input, and mean and reciprocal deviation. RMSNorm of transformers computes in fp32:
    it keeps the input in fp32, one statistic, and what the weight multiplies."""
    width, holding = shape.architecture.width, shape.holding
    if shape.architecture.norm_vectors == 1:
        normalised = width * holding.stream if not shape.tuning.has_adapters else 0
        return 4 * width + 4 + normalised
    return width * (4 if holding.norm_in_fp32 else holding.stream) + 2 * holding.stats


def _attention(shape: Shape) -> int:
    """Query, key, value, output, and what the kernel keeps of the softmax.

    GPT-BigCode's three are parts of one tensor. With a mask, transformers repeats the keys and
    values of a group for each of its heads; of a single group that is a view and costs nothing.
    Eager attention copies all three for every head (a pass of one block with one group can do with
    views: this says too much there, by a twentieth of the block).
    """
    architecture, c = shape.architecture, shape.holding.compute
    query = architecture.heads * architecture.head_width
    if shape.attention == "eager":
        weights = architecture.heads * shape.length
        copies = weights * (4 + c if c < 4 else 4)
        return copies + 3 * query * c
    masked = shape.attention == "sdpa" and shape.isolated
    fused = any(matrix.name == "attn.c_attn" for matrix in architecture.matrices)
    repeated = masked and 1 < architecture.kv_heads < architecture.heads and not fused
    keys = query if repeated else architecture.kv_width
    mask = shape.length * c if masked else 0
    return (query + 2 * keys) * c + query * c + 4 * architecture.heads + mask


def _input(shape: Shape, kept_inputs: frozenset[str], slot: str) -> int:
    """Inputs of the matrices of one slot, kept where one of them is trained or adapted.

    They share one tensor, except that an adapter in fp32 under autocast makes a copy of its own.
    The attention's output is kept by the attention already.
    """
    architecture, tuning, c = shape.architecture, shape.tuning, shape.holding.compute
    matrices = [one for one in architecture.matrices if one.slot == slot]
    adapted = [one for one in matrices if one in tuning.adapted]
    if tuning.has_adapters:
        if not adapted or tuning.dropout:
            return 0
        if shape.holding.autocast:
            return c * sum(one.inputs for one in adapted)
        return 0 if slot == "attention_out" and not _copies_output(shape) else c * adapted[0].inputs
    if not any(one.name in kept_inputs for one in matrices):
        return 0
    return 0 if slot == "attention_out" and not _copies_output(shape) else c * matrices[0].inputs


def _copies_output(shape: Shape) -> bool:
    """Whether the output matrix reads a copy of its own. The kernels of sdpa and flash attention
    keep the very tensor; eager attention, which lays heads out first, keeps none."""
    return shape.attention == "eager"


def _adapter(shape: Shape, matrix: Matrix, begins: int) -> int:
    """Beside its input: the narrow product; with dropout a mask and a copy of the input; in DoRA
    the outputs of base and update, which the magnitude multiplies."""
    tuning, c = shape.tuning, shape.holding.compute
    total = tuning.rank * c
    if tuning.dropout:
        total += c * matrix.inputs
        if begins < PLACES.index(matrix.slot):
            total += _dropout_mask(shape) * matrix.inputs
    if tuning.method == "dora":
        total += 2 * c * matrix.outputs
    return total


def _dropout_mask(shape: Shape) -> int:
    """Bytes per number: a boolean on a GPU, the factor itself on a CPU."""
    return 1 if shape.on_gpu else shape.holding.compute


def _embeddings(shape: Shape) -> int:
    """Indices, for the gradient of each table, and dropout's mask."""
    tuning = shape.tuning
    if not tuning.reaches_embeddings:
        return 0
    indices = ID_BYTES * (2 if shape.architecture.learned_positions else 1)
    return indices + (_dropout_mask(shape) * shape.architecture.width if shape.dropout else 0)


def _rotation(shape: Shape) -> int:
    """Cosine and sine, shared by all blocks."""
    if shape.architecture.learned_positions:
        return 0
    return 2 * shape.architecture.head_width * shape.holding.stream
