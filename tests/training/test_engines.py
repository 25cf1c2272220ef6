"""Two real ranks under each engine on the CPU against one process."""

import shutil
import subprocess
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.training.conftest import FINETUNE, LORA
from tests.training.launched import (
    assert_close_weights,
    assert_same_curve,
    by_hand,
    wait_for_step,
)


def launch(
    config: str, recipe: Path, runs: Path, *overrides: str
) -> "subprocess.CompletedProcess[str]":
    """What a person types by hand, from the checkout's folder."""
    process = by_hand(config, recipe, runs, *overrides, stderr=subprocess.PIPE)
    said, complained = process.communicate(timeout=560)
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def test_full_tuning_on_two_zero3_ranks_equals_one_process(train, runs, unbroken):
    output = train("engine=zero3")
    assert "on 2 process(es)" in output
    assert_same_curve(runs / "tiny", unbroken())
    assert_close_weights(runs / "tiny", unbroken())


def test_lora_on_two_zero3_ranks_started_by_accelerate_equals_one_process(recipe, runs, unbroken):
    done = launch("cpu_zero3", recipe, runs, "engine=zero3", LORA)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same_curve(runs / "tiny", unbroken(LORA))
    assert_close_weights(runs / "tiny", unbroken(LORA))


def test_the_adapter_has_learned_something(unbroken):
    weights = load_file(unbroken(LORA) / "adapter" / "adapter_model.safetensors")
    second = [tensor for name, tensor in weights.items() if "lora_B" in name]
    # 2 layers of c_attn, attention's c_proj, c_fc, the MLP's c_proj; lora_B starts at zero
    assert len(second) == 8
    assert all(tensor.abs().max() > 0 for tensor in second)


@pytest.mark.parametrize(
    ("config", "engine"),
    [
        ("cpu_single", "zero3"),
        ("cpu_ddp", "single"),
        pytest.param("cpu_zero3_offload", "zero3", marks=pytest.mark.slow),
        pytest.param("cpu_zero3", "zero3_offload", marks=pytest.mark.slow),
    ],
)
def test_a_launcher_that_contradicts_the_recipe_is_refused(config, engine, recipe, runs):
    done = launch(config, recipe, runs, f"engine={engine}")
    assert done.returncode != 0
    assert f"engine: the recipe says {engine}, the launcher started" in done.stderr
    assert not (runs / "tiny" / "log.jsonl").exists()


@pytest.fixture(scope="module")
def in_one_pass(recipe, prepared, tmp_path_factory):
    """8 blocks in one pass; the folder of runs, and what it said."""
    runs = tmp_path_factory.mktemp("in_one_pass")
    shutil.copytree(prepared, runs / "tiny")
    command = [*FINETUNE, "train", str(recipe), "train.micro_batch=8", "--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return runs, done.stderr


def test_accumulation_does_not_change_the_curve(in_one_pass, unbroken):
    """Against 4 passes of 2."""
    assert_same_curve(in_one_pass[0] / "tiny", unbroken())


def test_the_command_that_is_started_is_shown_as_it_can_be_typed(in_one_pass, recipe):
    runs, said = in_one_pass
    (line,) = [line for line in said.splitlines() if "accelerate launch" in line]
    command = line.removeprefix("train: ").split()
    assert command[:3] == ["accelerate", "launch", "--config_file"]
    assert Path(command[3]).is_file()
    assert command[-4:] == [str(recipe), "train.micro_batch=8", "--runs", str(runs)]


@pytest.mark.slow
def test_one_block_at_a_time_does_not_change_the_curve(train, runs, unbroken):
    train("train.micro_batch=1")
    assert_same_curve(runs / "tiny", unbroken())
    assert_close_weights(runs / "tiny", unbroken())


@pytest.mark.slow
@pytest.mark.parametrize("micro_batch", [1, 4])
@pytest.mark.parametrize("engine", ["ddp", "zero2", "zero3"])
def test_two_ranks_of_four_blocks_equal_one_of_eight(engine, micro_batch, train, runs, unbroken):
    train(f"engine={engine}", f"train.micro_batch={micro_batch}")
    assert_same_curve(runs / "tiny", unbroken())
    assert_close_weights(runs / "tiny", unbroken())


@pytest.mark.slow
def test_zero3_resumes_where_sigterm_stopped_it(start, train, runs, unbroken):
    import signal

    process = start("train", "engine=zero3")
    wait_for_step(runs / "tiny", 3, process)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 143, output
    assert "resumed from step-" in train("engine=zero3")
    assert_same_curve(runs / "tiny", unbroken())
    assert_close_weights(runs / "tiny", unbroken())
