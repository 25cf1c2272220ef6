"""A recipe's base from the Hub: real downloads by the stock client, refused, cut and damaged."""

import json
import struct

import pytest

from tests.conftest import GPT_BIGCODE_WEIGHTS
from tests.hub.faults import CUT, ENDED, WRONG, Fault
from tests.publishing.pushed import TOKEN, command

BASE = "acme/tiny"
RECIPE = """\
name: tuned
base: acme/tiny
data:
  sources:
    - {format: source_code, path: src}
sequences: {length: 64}
train: {tokens: 256, batch_tokens: 128}
"""
WANTED = {
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "README.md",
}


@pytest.fixture
def model(tmp_path, model_folder):
    """The files of a model, with others beside them that a base does not need."""
    for name in ("pytorch_model.bin", "training_args.bin", "modeling_tiny.py", "eval.json"):
        (model_folder / name).write_bytes(b"\x80\x04 x")
    (model_folder / "onnx").mkdir()
    (model_folder / "onnx" / "config.json").write_text("{}")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x = 1\n")
    (tmp_path / "r.yaml").write_text(RECIPE)
    return model_folder


@pytest.fixture
def check(tmp_path, hub):
    def check(*arguments, **more):
        return command(tmp_path, hub, "check", "r.yaml", *arguments, **more)

    return check


def fetched(tmp_path):
    """Files of the base's snapshot in the client's cache."""
    repo = tmp_path / "hf" / "hub" / "models--acme--tiny"
    return {path.name for path in repo.glob("snapshots/*/**/*") if path.is_file()}


