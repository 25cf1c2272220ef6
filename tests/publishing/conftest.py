"""A run folder as the stages leave it, small enough to write by hand; no torch."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML
from safetensors.numpy import save_file

from finetune.publishing import ReleaseFacts, build_release
from finetune.run_folder import RunFolder
from tests.publishing.pushed import command, make_run

RECIPE = {
    "name": "nano",
    "base": {"model": "bigcode/starcoderbase-1b", "revision": None},
    "data": {
        "sources": [{"format": "source_code", "path": "/home/ann/src/mylib", "language": "python"}],
        "holdout": 0.05,
    },
    "fim": {"rate": 0.5, "spm": 0.25, "cut": "character"},
    "sequences": {"length": 256, "isolate_documents": True, "labels": "all"},
    "tune": {"method": "lora", "rank": 8, "alpha": 16},
    "train": {"tokens": 65536, "learning_rate": 5e-05},
    "publish": {"repo": "ann/mylib-completion", "private": True, "hub": "/home/ann/hub"},
    "toolkit": {
        "version": "0.1.0",
        "git_commit": "0123abc",
        "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
    },
}
SCORES = {
    "losses": {
        "base": {"left_to_right": 2.123456, "psm": 2.34567, "spm": 2.45678},
        "tuned": {"left_to_right": 1.123456, "psm": 1.34567, "spm": 1.45678},
    },
    "bits_per_byte": {
        "base": {"left_to_right": 0.912345, "psm": 0.92345, "spm": 0.93456},
        "tuned": {"left_to_right": 0.612345, "psm": 0.62345, "spm": 0.63456},
    },
    "losses_by_language": {
        "python": {
            "base": {"left_to_right": 2.1, "psm": 2.2, "spm": 2.3},
            "tuned": {"left_to_right": 1.1, "psm": 1.2, "spm": 1.3},
        }
    },
    "infilling": {
        "base": {"exact_match": 0.125, "problems": 200, "settings": {"max_new_tokens": 48}},
        "tuned": {"exact_match": 0.375, "problems": 200, "settings": {"max_new_tokens": 48}},
    },
    "gate": {"passed": True, "reasons": []},
    "jail": "none: no code was run",
}
MERGE = {
    "method": "merge_and_unload",
    "max_abs_logit_difference": 2.98e-07,
    "argmax_agreement": 1.0,
    "tolerance": 1e-05,
    "tied_embeddings": True,
}


def _document(split: str, name: str, licence: str | None, language: str = "python") -> dict:
    return {
        "id": name,
        "path": name,
        "repo": "mylib",
        "licence": licence,
        "language": language,
        "sha256": "0" * 64,
        "characters": 1000,
        "split": split,
    }


def _lines(file: Path, values: list[dict]) -> None:
    file.write_text("".join(json.dumps(value) + "\n" for value in values))


def write_merged(folder: Path) -> None:
    folder.mkdir(parents=True)
    weights = {"wte.weight": np.ones((4, 2), np.float32), "ids": np.arange(3)}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt_bigcode"}))
    (folder / "merge.json").write_text(json.dumps(MERGE))
    vocabulary = {"model": {"vocab": {"/usr/bin/env": 0}, "merges": []}}
    (folder / "tokenizer.json").write_text(json.dumps(vocabulary))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))


def write_adapter(folder: Path) -> None:
    folder.mkdir(parents=True)
    weights = {"lora_A.weight": np.ones((2, 2), np.float32)}
    save_file(weights, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "base_model_name_or_path": "/home/ann/models/base"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "README.md").write_text("# Model Card for Model ID\n[More Information Needed]\n")


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "nano")
    write_merged(folder.merged)
    write_adapter(folder.adapter)
    with folder.recipe.open("w") as stream:
        YAML(typ="safe", pure=True).dump(RECIPE, stream)
    folder.scores.write_text(json.dumps(SCORES))
    documents = [
        _document("train", "a.py", "mit"),
        _document("train", "b.py", None),
        _document("train", "c.cc", "mit", "c++"),
        _document("holdout", "d.py", "mit"),
    ]
    _lines(folder.manifest, documents)
    _lines(folder.drops, [{"id": "x", "path": "x", "reason": "longest line"}] * 3)
    stages = {"train": {"seconds": 12.345678, "summary": "256 steps from /home/ann/src/mylib"}}
    folder.stages.write_text(json.dumps(stages))
    step = {"step": 256, "tokens": 65536, "loss": 1.2345678, "learning_rate": 5e-06}
    _lines(folder.log, [{**step, "step": 1, "loss": 9.87654}, {**step, "tokens_per_second": 998.7}])
    return folder


@pytest.fixture
def facts():
    return ReleaseFacts(
        licence="bigcode-openrail-m",
        base_licence="bigcode-openrail-m",
        base_folder=None,
        base_model_id="bigcode/starcoderbase-1b",
        base_description="StarCoderBase with 1B parameters",
        artefact="merged",
        repo="ann/mylib-completion",
        summary="Completes calls of mylib.",
    )


@pytest.fixture
def scratch_facts(facts):
    return replace(
        facts,
        licence="apache-2.0",
        base_licence="apache-2.0",
        base_model_id=None,
        base_description="a GPT-BigCode in miniature, made from scratch",
    )


@pytest.fixture
def release(run, facts):
    return build_release(run, facts)


@pytest.fixture
def pushable(tmp_path, model_folder, release):
    """A run whose release is ready, with its recipe in the test's folder."""
    return make_run(tmp_path, release)


@pytest.fixture
def push(tmp_path, hub, pushable):
    """`push(*arguments)`: the real command, in a process of its own, to that Hub."""

    def push(*arguments, **more):
        return command(tmp_path, hub, "push", "r.yaml", *arguments, **more)

    return push
