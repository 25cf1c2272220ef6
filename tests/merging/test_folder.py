"""What stands beside the weights of a merge is whole and fits them."""

import json

import pytest
from safetensors.torch import load_file
from transformers import AutoTokenizer

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


def test_the_config_names_no_path_and_no_quantisation(run):
    config = read_json(run.base / "config.json")
    config |= {"_name_or_path": str(run.base), "torch_dtype": "float32", "use_cache": False}
    (run.base / "config.json").write_text(json.dumps(config))
    merged(run)
    found = read_json(run.merged / "config.json")
    assert str(run.path.parent) not in json.dumps(found)
    assert {"_name_or_path", "quantization_config", "torch_dtype"} & found.keys() == set()
    assert found["dtype"] == "float32"
    assert found["architectures"] == ["GPTBigCodeForCausalLM"]
    assert found["vocab_size"] == 300


def test_no_path_of_this_machine_is_in_any_json_of_the_folder(run):
    merged(run)
    for file in run.merged.glob("*.json"):
        assert str(run.path.parent) not in file.read_text()


def test_the_folder_holds_these_files_and_no_adapter(run):
    merged(run)
    tokenizer = {name for name in FILES if (run.base / name).is_file()}
    weights = {"model.safetensors", "config.json", "generation_config.json"}
    ours = {"merge.json", "README.md"}
    assert {file.name for file in run.merged.iterdir()} == tokenizer | weights | ours


def test_the_tokenizer_is_of_the_base_s_class_and_has_its_chat_template(run):
    (run.base / "chat_template.jinja").write_text("{{ messages[0].content }}")
    merged(run)
    found, wanted = (AutoTokenizer.from_pretrained(one) for one in (run.merged, run.base))
    assert type(found) is type(wanted)
    assert found.chat_template == "{{ messages[0].content }}"


def test_a_base_without_generation_settings_gets_its_model_s(run):
    (run.base / "generation_config.json").unlink()
    merged(run)
    assert read_json(run.merged / "generation_config.json")["eos_token_id"] == 0


def test_special_ids_that_the_embedding_has_no_row_for_are_refused(run):
    for name in ("config.json", "generation_config.json"):
        settings = {**read_json(run.base / name), "eos_token_id": 300}
        (run.base / name).write_text(json.dumps(settings))
    with pytest.raises(Refused, match=r"eos_token_id is 300, and the embedding has 300 rows"):
        merged(run)
    assert not run.merged.exists()
