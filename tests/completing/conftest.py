"""A run whose model has learned one document by heart, in a second of real training."""

import json
from pathlib import Path

import pytest
import torch
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from data_formats.document import Document
from finetune.corpus.store import write_documents
from finetune.generation.infill import Gap, psm_prompt
from finetune.run_folder import RunFolder
from finetune.tokenizer import CodeTokenizer, train_tokenizer
from finetune.trace import build_index
from tests.conftest import PYTHON

PREFIX = "def total(values):\n"
MIDDLE = "    result = 0\n    for value in values:\n        result += value\n    return result\n"
SUFFIX = "\n\nprint(total([1, 2]))\n"
LICENCE = "---\nlicense: bigcode-openrail-m\n---\n"


def document(name, text, licence="MIT"):
    return Document(text=text, path=name, repo="someone/lib", language="python", licence=licence)


def learned_by_heart(folder, positions=160):
    """A GPT-BigCode that writes MIDDLE between PREFIX and SUFFIX, and its tokenizer."""
    train_tokenizer([PYTHON] * 4, vocabulary=300, positions=positions, folder=folder)
    tokenizer = CodeTokenizer(folder)
    prompt = psm_prompt(Gap(PREFIX, SUFFIX), tokenizer, 100)
    ids = torch.tensor([[*prompt, *tokenizer.encode(MIDDLE), tokenizer.eod]])
    config = GPTBigCodeConfig(
        vocab_size=300,
        n_embd=64,
        n_layer=2,
        n_head=4,
        n_positions=positions,
        attn_pdrop=0.0,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = GPTBigCodeForCausalLM(config)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    loss = torch.tensor(9.0)
    for _ in range(300):
        loss = model(input_ids=ids, labels=ids).loss
        if loss < 0.05:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.05, "the text was not learned by heart"
    model.save_pretrained(folder)


@pytest.fixture(scope="session")
def learned(tmp_path_factory) -> Path:
    """A run as `prepare` and `merge` leave it; not to be changed."""
    run = RunFolder(tmp_path_factory.mktemp("learned") / "runs" / "mine")
    learned_by_heart(run.merged)
    (run.merged / "README.md").write_text(LICENCE)
    run.train_corpus.parent.mkdir(parents=True)
    inside = "import math\n\n" + PREFIX + MIDDLE + "\n"
    write_documents(
        run.train_corpus,
        [document("src/other.py", "x = 1\n" * 30), document("src/sums.py", inside, "LGPL-3.0")],
    )
    build_index(run.train_corpus, run.trace)
    run.stages.write_text(json.dumps({}))
    return run.path


@pytest.fixture
def code(tmp_path) -> Path:
    """The file to be completed: its line 1 is PREFIX, and a person's cursor is at its line 2."""
    file = tmp_path / "mine.py"
    file.write_text(PREFIX + SUFFIX)
    return file
