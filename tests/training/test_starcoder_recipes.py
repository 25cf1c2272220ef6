"""The recipes for real StarCoder models: planned for their machines, and run on a small scale."""

import json
import os
import subprocess

import pytest

from finetune.cli import main
from finetune.shipped import shipped
from tests.training.conftest import FINETUNE

RECIPES = {file.stem: file for file in sorted(shipped("recipes/starcoder").glob("*.yaml"))}
BASES = (
    "bigcode/starcoderbase-1b",
    "bigcode/starcoderbase-3b",
    "bigcode/starcoderbase-7b",
    "bigcode/starcoderbase",
    "bigcode/starcoder2-3b",
    "bigcode/starcoder2-7b",
    "bigcode/starcoder2-15b",
)
SMALL = (
    "base={scratch: {layers: 2, width: 64, heads: 1, positions: 128, vocabulary: 512, "
    "licence: apache-2.0}}",
    "data.sources=[{format: source_code, package: json, language: python}, "
    "{format: source_code, package: email, language: python}]",
    "data.holdout=0.1",
    "sequences.length=128",
    "train.tokens=4096",
    "train.batch_tokens=1024",
    "train.attention=sdpa",
    "train.validation_tokens=512",
    "evaluate={infilling_problems: 2, loss_tokens: 1024}",
)
"""What makes a laptop's copy; method, engine, precision and schedule stay."""


def test_there_is_a_recipe_for_each_job():
    assert list(RECIPES) == ["full", "lora", "python_pretraining", "qlora"]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", RECIPES)
def test_each_base_passes_check(name, base, tmp_path, capsys):
    arguments = ["check", str(RECIPES[name]), f"base={base}", "--runs", str(tmp_path)]
    assert main(arguments) == 0, capsys.readouterr().err


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", RECIPES)
def test_each_base_fits_eight_a100_80gb(name, base, tmp_path, capsys):
    recipe = [str(RECIPES[name]), f"base={base}", "--runs", str(tmp_path)]
    gpus = "1xA100-80GB" if name == "qlora" else "8xA100-80GB"
    assert main(["plan", *recipe, "--gpus", gpus, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fits"]


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_small_copy_runs_to_its_release(name, tmp_path):
    command = [*FINETUNE, "run", str(RECIPES[name]), *SMALL, "--runs", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    (run,) = tmp_path.iterdir()
    proof = json.loads((run / "merged" / "merge.json").read_text())
    assert proof["max_abs_logit_difference"] <= proof["tolerance"]
    assert (run / "release" / "model.safetensors").is_file()
