"""What a model consists of, told by its config.json alone: every weight by name and size.

No weight is read and no torch is imported. The names are those of transformers, tied weights once,
so that patterns of weights and names of adapted modules mean here what they mean in training.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from finetune.errors import UserError

Slot = Literal["attention_in", "attention_out", "mlp_in", "mlp_out"]


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A linear layer inside a block."""

    name: str
    """Within its block, such as `attn.c_attn`."""
    inputs: int
    outputs: int
    bias: bool
    slot: Slot
    """What it reads: the first norm, the attention's output, the second norm, the activation."""

    @property
    def size(self) -> int:
        return self.inputs * self.outputs


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A causal transformer. Sizes in elements."""

    family: str
    """`model_type` of config.json."""
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    inner: int
    """Width between the MLP's matrices."""
    vocabulary: int
    positions: int
    """Longest sequence."""
    tied: bool
    learned_positions: bool
    """One vector per position; rotary otherwise."""
    gated: bool = False
    """Whether the MLP multiplies two projections."""
    norm_vectors: int = 2
    """Weight and bias; RMSNorm has no bias."""
    matrices: tuple[Matrix, ...]
    """Of one block, in order."""
    block: str
    """Prefix of a block's names, with `{}` for its number."""
    norms: tuple[str, str]
    embeddings: tuple[str, ...]
    final_norm: str
    window: int | None = None
    """Tokens that attention looks back, where it does not reach all."""

    @property
    def kv_width(self) -> int:
        """Width of the keys, and of the values."""
        return self.kv_heads * self.head_width

    @cached_property
    def layer_parameters(self) -> int:
        """Weights of one block."""
        matrices = sum(one.size + one.outputs * one.bias for one in self.matrices)
        return matrices + len(self.norms) * self.norm_vectors * self.width

    @cached_property
    def parameters(self) -> int:
        """All weights, tied ones once."""
        return sum(size for _, size in self.weights())

    @cached_property
    def matrix_parameters(self) -> int:
        """Weights of the blocks' matrices, without biases: what bitsandbytes quantises."""
        return self.layers * sum(matrix.size for matrix in self.matrices)

    @property
    def has_mask_table(self) -> bool:
        """GPT-BigCode keeps a table of positions x positions booleans that nothing reads."""
        return self.family == "gpt_bigcode"

    def weights(self) -> Iterator[tuple[str, int]]:
        """Names, as transformers has them, and sizes."""
        for name in self.embeddings:
            rows = self.positions if name.endswith("wpe") else self.vocabulary
            yield f"{name}.weight", rows * self.width
        for layer in range(self.layers):
            prefix = self.block.format(layer)
            for matrix in self.matrices:
                yield f"{prefix}{matrix.name}.weight", matrix.size
                if matrix.bias:
                    yield f"{prefix}{matrix.name}.bias", matrix.outputs
            for norm in self.norms:
                yield from self._norm(f"{prefix}{norm}")
        yield from self._norm(self.final_norm)
        if not self.tied:
            yield "lm_head.weight", self.vocabulary * self.width

    def _norm(self, name: str) -> Iterator[tuple[str, int]]:
        for vector in ("weight", "bias")[: self.norm_vectors]:
            yield f"{name}.{vector}", self.width


def architecture_of(config: Mapping[str, Any]) -> Architecture:
    """From what config.json holds. Raises UserError for a family that is not known here."""
    family = str(config.get("model_type"))
    if family not in FAMILIES:
        raise UserError(
            f"base: its family `{family}` is not one whose memory can be planned; known are "
            f"{', '.join(FAMILIES)}. Set train.micro_batch and train.activation_checkpointing "
            "yourself"
        )
    try:
        return FAMILIES[family](config)
    except KeyError as error:
        raise UserError(f"base: config.json of a {family} must state {error.args[0]}") from None


