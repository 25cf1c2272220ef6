"""Faults in the base's own files, each planted there."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from finetune.tokenizer import CodeTokenizer
from tests.training.doctor.conftest import change_json

pytestmark = pytest.mark.slow

WTE = "transformer.wte.weight"


def rewrite(base, change):
    """The base's tensors as `change` leaves them."""
    file = base / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})


def rename(base, names):
    """Give special tokens other spellings; their ids stay."""

    def change(tokenizer):
        for token in tokenizer["added_tokens"]:
            token["content"] = names.get(token["content"], token["content"])
        vocabulary = tokenizer["model"]["vocab"]
        tokenizer["model"]["vocab"] = {names.get(n, n): id_ for n, id_ in vocabulary.items()}

    change_json(base / "tokenizer.json", change)


@pytest.mark.parametrize("bytes_left", [0.5, 0.999])
def test_a_truncated_weights_file_is_told_with_cause_and_remedy(bytes_left, doctor, base):
    file = base / "model.safetensors"
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.truncate(int(size * bytes_left))
    found = doctor()
    assert found.faults == {"weight files"}
    told = found.findings["weight files"]
    assert f"{int(size * bytes_left):,} bytes, and its header names {size:,}" in told["what"]
    assert "cut off" in told["cause"]
    assert "fetch or copy the base again" in told["remedy"]
    assert found.verdict("gradients") == "not applicable"


def test_a_truncated_shard_is_told_by_its_name(doctor, base):
    tensors = load_file(base / "model.safetensors")
    (base / "model.safetensors").unlink()
    names, shards = sorted(tensors), {}
    for number, own in enumerate((names[:10], names[10:]), start=1):
        shard = f"model-0000{number}-of-00002.safetensors"
        save_file({n: tensors[n] for n in own}, base / shard, metadata={"format": "pt"})
        shards |= dict.fromkeys(own, shard)
    index = {"metadata": {}, "weight_map": shards}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))
    assert doctor().message is None
    second = base / "model-00002-of-00002.safetensors"
    with second.open("r+b") as opened:
        opened.truncate(second.stat().st_size - 4)
    assert second.name in doctor().findings["weight files"]["what"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_value_that_is_no_number_is_told_by_the_name_of_its_tensor(value, doctor, base):
    name = "transformer.h.1.mlp.c_fc.weight"
    rewrite(base, lambda tensors: tensors[name][3].__setitem__(5, value))
    found = doctor()
    assert found.faults == {"finite weights"}
    assert name in found.findings["finite weights"]["what"]
    assert found.verdict("sentinels") == "not applicable"


def test_a_weight_that_no_file_has_is_told(doctor, base):
    name = "transformer.h.0.ln_2.weight"
    rewrite(base, lambda tensors: tensors.pop(name))
    found = doctor()
    assert "stored weights" in found.faults
    assert name in found.findings["stored weights"]["what"]


def test_a_head_of_its_own_beside_a_config_that_says_tied(doctor, base):
    def untie(tensors):
        tensors["lm_head.weight"] = tensors[WTE] + 0.25

    rewrite(base, untie)
    found = doctor()
    assert "tied head" in found.faults
    assert "is up to 0.25 away" in found.findings["tied head"]["what"]


def test_a_config_that_says_untied_beside_files_without_a_head(doctor, base):
    change_json(base / "config.json", lambda config: config.update(tie_word_embeddings=False))
    found = doctor()
    assert "tied head" in found.faults
    assert "no file has one" in found.findings["tied head"]["what"]
    assert "lm_head.weight" in found.findings["stored weights"]["what"]


def test_an_untied_base_that_says_so_is_healthy(doctor, base):
    change_json(base / "config.json", lambda config: config.update(tie_word_embeddings=False))
    rewrite(base, lambda tensors: tensors.update({"lm_head.weight": tensors[WTE].clone()}))
    found = doctor()
    assert found.message is None
    assert "two weights, untied" in found.findings["tied head"]["what"]


def test_prefix_and_suffix_exchanged_in_the_tokenizer(doctor, base):
    ids = CodeTokenizer(base).sentinels
    swapped = {"<fim_prefix>": "<fim_suffix>", "<fim_suffix>": "<fim_prefix>"}
    rename(base, swapped)
    assert CodeTokenizer(base).sentinels.prefix == ids.suffix, "else nothing was planted"
    found = doctor()
    assert found.faults == {"sentinels"}
    assert "exchanged in tokenizer.json" in found.findings["sentinels"]["cause"]


def test_sentinels_spelled_with_hyphens_beside_a_base_that_never_saw_them(doctor, base):
    """As where the tokenizer of another family is put beside the weights."""
    old = {f"<fim_{part}>": f"<old_{part}>" for part in ("prefix", "middle", "suffix")}
    unseen = ("<jupyter_start>", "<jupyter_text>", "<jupyter_code>")
    new = dict(zip(unseen, ("<fim-prefix>", "<fim-middle>", "<fim-suffix>"), strict=True))
    rename(base, old | new)
    assert min(vars(CodeTokenizer(base).sentinels).values()) == 10, "the first of jupyter's"
    found = doctor()
    assert found.faults == {"sentinels"}
    assert "<fim-prefix>, <fim_prefix>" in found.findings["sentinels"]["cause"]


def test_a_tokenizer_that_transformers_rebuilds_without_its_digits(doctor, base):
    """As transformers does with this class, unless the family is listed as one that misuses it."""
    change = {"tokenizer_class": "GPT2Tokenizer"}
    change_json(base / "tokenizer_config.json", lambda config: config.update(change))
    change_json(base / "config.json", lambda config: config.update(model_type="starcoder2"))
    found = doctor("tune={method: full}")
    assert found.faults == {"tokenizer"}
    assert "parts digits" in found.findings["tokenizer"]["cause"]
    assert "PreTrainedTokenizerFast" in found.findings["tokenizer"]["remedy"]


def test_weights_of_one_model_under_the_tokenizer_of_another(doctor, base):
    """The other's ids mean other letters: as if rows had been dealt out anew."""

    def deal(tensors):
        content = tensors[WTE][19:]
        order = torch.randperm(len(content), generator=torch.Generator().manual_seed(0))
        content.copy_(content[order].clone())

    rewrite(base, deal)
    found = doctor()
    assert found.faults == {"base"}
    assert "the unigram entropy" in found.findings["base"]["what"]
    assert "two models" in found.findings["base"]["cause"]
    assert found.verdict("sentinels") == "not applicable"


def test_random_weights_are_a_fault_of_a_base_that_claims_to_be_trained(doctor, base):

    def shake(tensors):
        torch.manual_seed(0)
        for tensor in tensors.values():
            tensor.copy_(torch.randn_like(tensor) * 0.02)

    rewrite(base, shake)
    assert "base" in doctor().faults


def test_a_special_id_without_a_row_is_told_before_training_instead_of_after(doctor, base):
    def forget(config):
        del config["bos_token_id"]  # GPT-BigCode's own default is 50256
        config["eos_token_id"] = 278

    change_json(base / "config.json", forget)
    found = doctor()
    assert found.faults == {"special ids"}
    told = found.findings["special ids"]
    assert "config.bos_token_id is 50256, and the embedding has 278 rows" in told["what"]
    assert "config.eos_token_id is 278, and the embedding has 278 rows" in told["what"]
    assert "write the tokenizer's own ids there" in told["remedy"]


def test_generation_settings_that_cannot_be_read_are_told(doctor, base):
    (base / "generation_config.json").write_text("{")
    found = doctor()
    assert found.faults == {"special ids"}
    assert "generation_config.json cannot be read" in found.findings["special ids"]["what"]
