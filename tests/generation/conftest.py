"""One small model of each family, its random weights enlarged so that what it writes depends on
what it reads; and requests of many lengths."""

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTBigCodeConfig,
    GPTBigCodeForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Starcoder2Config,
    Starcoder2ForCausalLM,
)

from finetune.generation.completion import Request
from finetune.generation.engine import LocalModel
from finetune.tokenizer import CodeTokenizer

SIZES = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 4,
}
GROUPED = {**SIZES, "intermediate_size": 64, "num_key_value_heads": 2}
DROPOUTS = {"attn_pdrop": 0.0, "resid_pdrop": 0.0, "embd_pdrop": 0.0}

FAMILIES = {
    "gpt_bigcode": (GPTBigCodeForCausalLM, GPTBigCodeConfig(**SIZES, **DROPOUTS)),
    "gpt_bigcode_all_heads": (
        GPTBigCodeForCausalLM,
        GPTBigCodeConfig(**SIZES, **DROPOUTS, multi_query=False),
    ),
    "starcoder2": (Starcoder2ForCausalLM, Starcoder2Config(**GROUPED, sliding_window=None)),
    # Narrower than the prompts: most rows forget their beginning.
    "starcoder2_window": (Starcoder2ForCausalLM, Starcoder2Config(**GROUPED, sliding_window=8)),
    "llama": (LlamaForCausalLM, LlamaConfig(**GROUPED)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**GROUPED)),
    "gpt2": (GPT2LMHeadModel, GPT2Config(**SIZES, **DROPOUTS)),
    # States no positions, and its forward takes none.
    "bloom": (BloomForCausalLM, BloomConfig(**SIZES)),
}


def make_model(family):
    kind, config = FAMILIES[family]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = kind(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 2:
                    parameter.normal_(0, 0.3)
    return model


@pytest.fixture(scope="session")
def code_tokenizer(tiny_tokenizer):
    return CodeTokenizer(tiny_tokenizer)


@pytest.fixture(scope="session")
def small_gpt():
    return make_model("gpt_bigcode")


@pytest.fixture
def local(small_gpt, code_tokenizer):
    """`local(**how)`: a back end of the small GPT-BigCode."""

    def made(**how):
        return LocalModel(model=small_gpt, tokenizer=code_tokenizer, name="small", **how)

    return made


def requests_of(count, *, samples=1, stops=()):
    """Prompts from one to forty tokens, none sorted by length."""
    return [
        Request(
            task="t",
            id=str(number),
            sample=sample,
            prompt=f"def f_{number}(x):\n    "[number % 5 : 3 + 7 * number % 17]
            + "v " * (number % 9),
            stops=stops,
        )
        for number in range(count)
        for sample in range(samples)
    ]
