"""A real run that is given up: the weights of its best validation are what it leaves."""

import json
import shutil
import subprocess

import pytest
from ruamel.yaml import YAML
from safetensors.torch import load_file

from finetune.run_folder import read_lines
from tests.training.conftest import FINETUNE

SPOILT = (
    "train.validate_every=1",
    "train.checkpoint_every=100",
    "train.keep_checkpoints=1",
    "train.early_stopping={patience: 2, min_improvement: 100}",
)
"""No validation is better than the first by so much."""


@pytest.fixture(scope="module")
def spoilt(recipe, prepared, tmp_path_factory):
    """The run and what it said."""
    run = tmp_path_factory.mktemp("spoilt") / "tiny"
    shutil.copytree(prepared, run)
    command = [*FINETUNE, "train", str(recipe), *SPOILT, "--runs", str(run.parent)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return run, ran.stderr


def test_the_best_weights_are_kept_and_the_rest_given_up(spoilt):
    run, said = spoilt
    steps = [line["step"] for line in read_lines(run / "log.jsonl") if "loss" in line]
    best, last = 1, 3
    assert steps == [1, 2, 3]
    decided = YAML(typ="safe").load(run / "recipe.yaml")["train"]
    assert (decided["micro_batch"], decided["activation_checkpointing"]) == (2, False)
    record = json.loads((run / "stages.json").read_text())["train"]
    assert (record["steps"], record["kept_step"]) == (last, best)
    assert f"kept the weights of step {best}, the best measured" in said
    folder = run / "checkpoints" / f"step-{best}" / "weights"
    saved = load_file(run / "model" / "model.safetensors")
    assert len(saved) > 10
    for name, weight in saved.items():
        assert (weight == load_file(folder / f"{name}.safetensors")["weight"]).all()


def test_a_step_says_what_it_learned_by_layout_and_what_it_cost(spoilt):
    run, _ = spoilt
    steps = [line for line in read_lines(run / "log.jsonl") if "loss" in line]
    for line in steps:
        assert line["losses"].keys() <= {"left_to_right", "psm", "spm"}
        assert min(line["losses"].values()) <= line["loss"] <= max(line["losses"].values())
        assert 0 <= line["data_wait"] <= 1
        assert line["peak_memory"] > 10_000_000
        assert line["mfu"] is None  # nobody states the peak of this machine's CPU
    assert any(len(line["losses"]) == 3 for line in steps)
