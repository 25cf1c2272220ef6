"""Two real ranks under DeepSpeed ZeRO-3 on the CPU against one process, full and LoRA."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.training.conftest import LORA, losses_of

ROOT = Path(__file__).parent.parent.parent
LOSS_TOLERANCE = 1e-5
WEIGHT_TOLERANCE = 1e-4
"""Measured 1e-8 and below 1e-6; the order of additions differs between ranks."""


def assert_same_curve(run: Path, other: Path) -> None:
    mine, theirs = losses_of(run), losses_of(other)
    assert list(mine) == list(theirs) == list(range(1, 11))
    assert max(abs(mine[step] - theirs[step]) for step in mine) < LOSS_TOLERANCE


def assert_close_weights(file: Path, other: Path) -> None:
    mine, theirs = load_file(file), load_file(other)
    assert mine.keys() == theirs.keys()
    assert mine
    for name, tensor in mine.items():
        assert tensor.numel() > 0
        assert (tensor - theirs[name]).abs().max() < WEIGHT_TOLERANCE


def launch(
    config: str, recipe: Path, runs: Path, *overrides: str
) -> "subprocess.CompletedProcess[str]":
    """What a person types by hand, from the checkout's folder."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "accelerate.commands.launch"),
            *("--config_file", f"deepspeed_configs/{config}.yaml"),
            *("recipes/train.py", str(recipe), *overrides, "--runs", str(runs)),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=560,
    )


def test_full_tuning_on_two_zero3_ranks_equals_one_process(train, runs, unbroken):
    output = train("engine=zero3")
    assert "on 2 process(es)" in output
    assert_same_curve(runs / "tiny", unbroken())
    weights = Path("model", "model.safetensors")
    assert_close_weights(runs / "tiny" / weights, unbroken() / weights)


def test_lora_on_two_zero3_ranks_started_by_accelerate_equals_one_process(recipe, runs, unbroken):
    done = launch("cpu_zero3", recipe, runs, "engine=zero3", LORA)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same_curve(runs / "tiny", unbroken(LORA))
    weights = Path("adapter", "adapter_model.safetensors")
    assert_close_weights(runs / "tiny" / weights, unbroken(LORA) / weights)


def test_the_adapter_has_learned_something(unbroken):
    weights = load_file(unbroken(LORA) / "adapter" / "adapter_model.safetensors")
    second = [tensor for name, tensor in weights.items() if "lora_B" in name]
    # 2 layers of c_attn, attention's c_proj, c_fc, the MLP's c_proj; lora_B starts at zero
    assert len(second) == 8
    assert all(tensor.abs().max() > 0 for tensor in second)


def test_zero3_saves_the_shapes_of_the_unsharded_model(train, runs, unbroken):
    train("engine=zero3", "train.tokens=1024")
    mine = load_file(runs / "tiny" / "model" / "model.safetensors")
    theirs = load_file(unbroken() / "model" / "model.safetensors")
    assert {n: t.shape for n, t in mine.items()} == {n: t.shape for n, t in theirs.items()}


@pytest.mark.parametrize(("config", "engine"), [("cpu_single", "zero3"), ("cpu_ddp", "single")])
def test_a_launcher_that_contradicts_the_recipe_is_refused(config, engine, recipe, runs):
    done = launch(config, recipe, runs, f"engine={engine}")
    assert done.returncode != 0
    assert f"engine: the recipe says {engine}, the launcher started" in done.stderr
    assert not (runs / "tiny" / "log.jsonl").exists()


def test_accumulation_does_not_change_the_curve(train, runs, unbroken):
    train("train.micro_batch=8")
    assert_same_curve(runs / "tiny", unbroken())


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ddp", "zero1", "zero2"])
@pytest.mark.parametrize("tune", [None, LORA], ids=["full", "lora"])
def test_every_other_engine_on_two_ranks_equals_one_process(engine, tune, train, runs, unbroken):
    overrides = (tune,) if tune else ()
    train(f"engine={engine}", *overrides)
    assert_same_curve(runs / "tiny", unbroken(*overrides))


@pytest.mark.slow
def test_zero3_resumes_where_sigterm_stopped_it(start, train, runs, unbroken):
    import signal

    from tests.training.test_kills import wait_for_step

    process = start("train", "engine=zero3")
    wait_for_step(runs / "tiny", 3, process)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 143, output
    assert "resumed from step-" in train("engine=zero3")
    assert_same_curve(runs / "tiny", unbroken())
    weights = Path("model", "model.safetensors")
    assert_close_weights(runs / "tiny" / weights, unbroken() / weights)
