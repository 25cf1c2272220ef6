"""The real `finetune` command in a process of its own, a model folder and a recipe for it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

FINETUNE = Path(sys.executable).with_name("finetune")

RECIPE = """\
name: tuned
base: ./model
data:
  sources:
    - {format: source_code, path: src}
sequences: {length: 64}
train: {tokens: 256, batch_tokens: 128}
publish: {repo: me/tuned, hub: ./hub}
"""


@dataclass
class Ran:
    """How a command ended. `out` and `err` are lines."""

    code: int
    out: list[str]
    err: list[str]


@pytest.fixture
def finetune(tmp_path):
    """`finetune(*arguments)`: run the console command in the test's folder."""
    assert FINETUNE.is_file(), "install the package: pip install -e ."

    def run(*arguments):
        done = subprocess.run(
            [str(FINETUNE), *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout.splitlines(), done.stderr.splitlines())

    return run


@pytest.fixture
def recipe(tmp_path, model_folder):
    """A recipe that `check` accepts, with a base and a source of one file beside it."""
    assert model_folder == tmp_path / "model"
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x = 1\n")
    file = tmp_path / "r.yaml"
    file.write_text(RECIPE)
    return file


@pytest.fixture
def refused(finetune, recipe, tmp_path):
    """`refused(*overrides, command=...)`: the one line of a mistake; nothing was made."""

    def message(*overrides, command="check"):
        before = sorted(tmp_path.rglob("*"))
        ran = finetune(command, "r.yaml", *overrides)
        assert ran.code == 2, ran
        assert ran.out == []
        assert len(ran.err) == 1, ran.err
        assert sorted(tmp_path.rglob("*")) == before, "nothing is written for a mistake"
        return ran.err[0]

    return message
