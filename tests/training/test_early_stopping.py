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
    "train.learning_rate=0.05",
    "train.schedule=constant",
    "train.warmup=0.6",
    "train.validate_every=1",
    "train.checkpoint_every=100",
    "train.keep_checkpoints=1",
)
"""The rate rises until the loss does."""


@pytest.fixture(scope="module")
def spoilt(recipe, prepared, tmp_path_factory):
    """The run and what it said."""
    run = tmp_path_factory.mktemp("spoilt") / "tiny"
    shutil.copytree(prepared, run)
    rule = "train.early_stopping={patience: 2}"
    command = [*FINETUNE, "train", str(recipe), *SPOILT, rule, "--runs", str(run.parent)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return run, ran.stderr


def test_the_best_weights_are_kept_and_the_rest_given_up(spoilt):
    run, said = spoilt
    lines = [line for line in read_lines(run / "log.jsonl") if "validation" in line]
    means = {one["step"]: sum(one["validation"].values()) / 3 for one in lines if one["step"]}
    best, last = min(means, key=means.get), max(means)
    assert last == best + 2 < 10, means
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