def _gpt_bigcode(config: Mapping[str, Any]) -> Architecture:
    width, heads = config["n_embd"], config["n_head"]
    kv_heads = 1 if config.get("multi_query", True) else heads
    head_width = width // heads
    inner = config.get("n_inner") or 4 * width
    fused = width + 2 * kv_heads * head_width
    return Architecture(
        family="gpt_bigcode",
        layers=config["n_layer"],
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        head_width=head_width,
        inner=inner,
        vocabulary=config["vocab_size"],
        positions=config["n_positions"],
        tied=config.get("tie_word_embeddings", True),
        learned_positions=True,
        matrices=(
            _matrix("attn.c_attn", width, fused, True, "attention_in"),
            _matrix("attn.c_proj", width, width, True, "attention_out"),
            _matrix("mlp.c_fc", width, inner, True, "mlp_in"),
            _matrix("mlp.c_proj", inner, width, True, "mlp_out"),
        ),
        block="transformer.h.{}.",
        norms=("ln_1", "ln_2"),
        embeddings=("transformer.wte", "transformer.wpe"),
        final_norm="transformer.ln_f",
    )


def _starcoder2(config: Mapping[str, Any]) -> Architecture:
    bias = config.get("use_bias", True)
    width, inner = config["hidden_size"], config["intermediate_size"]
    mlp = (
        _matrix("mlp.c_fc", width, inner, bias, "mlp_in"),
        _matrix("mlp.c_proj", inner, width, bias, "mlp_out"),
    )
    return _rotary(config, mlp, qkv_bias=bias, out_bias=bias, tied=True, norm_vectors=2)


def _llama(config: Mapping[str, Any]) -> Architecture:
    bias = config.get("attention_bias", False)
    qkv_bias = bias or config["model_type"] == "qwen2"
    width, inner = config["hidden_size"], config["intermediate_size"]
    mlp = (
        _matrix("mlp.gate_proj", width, inner, config.get("mlp_bias", False), "mlp_in"),
        _matrix("mlp.up_proj", width, inner, config.get("mlp_bias", False), "mlp_in"),
        _matrix("mlp.down_proj", inner, width, config.get("mlp_bias", False), "mlp_out"),
    )
    return _rotary(config, mlp, qkv_bias=qkv_bias, out_bias=bias, tied=False, norm_vectors=1)


def _rotary(
    config: Mapping[str, Any],
    mlp: tuple[Matrix, ...],
    *,
    qkv_bias: bool,
    out_bias: bool,
    tied: bool,
    norm_vectors: int,
) -> Architecture:
    width, heads = config["hidden_size"], config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads") or heads
    head_width = config.get("head_dim") or width // heads
    attention = tuple(
        _matrix(f"self_attn.{name}_proj", width, count * head_width, qkv_bias, "attention_in")
        for name, count in (("q", heads), ("k", kv_heads), ("v", kv_heads))
    )
    out = _matrix("self_attn.o_proj", heads * head_width, width, out_bias, "attention_out")
    return Architecture(
        family=config["model_type"],
        layers=config["num_hidden_layers"],
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        head_width=head_width,
        inner=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        positions=config["max_position_embeddings"],
        tied=config.get("tie_word_embeddings", tied),
        learned_positions=False,
        gated=len(mlp) == 3,
        norm_vectors=norm_vectors,
        matrices=(*attention, out, *mlp),
        block="model.layers.{}.",
        norms=("input_layernorm", "post_attention_layernorm"),
        embeddings=("model.embed_tokens",),
        final_norm="model.norm",
        window=config.get("sliding_window") if config.get("use_sliding_window", True) else None,
    )


def _matrix(name: str, inputs: int, outputs: int, bias: bool, slot: Slot) -> Matrix:
    return Matrix(name=name, inputs=inputs, outputs=outputs, bias=bias, slot=slot)


FAMILIES: dict[str, Callable[[Mapping[str, Any]], Architecture]] = {
    "gpt_bigcode": _gpt_bigcode,
    "starcoder2": _starcoder2,
    "llama": _llama,
    "mistral": _llama,
    "qwen2": _llama,
}
"""By `model_type`."""