def test_only_configs_tokenizer_papers_and_safetensors_are_fetched(hub, model, check, tmp_path):
    hub.store.add_model(BASE, model)
    ran = check("--online")
    assert ran.code == 0, ran.err
    assert "not on this machine" not in ran.out
    assert fetched(tmp_path) == WANTED & {path.name for path in model.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= fetched(tmp_path)


def test_what_was_fetched_is_found_without_a_network(hub, model, check):
    hub.store.add_model(BASE, model)
    assert "note: the base acme/tiny is not on this machine" in check().out
    check("--online")
    hub.calls.reset()
    ran = check(HF_HUB_OFFLINE="1")
    assert ran.code == 0
    assert "not on this machine" not in ran.out
    assert hub.calls.seen == []


def test_shards_that_the_index_names_are_fetched(hub, model, check, tmp_path):
    (model / "model.safetensors").rename(model / "model-00001-of-00001.safetensors")
    shard = "model-00001-of-00001.safetensors"
    index = {"weight_map": dict.fromkeys(GPT_BIGCODE_WEIGHTS, shard)}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    (model / "consolidated.safetensors").write_bytes(b"x")
    hub.store.add_model(BASE, model)
    assert check("--online").code == 0
    assert "model-00001-of-00001.safetensors" in fetched(tmp_path)
    assert "consolidated.safetensors" not in fetched(tmp_path)


def test_a_base_of_pickles_is_refused_and_none_is_fetched(hub, model, check, tmp_path):
    (model / "model.safetensors").unlink()
    hub.store.add_model(BASE, model)
    ran = check("--online")
    assert ran.code == 2
    assert "base acme/tiny: has no model.safetensors on the Hub" in ran.err
    assert not [name for name in fetched(tmp_path) if name.endswith(".bin")]


@pytest.mark.parametrize(("token", "status"), [(None, 401), (TOKEN, 403)])
def test_a_gated_base_names_the_page_where_to_accept(hub, model, check, token, status):
    hub.store.add_model(BASE, model, gated=True)
    ran = check("--online", token=token)
    assert ran.code == 2
    assert f"the Hub answers {status}" in ran.message
    assert f"It is gated: accept its conditions at {hub.url}/acme/tiny" in ran.message
    hub.store.readers[BASE] = {"ann"}
    assert check("--online").code == 0


@pytest.mark.parametrize(("token", "status"), [(None, 401), (TOKEN, 404)])
@pytest.mark.parametrize("private", [True, False], ids=["private", "missing"])
def test_a_base_that_cannot_be_seen_is_told(hub, model, check, token, status, private):
    if private:
        hub.store.add_model(BASE, model, private=True)
    ran = check("--online", token=token)
    assert ran.code == 2
    assert f"acme/tiny: as base: cannot be fetched: the Hub answers {status}" in ran.message
    assert "spelling" in ran.message


def test_a_revision_that_is_not_there_is_told(hub, model, check):
    hub.store.add_model(BASE, model)
    ran = check("--online", "base={model: acme/tiny, revision: v9}")
    assert ran.code == 2
    assert "It has no such branch, tag or commit" in ran.message


def test_offline_mode_is_told(hub, model, check):
    ran = check("--online", HF_HUB_OFFLINE="1")
    assert ran.code == 2
    assert "HF_HUB_OFFLINE forbids it" in ran.message


def test_no_hub_at_all_is_told(model, check):
    ran = check("--online", HF_ENDPOINT="http://localhost:9")
    assert ran.code == 1
    assert "the connection to the Hub failed or was cut" in ran.message


SIZE = 24_000_000  # the client keeps pieces of 10 MiB


def grow(model):
    """Weights of which one whole piece has arrived by the middle."""
    whole = {"dtype": "U8", "shape": [SIZE], "data_offsets": [0, SIZE]}
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps(dict.fromkeys(GPT_BIGCODE_WEIGHTS, empty) | {"w.big": whole}).encode()
    data = struct.pack("<Q", len(header)) + header + bytes(SIZE)
    (model / "model.safetensors").write_bytes(data)


def downloads(hub):
    """The ranges that were asked for, download by download."""
    return [headers.get("range") for route, headers in hub.calls.headers if route == "download"]


def test_a_download_that_ends_early_goes_on_where_it_stopped(hub, model, check):
    grow(model)
    hub.store.add_model(BASE, model)
    hub.calls.reset(Fault("download", ENDED, times=2))
    assert check("--online").code == 0
    assert downloads(hub) == [None, *[f"bytes={10 * 2**20}-"] * 2]


def test_a_download_whose_connection_is_reset_is_begun_again(hub, model, check):
    """The client keeps nothing of it, and does not try again by itself."""
    grow(model)
    hub.store.add_model(BASE, model)
    hub.calls.reset(Fault("download", CUT, times=2))
    ran = check("--online")
    assert ran.code == 0, ran.err
    assert downloads(hub) == [None] * 3


def test_a_fetch_that_was_given_up_leaves_no_half_base(hub, model, check, tmp_path):
    grow(model)
    hub.store.add_model(BASE, model)
    hub.calls.reset(Fault("download", 500))
    ran = check("--online")
    assert ran.code == 1
    assert "the Hub answers 500" in ran.message
    assert "model.safetensors" not in fetched(tmp_path)
    assert "not on this machine" in check().out
    hub.calls.reset()
    assert check("--online").code == 0
    assert hub.calls.num("get") == 0, "small files had arrived and are not fetched again"


@pytest.mark.parametrize(("route", "name"), [("download", "model.safetensors"), ("get", "")])
def test_bytes_that_are_not_what_the_hub_states_are_refused_and_go(
    hub, model, check, tmp_path, route, name
):
    hub.store.add_model(BASE, model)
    hub.calls.reset(Fault(route, WRONG))
    ran = check("--online")
    assert ran.code == 1
    assert "arrived with other bytes than the Hub states" in ran.message
    assert name in ran.message
    assert "model.safetensors" not in fetched(tmp_path)
    hub.calls.reset()
    assert check("--online").code == 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_hub_is_asked_again(hub, model, check, status):
    hub.store.add_model(BASE, model)
    hub.calls.reset(Fault("info", status, times=2, retry_after="3"))
    ran = check("--online")
    assert ran.code == 0, ran.err
    assert ran.waits.count(3.0) == 2


def test_a_base_that_states_no_licence_stops_before_training(hub, model, tmp_path):
    """What its files state is known only once they are fetched, after `prepare`."""
    (model / "README.md").unlink()
    hub.store.add_model(BASE, model)
    for name in "bcdefgh":
        (tmp_path / "src" / f"{name}.py").write_text(
            f"def {name}(x):\n    return x + '{name * 9}'\n"
        )
    ran = command(tmp_path, hub, "prepare", "r.yaml", "data.holdout=0.3")
    assert ran.code == 0, ran.err
    ran = command(tmp_path, hub, "train", "r.yaml", "data.holdout=0.3")
    assert ran.code == 2
    assert "r.yaml:2: base: acme/tiny states no licence, and a derivative needs one" in ran.err
    assert "Write base: {model: ..., licence: ID}" in ran.err
    assert not (tmp_path / "runs" / "tuned" / "checkpoints").exists()
    assert not (tmp_path / "runs" / "tuned" / "log.jsonl").exists()
