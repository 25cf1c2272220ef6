"""What is known of a base before anything of it is loaded."""

import json
import struct

import pytest
from huggingface_hub import constants

from finetune.base import GPT_BIGCODE_MODULES, base_facts, cached_snapshot, fetch, weight_names
from finetune.errors import UserError
from finetune.recipe.schema import EarlierRun, Pretrained, Scratch, ScratchModel
from finetune.run_folder import RunFolder


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path / "runs" / "mine")


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty cache of the Hub; `put(*files)` gives `me/model` a snapshot of these."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    repo = cache / "models--me--model"

    def put(**files):
        snapshot = repo / "snapshots" / ("0" * 40)
        snapshot.mkdir(parents=True)
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text("0" * 40)
        for name, content in files.items():
            (snapshot / name.replace("__", ".")).write_bytes(content)
        return snapshot

    return put


def facts_of(folder, run, **keys):
    return base_facts(Pretrained(model=str(folder), **keys), run)


def test_a_folder_states_type_positions_and_licence(model_folder, run):
    facts = facts_of(model_folder, run)
    assert facts.folder == model_folder
    assert (facts.model_type, facts.positions, facts.licence) == ("gpt_bigcode", 128, "mit")


def test_positions_of_newer_families_are_read_too(model_folder, run):
    config = {"model_type": "starcoder2", "max_position_embeddings": 16384}
    (model_folder / "config.json").write_text(json.dumps(config))
    assert facts_of(model_folder, run).positions == 16384


def test_modules_are_the_last_parts_of_the_names_of_weights(model_folder, run):
    assert facts_of(model_folder, run).modules == GPT_BIGCODE_MODULES


def test_the_modules_of_a_base_from_scratch_are_known_beforehand(run):
    facts = base_facts(Scratch(scratch=ScratchModel(licence="mit", positions=64)), run)
    assert facts.folder is None
    assert (facts.modules, facts.positions, facts.licence) == (GPT_BIGCODE_MODULES, 64, "mit")


def test_a_base_from_scratch_lies_in_its_run_once_it_is_made(run):
    run.base.mkdir(parents=True)
    (run.base / "config.json").write_text("{}")
    assert base_facts(Scratch(scratch=ScratchModel(licence="mit")), run).folder == run.base


def test_an_earlier_run_is_looked_for_beside_this_one(model_folder, run):
    merged = run.path.parent / "first" / "merged"
    merged.parent.mkdir(parents=True)
    model_folder.rename(merged)
    facts = base_facts(EarlierRun(run="first"), run)
    assert (facts.folder, facts.description) == (merged, "earlier run first")


def test_an_earlier_run_that_is_not_there_is_unknown_and_no_mistake(run):
    facts = base_facts(EarlierRun(run="first"), run)
    assert (facts.folder, facts.licence, facts.modules) == (None, None, frozenset())


def test_a_stated_licence_goes_before_the_cards(model_folder, run):
    assert facts_of(model_folder, run, licence="apache-2.0").licence == "apache-2.0"


def test_the_hub_id_of_a_folder_is_the_base_that_its_card_names(model_folder, run):
    card = "---\nlicense: mit\nbase_model: bigcode/starcoderbase-1b\n---\n"
    (model_folder / "README.md").write_text(card)
    assert facts_of(model_folder, run).model_id == "bigcode/starcoderbase-1b"


def test_a_hub_id_that_is_not_cached_has_its_familys_licence(hub_cache, run):
    facts = base_facts(Pretrained(model="bigcode/starcoderbase"), run)
    assert (facts.folder, facts.licence) == (None, "bigcode-openrail-m")


def test_a_cached_snapshot_is_found_without_a_network(hub_cache, model_folder):
    weights = (model_folder / "model.safetensors").read_bytes()
    snapshot = hub_cache(config__json=b"{}", model__safetensors=weights)
    assert cached_snapshot(Pretrained(model="me/model")) == snapshot


def test_a_cache_that_holds_the_config_alone_counts_as_not_here(hub_cache):
    hub_cache(config__json=b"{}")
    assert cached_snapshot(Pretrained(model="me/model")) is None


def test_fetching_a_model_without_safetensors_says_so(hub_cache, monkeypatch):
    snapshot = hub_cache(config__json=b"{}")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(snapshot))
    with pytest.raises(UserError, match=r"me/model: has no model\.safetensors on the Hub"):
        fetch(Pretrained(model="me/model"))


def test_names_of_weights_leave_the_metadata_out(model_folder):
    names = weight_names(model_folder)
    assert "transformer.wte.weight" in names
    assert "__metadata__" not in names


def test_names_of_sharded_weights_come_from_the_index(model_folder):
    (model_folder / "model.safetensors").rename(model_folder / "a.safetensors")
    index = {"weight_map": {"lm_head.weight": "a.safetensors"}}
    (model_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert weight_names(model_folder) == ["lm_head.weight"]


def test_a_shard_that_is_missing_is_named(model_folder):
    (model_folder / "model.safetensors").unlink()
    index = {"weight_map": {"lm_head.weight": "b.safetensors"}}
    (model_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"b\.safetensors is missing"):
        weight_names(model_folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"abc", struct.pack("<Q", 2**62), struct.pack("<Q", 5) + b"{\xff\xff\xff}"],
    ids=["empty", "short", "a length beyond the file", "not UTF-8"],
)
def test_a_broken_safetensors_file_is_refused(model_folder, content):
    (model_folder / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="not a whole safetensors file"):
        weight_names(model_folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "version https://git-lfs.github.com/spec/v1"])
def test_a_broken_config_is_refused(model_folder, run, content):
    (model_folder / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json: "):
        facts_of(model_folder, run)


def test_a_folder_without_a_config_is_no_model(tmp_path, run):
    with pytest.raises(UserError, match=r"no config\.json; this is no model folder"):
        facts_of(tmp_path, run)
