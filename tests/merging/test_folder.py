"""What stands beside the weights of a merge is whole and fits them."""

import json

import pytest
from safetensors.torch import load_file

from finetune.errors import Refused
from finetune.run_folder import read_json
from finetune.tokenizer import FILES
from tests.merging.made import from_disk, merged


def test_tied_embeddings_stay_tied(run):
    assert merged(run).tied_embeddings
    model = from_disk(run.merged)
    assert model.lm_head.weight.data_ptr() == model.transformer.wte.weight.data_ptr()
    assert "lm_head.weight" not in load_file(run.merged / "model.safetensors")


def test_the_config_uses_the_cache_and_has_the_base_s_dropout(run):
    merged(run)
    config = read_json(run.merged / "config.json")
    assert config["use_cache"] is True
    assert [config[name] for name in ("attn_pdrop", "resid_pdrop", "embd_pdrop")] == [0.1] * 3


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_tokenizer_s_files_are_the_base_s_byte_for_byte(run, method):
    merged(run, method)
    copied = [name for name in FILES if (run.base / name).is_file()]
    assert "tokenizer.json" in copied
    for name in copied:
        assert (run.merged / name).read_bytes() == (run.base / name).read_bytes()


def test_the_generation_config_comes_along(run):
    merged(run)
    assert read_json(run.merged / "generation_config.json")["eos_token_id"] == 0


def test_embeddings_that_lost_their_tie_are_refused(run, monkeypatch):
    monkeypatch.setattr("finetune.merging.folder.is_tied", lambda _: False)
    with pytest.raises(Refused, match="are tied"):
        merged(run)
    assert not run.merged.exists()


def test_a_tokenizer_with_more_ids_than_the_embedding_has_rows_is_refused(run):
    file = run.base / "tokenizer.json"
    parsed = json.loads(file.read_text())
    extra = {**parsed["added_tokens"][-1], "id": 300, "content": "<one_more>"}
    parsed["added_tokens"].append(extra)
    file.write_text(json.dumps(parsed))
    with pytest.raises(Refused, match="301 ids, the embedding 300 rows"):
        merged(run)
