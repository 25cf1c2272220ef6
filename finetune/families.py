"""What is known of a base before anything is loaded: sentinels, adapter targets, licence, sizes.

Sources: the tokenizers' own files; BigCode's model cards; parameter counts checked against
`GPTBigCodeConfig`. A spelling of sentinels is listed only where its tokenizer was tested.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from finetune.recipe.schema import Lora

END_OF_DOCUMENT = "<|endoftext|>"

STARCODER_SPECIAL_TOKENS = (
    END_OF_DOCUMENT,
    "<fim_prefix>",
    "<fim_middle>",
    "<fim_suffix>",
    "<fim_pad>",
    "<filename>",
    "<gh_stars>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<empty_output>",
    "<commit_before>",
    "<commit_msg>",
    "<commit_after>",
    "<reponame>",
)
"""StarCoder's ids 0 to 18, in order. Prefix, middle, suffix: not the order of writing."""


@dataclass(frozen=True, kw_only=True)
class Sentinels:
    """The names that mark the parts of a fill-in-the-middle document."""

    prefix: str
    middle: str
    suffix: str
    pad: str | None = None


SENTINEL_SPELLINGS = (
    # StarCoder, StarCoder2
    Sentinels(prefix="<fim_prefix>", middle="<fim_middle>", suffix="<fim_suffix>", pad="<fim_pad>"),
    # SantaCoder
    Sentinels(prefix="<fim-prefix>", middle="<fim-middle>", suffix="<fim-suffix>", pad="<fim-pad>"),
    # Qwen2.5
    Sentinels(
        prefix="<|fim_prefix|>",
        middle="<|fim_middle|>",
        suffix="<|fim_suffix|>",
        pad="<|fim_pad|>",
    ),
    # DeepSeek: the suffix takes the hole's place, and the middle follows the end
    Sentinels(prefix="<｜fim▁begin｜>", middle="<｜fim▁end｜>", suffix="<｜fim▁hole｜>"),
)
"""By family. Looked up by name: positions in a special-token list differ."""


def sentinels_of(tokens: Collection[str]) -> Sentinels | None:
    """The spelling whose prefix, middle and suffix are all among a tokenizer's `tokens`."""
    for names in SENTINEL_SPELLINGS:
        if {names.prefix, names.middle, names.suffix} <= set(tokens):
            return names
    return None


LORA_TARGETS = {
    "gpt_bigcode": ("c_attn", "c_proj", "c_fc"),
    "starcoder2": ("q_proj", "k_proj", "v_proj", "o_proj", "c_fc", "c_proj"),
    "llama": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
}
"""By `model_type`. GPT-BigCode calls both an attention and an MLP matrix `c_proj`."""

WITHOUT_FLEX_ATTENTION = ("gpt_bigcode",)
"""Values of `model_type` for which transformers raises when it is asked for flex_attention."""

EMBEDDINGS = ("wte", "embed_tokens", "embed_in", "lm_head", "embed_out")
"""Input and output embeddings. Where one weight is both, an adapter on either merges to another
model: the merge changes both, the training one. Learned positions (`wpe`) merge well."""


def lora_targets(lora: Lora, model_type: str | None) -> tuple[str, ...] | None:
    """The recipe's targets, else the family's; None where neither is known."""
    return lora.targets or LORA_TARGETS.get(model_type or "")


def target_problem(
    lora: Lora, model_type: str | None, modules: Collection[str], *, tied: bool = True
) -> str | None:
    """Why these targets cannot be adapted, or None.

    `modules` are last parts of module names; `tied`: whether one weight is both embeddings.
    """
    targets = lora_targets(lora, model_type)
    if targets is None:
        return f"the family {model_type} has no list of its own; name the modules to adapt"
    for target in targets:
        if tied and target in EMBEDDINGS:
            return f"an adapter on {target} breaks the model when merged (tied embeddings)"
        if target not in modules:
            return f"{target} matches no module of the base; it has {', '.join(sorted(modules))}"
    return None


FAMILY_LICENCES = {
    "bigcode/starcoder": "bigcode-openrail-m",
    "bigcode/starcoderbase": "bigcode-openrail-m",
    "bigcode/starcoderbase-1b": "bigcode-openrail-m",
    "bigcode/starcoderbase-3b": "bigcode-openrail-m",
    "bigcode/starcoderbase-7b": "bigcode-openrail-m",
    "bigcode/starcoder2-3b": "bigcode-openrail-m",
    "bigcode/starcoder2-7b": "bigcode-openrail-m",
    "bigcode/starcoder2-15b": "bigcode-openrail-m",
    "bigcode/santacoder": "bigcode-openrail-m",
}
"""By Hub id, from the models' cards."""


def _gpt_bigcode(
    layers: int, width: int, heads: int, positions: int = 8192, vocabulary: int = 49152
) -> dict[str, Any]:
    return {
        "model_type": "gpt_bigcode",
        "n_layer": layers,
        "n_embd": width,
        "n_head": heads,
        "n_inner": 4 * width,
        "n_positions": positions,
        "vocab_size": vocabulary,
        "multi_query": True,
    }


def _starcoder2(
    layers: int, width: int, heads: int, kv_heads: int, *, tied: bool
) -> dict[str, Any]:
    return {
        "model_type": "starcoder2",
        "num_hidden_layers": layers,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 16384,
        "sliding_window": 4096,
        "vocab_size": 49152,
        "tie_word_embeddings": tied,
    }


CONFIGS: dict[str, dict[str, Any]] = {
    "bigcode/starcoderbase-1b": _gpt_bigcode(24, 2048, 16),
    "bigcode/starcoderbase-3b": _gpt_bigcode(36, 2816, 22),
    "bigcode/starcoderbase-7b": _gpt_bigcode(42, 4096, 32),
    "bigcode/starcoderbase": _gpt_bigcode(40, 6144, 48),
    "bigcode/starcoder": _gpt_bigcode(40, 6144, 48),
    "bigcode/tiny_starcoder_py": _gpt_bigcode(20, 768, 12),
    "bigcode/gpt_bigcode-santacoder": _gpt_bigcode(24, 2048, 16, 2048, 49280),
    "bigcode/starcoder2-3b": _starcoder2(30, 3072, 24, 2, tied=True),
    "bigcode/starcoder2-7b": _starcoder2(32, 4608, 36, 4, tied=True),
    "bigcode/starcoder2-15b": _starcoder2(40, 6144, 48, 4, tied=False),
}
"""What config.json of a Hub id says of its size, for planning without a download."""
