"""Merged folders of small GPT-BigCodes whose random weights are large enough to matter."""

import pytest

from finetune.tokenizer import train_tokenizer
from tests.conftest import PYTHON
from tests.generation.conftest import make_model

ABOUT = {"name": "small", "license": "mit"}


@pytest.fixture
def merged(tmp_path):
    """`merged(family)`: the folder of a model of `tests.generation.conftest.FAMILIES`."""

    def make(family="gpt_bigcode"):
        folder = tmp_path / family
        make_model(family).save_pretrained(folder)
        train_tokenizer([PYTHON] * 4, vocabulary=300, positions=128, folder=folder)
        return folder

    return make
