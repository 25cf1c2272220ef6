"""Requests of known models, and small models with random weights."""

import pytest

from finetune.families import CONFIGS
from finetune.planning import Request, architecture_of
from finetune.recipe.schema import Full

GIB = 2**30


@pytest.fixture(scope="session")
def known():
    """`known(name)`: the architecture of `bigcode/<name>`."""
    return lambda name: architecture_of(CONFIGS[f"bigcode/{name}"])


@pytest.fixture(scope="session")
def ask(known):
    """`ask(**changes)`: full tuning of the 1B on one A100-80GB, 64 blocks of 2048 a step."""

    def made(name="starcoderbase-1b", **changes):
        usual = {
            "architecture": known(name),
            "tune": Full(method="full"),
            "engine": "single",
            "processes": 1,
            "memory": 80 * GIB,
            "length": 2048,
            "blocks": 64,
        }
        return Request(**(usual | changes))

    return made
