"""The doctor through the launcher, on two ranks that share the weights out."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from finetune.recipe import load_recipe
from finetune.run_folder import RunFolder
from tests.training.conftest import FINETUNE
from tests.training.doctor.conftest import copy_prepared
from tests.training.doctor.test_doctor_files import rewrite


@pytest.fixture
def launched(recipe_file, prepared, base, tmp_path):
    """`launched(code, command, *overrides)`: what a command says that ends so."""
    runs = tmp_path / "runs"

    def run(code: int, command: str, *overrides: str) -> str:
        own = (f"base.model={base}", "engine=zero3", *overrides)
        recipe = load_recipe(recipe_file, own).recipe
        copy_prepared(prepared, RunFolder(runs / "patient"), recipe)
        done = subprocess.run(
            [*FINETUNE, command, str(recipe_file), *own, "--runs", str(runs)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=560,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def written(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "runs" / "patient" / "doctor.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_healthy_run_on_two_zero3_ranks(method, launched, tmp_path):
    tune = "{method: full}" if method == "full" else "{method: lora, rank: 4, alpha: 8}"
    said = launched(0, "doctor", f"tune={tune}")
    found = written(tmp_path)
    assert found["healthy"] is True
    assert (found["engine"], found["processes"]) == ("zero3", 2)
    verdicts = {one["check"]: one["verdict"] for one in found["findings"]}
    expected = {"memory": "note", "start": "ok" if method == "lora" else "not applicable"}
    assert verdicts == dict.fromkeys(verdicts, "ok") | expected
    assert said.count("sentinels ") == 1, "rank 0 alone speaks"


@pytest.mark.slow
def test_a_fault_ends_both_ranks_before_a_step_of_training(launched, base, tmp_path):
    name = "transformer.h.0.attn.c_attn.weight"
    rewrite(base, lambda tensors: tensors[name][0].__setitem__(0, float("nan")))
    said = launched(3, "train")
    assert "doctor: 1 fault: finite weights; doctor.json" in said
    assert name in said
    assert "Traceback" not in said
    assert not (tmp_path / "runs" / "patient" / "log.jsonl").exists()
