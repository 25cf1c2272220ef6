"""Fixtures for every test: reference data beside the checkout, a tokenizer, a model folder."""

import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune.tokenizer import train_tokenizer

ROOT = Path(__file__).parent.parent

PYTHON = '''\
"""A class and two functions, so that merges are learned from code."""


class Stack:
    def __init__(self, items=None):
        self.items = list(items or [])

    def push(self, item):
        self.items.append(item)
        return self

    def pop(self):
        if not self.items:
            raise IndexError("pop from an empty stack")
        return self.items.pop()


def total(values):
    result = 0
    for value in values:
        result += value
    return result


def largest(values):
    result = None
    for value in values:
        if result is None or value > result:
            result = value
    return result
'''


@pytest.fixture(scope="session", autouse=True)
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests leave nothing in the user's cache, and read nothing from it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINETUNE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data (tokenizers, benchmarks, licence texts) that lies beside the checkout."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no folder `shared` beside the checkout: its reference data is needed")
    return folder


@pytest.fixture(scope="session")
def tiny_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a byte-level BPE of 300 ids with StarCoder's special tokens; not to be changed."""
    folder = tmp_path_factory.mktemp("tiny_tokenizer")
    train_tokenizer([PYTHON] * 4, vocabulary=300, positions=128, folder=folder)
    return folder


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Benchmarks lie in folders alone, whatever packages are installed."""
    monkeypatch.setattr("finetune.tasks.files.PACKAGES", {})


GPT_BIGCODE_WEIGHTS = (
    "transformer.wte.weight",
    "transformer.wpe.weight",
    "transformer.h.0.ln_1.weight",
    "transformer.h.0.ln_2.weight",
    "transformer.h.0.attn.c_attn.weight",
    "transformer.h.0.attn.c_proj.weight",
    "transformer.h.0.mlp.c_fc.weight",
    "transformer.h.0.mlp.c_proj.weight",
    "transformer.ln_f.weight",
)


def write_safetensors_header(file: Path, names: tuple[str, ...] = GPT_BIGCODE_WEIGHTS) -> None:
    """A safetensors file of empty tensors: 8 bytes of length, then JSON."""
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({"__metadata__": {"format": "pt"}, **dict.fromkeys(names, empty)}).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header)


@pytest.fixture
def model_folder(tmp_path: Path, tiny_tokenizer: Path) -> Path:
    """A folder that looks like a GPT-BigCode of 128 positions under MIT; its weights are empty."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_tokenizer, folder)
    config = {"model_type": "gpt_bigcode", "n_positions": 128}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    write_safetensors_header(folder / "model.safetensors")
    return folder


@pytest.fixture
def hub():
    """A Hub on this machine, where the token of these tests is ann's."""
    from tests.hub.server import running_hub
    from tests.publishing.pushed import TOKEN

    with running_hub() as server:
        server.store.tokens[TOKEN] = "ann"
        yield server
