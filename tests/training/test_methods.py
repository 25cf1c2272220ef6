"""Every tuning method through `finetune train` and `finetune merge`: saved whole, merged equal."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from finetune.models.adapters import load_adapter
from finetune.models.load import load_model
from finetune.models.quantised import compute_in_fp32
from tests.training.conftest import FINETUNE, LORA, losses_of
from tests.training.launched import wait_for_step
from tests.training.test_engines import launch

pytestmark = pytest.mark.slow

DORA = "tune={method: dora, rank: 4, alpha: 8}"
QLORA = "tune={method: qlora, rank: 4, alpha: 8}"
PISSA = "tune={method: lora, rank: 4, alpha: 8, initial: pissa}"
PART = "tune={method: full, trainable: ['*.h.1.*', '*ln_f*']}"
IDS = torch.randint(19, 500, (2, 100), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
def merged(recipe, unbroken, tmp_path_factory):
    """`merged(overrides)`: the run folder of a run in one process, merged as well."""
    made: dict[tuple[str, ...], Path] = {}

    def run(*overrides: str) -> Path:
        if overrides not in made:
            runs = tmp_path_factory.mktemp("merged")
            shutil.copytree(unbroken(*overrides), runs / "tiny")
            command = [*FINETUNE, "merge", str(recipe), *overrides, "--runs", str(runs)]
            subprocess.run(command, check=True, timeout=300)
            made[overrides] = runs / "tiny"
        return made[overrides]

    return run


def logits(model):
    with torch.inference_mode():
        return model.eval()(IDS, use_cache=False).logits


def far(a, b):
    return float((a - b).abs().max())


def train_facts(run):
    return json.loads((run / "stages.json").read_text())["train"]


def assert_merged_equal(run, trained, method):
    proof = json.loads((run / "merged" / "merge.json").read_text())
    assert proof["method"] == method
    assert proof["max_abs_logit_difference"] < 1e-4 == proof["tolerance"]
    assert proof["argmax_agreement"] == 1.0
    plain = AutoModelForCausalLM.from_pretrained(run / "merged", dtype=torch.float32)
    base = load_model(run / "base")
    assert {n: p.shape for n, p in plain.named_parameters()} == {
        n: p.shape for n, p in base.named_parameters()
    }
    assert far(logits(plain), logits(trained)) < 1e-4
    assert far(logits(plain), logits(base)) > 1e-3  # ten steps have moved it


@pytest.mark.parametrize("tune", [LORA, DORA], ids=["lora", "dora"])
def test_an_adapter_is_trained_saved_and_merged(merged, tune):
    run = merged(tune)
    weights = load_file(run / "adapter" / "adapter_model.safetensors")
    # two layers; c_attn, attention's c_proj, c_fc, the MLP's c_proj
    assert len([name for name in weights if "lora_B" in name]) == 8
    assert all(tensor.any() for name, tensor in weights.items() if "lora_B" in name)
    magnitudes = [name for name in weights if "lora_magnitude_vector" in name]
    assert len(magnitudes) == (8 if tune == DORA else 0)
    facts = train_facts(run)
    assert facts["trainable_parameters"] == sum(tensor.numel() for tensor in weights.values())
    assert sum(facts["adapted_modules"].values()) == 8
    trained = load_adapter(load_model(run / "base"), run / "adapter")
    assert_merged_equal(run, trained, "dora" if tune == DORA else "lora")


def test_an_adapter_on_4_bits_is_trained_saved_and_merged(merged):
    pytest.importorskip("bitsandbytes", reason="pip install 'finetune-code[qlora]'")
    run = merged(QLORA)
    base = load_model(run / "base", quantised=True, dtype=torch.float32)
    assert_merged_equal(run, load_adapter(compute_in_fp32(base), run / "adapter"), "qlora")
    assert "quantization_config" not in json.loads((run / "merged" / "config.json").read_text())
    curve, in_full = losses_of(run), losses_of(merged(LORA))
    assert curve != in_full
    assert max(abs(curve[step] - in_full[step]) for step in curve) < 0.05


def test_part_of_the_weights_is_trained_and_all_are_saved(merged):
    run = merged(PART)
    base = load_file(run / "base" / "model.safetensors")
    tuned = load_file(run / "model" / "model.safetensors")
    assert tuned.keys() == base.keys()
    changed = {name for name in tuned if not torch.equal(tuned[name], base[name])}
    assert changed == {name for name in base if ".h.1." in name or "ln_f" in name}
    assert train_facts(run)["trainable_parameters"] == sum(base[name].numel() for name in changed)
    assert_merged_equal(run, load_model(run / "model"), "none")


@pytest.mark.slow
def test_an_adapter_from_the_principal_part_is_trained_saved_and_merged(merged):
    run = merged(PISSA)
    weights = load_file(run / "adapter" / "adapter_model.safetensors")
    assert {t.shape[0] for name, t in weights.items() if "lora_A" in name} == {8}
    assert_merged_equal(run, load_adapter(load_model(run / "base"), run / "adapter"), "lora")


def assert_same_run(run, other, weights):
    mine, theirs = losses_of(run), losses_of(other)
    assert list(mine) == list(theirs) == list(range(1, 11))
    assert max(abs(mine[step] - theirs[step]) for step in mine) < 1e-5
    found, wanted = load_file(run / weights), load_file(other / weights)
    assert found.keys() == wanted.keys()
    return max(far(found[name], wanted[name]) for name in wanted)


ADAPTER = Path("adapter", "adapter_model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tune", "engine"),
    [(DORA, "zero3"), (PISSA, "zero3"), (QLORA, "ddp"), (QLORA, "zero2")],
    ids=["dora-zero3", "pissa-zero3", "qlora-ddp", "qlora-zero2"],
)
def test_two_ranks_train_the_adapter_of_one(train, runs, unbroken, tune, engine):
    train(tune, f"engine={engine}")
    assert assert_same_run(runs / "tiny", unbroken(tune), ADAPTER) < 1e-4


@pytest.mark.slow
def test_part_of_the_weights_on_two_zero3_ranks_equals_one_process(train, runs, unbroken):
    train(PART, "engine=zero3")
    weights = Path("model", "model.safetensors")
    assert assert_same_run(runs / "tiny", unbroken(PART), weights) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("tune", [None, LORA], ids=["full", "lora"])
def test_activation_checkpointing_changes_nothing_under_zero3(train, runs, unbroken, tune):
    overrides = (tune,) if tune else ()
    train(*overrides, "engine=zero3", "train.activation_checkpointing=true")
    weights = ADAPTER if tune else Path("model", "model.safetensors")
    assert assert_same_run(runs / "tiny", unbroken(*overrides), weights) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("tune", [PISSA, QLORA, PART], ids=["pissa", "qlora", "part"])
def test_a_run_that_was_stopped_ends_with_the_weights_of_one_that_was_not(
    start, train, runs, unbroken, tune
):
    process = start("train", tune)
    wait_for_step(runs / "tiny", 3, process)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 143, output
    assert "resumed from step-" in train(tune)
    weights = Path("model", "model.safetensors") if tune == PART else ADAPTER
    assert assert_same_run(runs / "tiny", unbroken(tune), weights) == 0.0


@pytest.mark.slow
def test_a_launcher_started_by_hand_refuses_4_bits_under_zero3(recipe, runs):
    done = launch("cpu_zero3", recipe, runs, "engine=zero3", QLORA)
    assert done.returncode != 0
    assert "engine: zero3 cannot share out weights in 4 bits; choose engine ddp" in done.stderr
    assert not (runs / "tiny" / "log.jsonl").exists()


def test_a_pattern_that_matches_nothing_stops_before_the_launcher(train, runs):
    output = train("tune={method: full, trainable: ['*.h.9.*']}", code=2)
    assert "tune.trainable: `*.h.9.*` matches no weight of the base" in output
    assert not (runs / "tiny" / "log.jsonl").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about a machine without a GPU")
def test_fp16_without_a_gpu_stops_before_the_launcher(train, runs):
    output = train("train.precision=fp16", code=2)
    assert "train.precision: fp16 needs a GPU; use bf16 or fp32" in output
    assert not (runs / "tiny" / "log.jsonl").exists()
