"""`finetune plan`, as a user starts it."""

import json
from pathlib import Path

import pytest

PLAN = """\
name: planned
base: bigcode/starcoderbase-1b
data:
  sources:
    - {format: source_code, path: src}
sequences: {length: 8192}
tune: {method: lora}
train: {tokens: 2e8, batch_tokens: 524288}
"""
KEYS = {
    "fits",
    "verdict",
    "gpus",
    "model",
    "choice",
    "memory",
    "run",
    "changes",
    "assumptions",
}


@pytest.fixture
def plan(finetune, tmp_path):
    """`plan(*arguments)`: of a recipe whose sources need not be there."""
    (tmp_path / "p.yaml").write_text(PLAN)
    return lambda *arguments: finetune("plan", "p.yaml", *arguments)


def told(ran):
    assert (ran.code, ran.err) == (0, [])
    return json.loads("\n".join(ran.out))


def test_the_first_line_is_the_verdict(plan):
    ran = plan("--gpus", "A100-80GB")
    assert (ran.code, ran.err) == (0, [])
    assert ran.out[0].startswith("fits: ")
    assert ran.out[0].endswith(" of 76.0 GiB on one A100-80GB")
    text = "\n".join(ran.out)
    for word in ("activations", "micro-batch", "GPU-hours", "kWh", "Qwen-7B", "not prepared yet"):
        assert word in text


def test_what_does_not_fit_is_no_mistake_and_says_what_to_change(plan):
    ran = plan("--gpus", "8xA100-40GB", "base=bigcode/starcoder", "tune={method: full}")
    assert (ran.code, ran.err) == (0, [])
    assert ran.out[0].startswith("does not fit: ")
    assert "What makes it fit, the cheapest first" in "\n".join(ran.out)


def test_json_has_the_documented_keys(plan):
    seen = told(plan("--gpus", "8xA100-80GB", "--json", "engine=ddp", "--price", "2.5"))
    assert seen.keys() == KEYS
    assert seen["fits"] is True
    assert seen["gpus"]["count"] == 8
    assert seen["model"]["parameters"] == 1_137_207_296
    choice = seen["choice"]
    assert choice["micro_batch"] * choice["accumulation"] * 8 == 64
    assert seen["memory"]["total_bytes"] == sum(seen["memory"]["parts"].values())
    assert seen["run"]["price"] == pytest.approx(seen["run"]["gpu_hours"] * 2.5)
    assert seen["changes"] == []


def test_the_readme_names_every_key_of_the_json(plan):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    section = readme.partition("## Planning")[2].partition("\n## ")[0]
    seen = told(plan("--gpus", "2xA10G", "--json", "base=bigcode/starcoderbase", "engine=ddp"))
    named = set(seen).union(*(seen[key] for key in ("gpus", "model", "choice", "memory", "run")))
    named |= set(seen["changes"][0])
    assert {key for key in named if f"`{key}`" not in section} == set()


def test_json_of_what_does_not_fit_holds_changes_that_fit(plan):
    seen = told(plan("--gpus", "2xA10G", "--json", "base=bigcode/starcoderbase", "engine=ddp"))
    assert seen["fits"] is False
    assert seen["changes"]
    for change in seen["changes"]:
        assert change["total_bytes"] <= seen["memory"]["capacity_bytes"]
        assert change["sentence"]


def test_a_given_utilisation_is_used_as_it_is(plan):
    seen = told(plan("--gpus", "H200", "--json", "--mfu", "0.4"))
    assert (seen["run"]["mfu"], seen["run"]["mfu_source"]) == (0.4, "given as --mfu")


def test_a_base_in_a_folder_is_read_from_its_config(plan, tmp_path):
    (tmp_path / "base").mkdir()
    config = {
        "model_type": "gpt_bigcode",
        "n_layer": 2,
        "n_embd": 64,
        "n_head": 4,
        "n_positions": 8192,
        "vocab_size": 300,
    }
    (tmp_path / "base" / "config.json").write_text(json.dumps(config))
    seen = told(plan("--gpus", "T4", "--json", "base=./base", "train.precision=fp16"))
    # 64 (300 + 8192) embeddings, 128 at the end, and two blocks of 64 x 96 + 96, 64 x 64 + 64,
    # 64 x 256 + 256, 256 x 64 + 64, 256 of norms.
    assert seen["model"]["parameters"] == 64 * 8492 + 128 + 2 * (43_008 + 96 + 64 + 256 + 64 + 256)


def test_a_base_from_scratch_is_read_from_the_recipe(plan):
    scratch = "base={scratch: {layers: 2, width: 64, heads: 4, positions: 8192, licence: mit}}"
    seen = told(plan("--gpus", "T4", "--json", scratch, "train.precision=fp16"))
    assert seen["model"]["family"] == "gpt_bigcode"
    assert seen["fits"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--gpus", "8xA100"),
            "--gpus 8xA100: no such GPU here; did you mean A100-40GB or A100-80GB? known are ",
        ),
        (
            ("--gpus", "V100-32GB"),
            "train.precision: a V100-32GB has no bf16; set it to fp16",
        ),
        (
            ("--gpus", "H200", "sequences.length=16384"),
            "sequences.length: 16384 is beyond the base's 8192 positions",
        ),
        (
            ("--gpus", "H200", "engine=ddp"),
            "engine: ddp needs two GPUs, and --gpus has one; use single",
        ),
        (
            ("--gpus", "H200", "base={run: earlier}"),
            "base: earlier run earlier has made no model yet, so its size is not known: "
            "run its recipe first",
        ),
        (
            ("--gpus", "H200", "base=someone/unheard-of"),
            "base: someone/unheard-of is not on this machine, and its size is not known by heart: "
            "`finetune check RECIPE --online` fetches it",
        ),
        (
            ("--gpus", "H200", "base=./nowhere"),
            "nowhere: no config.json; this is no model folder",
        ),
        (
            ("--gpus", "7xH200", "engine=zero3"),
            "train.batch_tokens: 64 blocks of 8192 tokens cannot be shared evenly by 7 processes; ",
        ),
        (
            ("--gpus", "H200", "tune={method: full, trainable: ['*.h.99.*']}"),
            "tune.trainable: `*.h.99.*` matches no weight of the base; ",
        ),
    ],
)
def test_a_mistake_is_one_message(plan, arguments, message):
    ran = plan(*arguments)
    assert (ran.code, ran.out, len(ran.err)) == (2, [], 1), ran
    assert message in ran.err[0]


def test_a_machine_without_a_gpu_asks_for_one(plan, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = plan()
    assert (ran.code, ran.out) == (2, [])
    assert ran.err == ["--gpus: this machine shows no GPU; name what to plan for: 8xA100-80GB"]


@pytest.mark.parametrize("share", ["0", "1.5", "nan", "half"])
def test_a_share_that_is_none_is_a_mistake(plan, share):
    ran = plan("--gpus", "H200", "--mfu", share)
    assert ran.code == 2
    assert "--mfu" in ran.err[-1]
