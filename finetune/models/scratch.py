"""A StarCoderBase in miniature: the same architecture and tokens, other sizes."""

import json
from pathlib import Path

import torch
from transformers import GenerationConfig, GPTBigCodeConfig, GPTBigCodeForCausalLM
from transformers.utils.logging import disable_progress_bar

from finetune.corpus import read_documents
from finetune.recipe.schema import ScratchModel
from finetune.run_folder import RunFolder, whole_folder
from finetune.tokenizer import CodeTokenizer, train_tokenizer


def make_base(section: ScratchModel, run: RunFolder) -> int:
    """Write the run's base: a tokenizer trained on its corpus, random weights, a card.

    Returns the number of parameters.
    """
    with whole_folder(run.base) as folder:
        texts = (document.text for document in read_documents(run.train_corpus))
        train_tokenizer(texts, section.vocabulary, section.positions, folder)
        parameters = make_model(section, folder)
        card = f"---\nlicense: {json.dumps(section.licence)}\n---\n"
        (folder / "README.md").write_text(card, encoding="utf-8")
    return parameters


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
