"""A small model folder, a task of one's own, and a jail."""

import json
import shutil
from pathlib import Path

import pytest

from finetune.errors import Refused
from finetune.jail import find_backend
from finetune.models.scratch import make_model
from finetune.recipe.schema import ScratchModel, TaskChoice
from finetune.run_folder import RunFolder

ROWS = [
    # Whatever is written behind it is a comment, so the answer is right.
    {"id": "right", "prompt": "def f(x):\n    return 2 * x\n#", "tests": "assert f(2) == 4"},
    {"id": "wrong", "prompt": "def f(x):\n    return 3 * x\n#", "tests": "assert f(2) == 4"},
]


@pytest.fixture
def own(tmp_path) -> TaskChoice:
    """A task of two problems, two samples each."""
    file = tmp_path / "own.jsonl"
    rows = [{**row, "language": "python", "stops": ["\n"]} for row in ROWS]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TaskChoice(name="doubling", file=str(file), samples=2, max_new_tokens=4)


@pytest.fixture
def with_erlang(own) -> TaskChoice:
    """The same with a problem in a language for which there is no runner."""
    file = Path(own.file)
    odd = {"id": "odd", "language": "erlang", "prompt": "f(X) ->", "tests": "f(2) =:= 4."}
    file.write_text(file.read_text() + json.dumps(odd) + "\n")
    return own


@pytest.fixture
def jail():
    try:
        return find_backend()
    except Refused as error:
        pytest.skip(str(error))


@pytest.fixture
def run(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "mine")


@pytest.fixture
def model(tiny_tokenizer, tmp_path) -> Path:
    shutil.copytree(tiny_tokenizer, tmp_path / "model")
    made = ScratchModel(layers=1, width=16, heads=1, positions=64, licence="mit")
    make_model(made, tmp_path / "model")
    return tmp_path / "model"
