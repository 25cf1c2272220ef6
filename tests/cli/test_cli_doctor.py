"""`finetune doctor`: what a person sees, and the exit code."""

import json

import pytest

RECIPE = """\
name: small
base: {scratch: {layers: 1, width: 32, heads: 1, positions: 128, vocabulary: 300, licence: mit}}
data:
  sources: [{format: source_code, path: src}]
  holdout: 0.3
  workers: 1
sequences: {length: 64}
tune: {method: full}
train: {tokens: 512, batch_tokens: 256, learning_rate: 1e-3, precision: fp32, micro_batch: 2}
"""


@pytest.fixture
def small(tmp_path):
    """A recipe of a base from scratch, and its source."""
    for number in range(9):
        file = tmp_path / "src" / f"p{number}" / "a.py"
        file.parent.mkdir(parents=True)
        file.write_text(f"def f_{number}(x):\n    return x * {number} + {number * 7}\n" * 4)
    (tmp_path / "small.yaml").write_text(RECIPE)


def test_a_healthy_run_ends_with_0_and_a_faulty_one_with_3(finetune, small, tmp_path):
    healthy = finetune("doctor", "small.yaml")
    assert healthy.code == 0, healthy
    checks = [line for line in healthy.out if line.startswith(("tokenizer", "ends", "gradients"))]
    assert [line.split()[:2] for line in checks] == [
        ["tokenizer", "ok"],
        ["ends", "ok"],
        ["gradients", "ok"],
    ]
    assert len({line.index(" ok") for line in checks}) == 1, "verdicts are aligned"
    run = tmp_path / "runs" / "small"
    assert json.loads((run / "doctor.json").read_text())["healthy"] is True
    assert not (run / "model").exists()
    assert not (run / "log.jsonl").exists()

    faulty = finetune("doctor", "small.yaml", "train.learning_rate=1")
    assert faulty.code == 3, faulty
    assert faulty.err[-1].startswith("doctor: 1 fault: learning rate; doctor.json")
    at = next(n for n, line in enumerate(faulty.out) if line.startswith("learning rate"))
    assert "FAULT" in faulty.out[at]
    assert faulty.out[at + 1].strip().startswith("cause: ")
    assert faulty.out[at + 2].strip() == "remedy: set train.learning_rate to 0.003 or less"


def test_a_mistake_in_the_recipe_ends_with_2_and_makes_nothing(refused, recipe):
    assert "lerning_rate" in refused("train.lerning_rate=1", command="doctor")
