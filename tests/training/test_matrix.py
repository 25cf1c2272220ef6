"""Every method on every engine: trained, saved, reloaded equal, merged with its proof."""

import json
import subprocess

import pytest

from tests.training.conftest import FINETUNE, LORA
from tests.training.launched import assert_close_weights, assert_same_curve

METHODS = {
    "full": "tune={method: full}",
    "lora": LORA,
    "dora": "tune={method: dora, rank: 4, alpha: 8}",
    "qlora": "tune={method: qlora, rank: 4, alpha: 8}",
}
ENGINES = ("single", "ddp", "zero1", "zero2", "zero3", "zero3_offload")
MATRIX = [(m, e) for m in ("full", "lora", "dora") for e in ENGINES]
MATRIX += [("qlora", "single"), ("qlora", "ddp")]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "engine"), MATRIX)
def test_a_method_on_an_engine_is_trained_saved_and_merged(
    method, engine, train, recipe, runs, unbroken
):
    """`train` itself compares what it saved with what it meant, byte for byte."""
    tune = METHODS[method]
    if method == "qlora":
        pytest.importorskip("bitsandbytes", reason="pip install 'finetune-code[qlora]'")
    train(f"engine={engine}", tune)
    assert_same_curve(runs / "tiny", unbroken(tune))
    assert_close_weights(runs / "tiny", unbroken(tune))
    command = [*FINETUNE, "merge", str(recipe), f"engine={engine}", tune, "--runs", str(runs)]
    subprocess.run(command, check=True, timeout=300)
    proof = json.loads((runs / "tiny" / "merged" / "merge.json").read_text())
    assert proof["method"] == ("none" if method == "full" else method)
    assert proof["max_abs_logit_difference"] <= proof["tolerance"]
    assert proof["argmax_agreement"] > 0.99
