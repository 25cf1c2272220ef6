"""Fixtures for every test: the reference data that lies beside the checkout, a tokenizer."""

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
