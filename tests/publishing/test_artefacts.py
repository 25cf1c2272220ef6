"""The allow-list."""

import pytest

from finetune.publishing.artefacts import foreign, is_allowed, kind_of, missing

UNLISTED = ["optimizer.pt", "training_args.bin", ".env", "pytorch_model.bin", "modeling_x.py"]


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "tokenizer.json",
        "chat_template.jinja",
        "merge.json",
        ".eval_results/humaneval.yaml",
        "LICENSE",
    ],
)
def test_the_files_of_a_merged_model_are_listed(name):
    assert is_allowed(name, "merged")


@pytest.mark.parametrize(
    "name",
    [*UNLISTED, "sub/config.json", ".eval_results/deep/x.yaml", "model.safetensors.bak"],
)
def test_anything_else_is_not(name):
    assert not is_allowed(name, "merged")


def test_an_adapter_may_not_bring_whole_weights():
    assert is_allowed("adapter_model.safetensors", "adapter")
    assert not is_allowed("model.safetensors", "adapter")


def test_every_unlisted_entry_is_named_with_its_reason(tmp_path):
    for name in UNLISTED:
        (tmp_path / name).write_text("x")
    (tmp_path / "config.json").symlink_to("/etc/hosts")
    (tmp_path / "more").symlink_to("/etc")
    found = foreign(tmp_path, "merged")
    assert len(found) == len(UNLISTED) + 2
    assert all(any(line.startswith(f"{name}: ") for line in found) for name in UNLISTED)
    assert sum("symlink" in line for line in found) == 2


def test_what_a_release_cannot_do_without_is_named(run, tmp_path):
    assert missing(run.merged, "merged") == []
    (run.merged / "tokenizer.json").unlink()
    assert missing(run.merged, "merged") == [
        "tokenizer.json or tokenizer.model or vocab.json: missing"
    ]


def test_the_kind_of_a_release_shows_in_its_files(run):
    assert kind_of(run.merged) == "merged"
    assert kind_of(run.adapter) == "adapter"
