"""A StarCoderBase in miniature: the same architecture and tokens, other sizes."""

from pathlib import Path

import torch
from transformers import GenerationConfig, GPTBigCodeConfig, GPTBigCodeForCausalLM
from transformers.utils.logging import disable_progress_bar

from finetune.recipe.schema import ScratchModel
from finetune.tokenizer import CodeTokenizer


def make_model(section: ScratchModel, folder: Path) -> int:
    """Write config.json, generation_config.json and random weights beside the tokenizer.

    The vocabulary is the tokenizer's own size. Returns the number of parameters.
    """
    disable_progress_bar()
    tokenizer = CodeTokenizer(folder)
    config = GPTBigCodeConfig(
        vocab_size=tokenizer.size,
        n_positions=section.positions,
        n_embd=section.width,
        n_layer=section.layers,
        n_head=section.heads,
        n_inner=4 * section.width,
        activation_function="gelu_pytorch_tanh",
        multi_query=True,
        attn_pdrop=section.dropout,
        resid_pdrop=section.dropout,
        embd_pdrop=section.dropout,
        bos_token_id=tokenizer.eod,
        eos_token_id=tokenizer.eod,
        pad_token_id=tokenizer.pad,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(section.seed)
        model = GPTBigCodeForCausalLM(config)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.eod, eos_token_id=tokenizer.eod, pad_token_id=tokenizer.pad
    )
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())
