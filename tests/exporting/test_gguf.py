"""A GGUF file against the folder it was made from, read back by `gguf` and by llama.cpp."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from finetune.errors import Refused, UserError
from finetune.exporting import contents_of, export_gguf, file_name, tensors
from finetune.exporting.read import values_of
from finetune.exporting.runtime import is_installed
from tests.conftest import PYTHON
from tests.exporting.conftest import ABOUT

ROUNDED = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
needs_llama_cpp = pytest.mark.skipif(
    not is_installed(), reason="llama.cpp is not here: pip install 'finetune-code[llama]'"
)


def stored(file):
    return {tensor.name: values_of(tensor) for tensor in GGUFReader(file).tensors}


@pytest.mark.parametrize("kind", ROUNDED)
def test_a_weight_is_the_models_own_rounded_once(merged, tmp_path, kind):
    folder = merged()
    export_gguf(folder, tmp_path / "gguf", kind, [PYTHON], ABOUT)
    values = stored(tmp_path / "gguf" / file_name(kind))
    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        wanted = weights.get_tensor("transformer.h.1.mlp.c_fc.weight")
        norm = weights.get_tensor("transformer.ln_f.weight")
    assert np.array_equal(values["blk.1.ffn_up.weight"], wanted.to(ROUNDED[kind]).float().numpy())
    assert np.array_equal(values["output_norm.weight"], norm.numpy())
    assert "output.weight" not in values, "the head is tied: llama.cpp takes the embedding"


def test_eight_bits_are_within_half_a_step_of_their_block(merged, tmp_path):
    folder = merged()
    export_gguf(folder, tmp_path / "gguf", "q8_0", [PYTHON], ABOUT)
    values = stored(tmp_path / "gguf" / "model-Q8_0.gguf")["token_embd.weight"]
    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        wanted = weights.get_tensor("transformer.wte.weight").numpy()
    step = np.abs(wanted[7]).max() / 127  # 32 numbers a row: one block
    assert 0 < np.abs(values[7] - wanted[7]).max() <= step * (0.5 + 127 / 2048)


def test_queries_keys_and_values_are_sorted_apart_where_each_head_has_its_own():
    """Two heads of size 2, rows named: q0 q0 k0 k0 v0 v0 q1 q1 k1 k1 v1 v1."""
    rows = np.arange(12, dtype=np.float32)
    apart = tensors._sorted_apart(rows, 2)
    assert apart.tolist() == [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]


@needs_llama_cpp
@pytest.mark.parametrize("family", ["gpt_bigcode", "gpt_bigcode_all_heads"])
@pytest.mark.parametrize("kind", ["f32", "f16", "bf16", "q8_0"])
def test_llama_cpp_predicts_what_the_merged_model_does(merged, tmp_path, family, kind):
    proof = export_gguf(merged(family), tmp_path / "gguf", kind, [PYTHON], ABOUT)
    assert proof.llama_cpp.mean_kl_divergence <= proof.tolerance
    assert proof.llama_cpp.compared_tokens > 200
    assert proof.llama_cpp.argmax_agreement > 0.9
    written = json.loads((tmp_path / "gguf" / "gguf.json").read_text())
    assert written["llama_cpp"]["argmax_agreement"] == proof.llama_cpp.argmax_agreement


@needs_llama_cpp
def test_another_order_of_heads_is_refused(merged, tmp_path, monkeypatch):
    """What a converter does that takes one layout for the other."""
    monkeypatch.setattr(tensors, "_sorted_apart", lambda values, heads: values)
    with pytest.raises(Refused, match=r"diverge by .* nats per token"):
        export_gguf(merged("gpt_bigcode_all_heads"), tmp_path / "gguf", "f32", [PYTHON], ABOUT)
    assert not (tmp_path / "gguf").exists()


@needs_llama_cpp
def test_llama_cpp_gives_starcoders_ids_on_the_standard_library(shared, merged, tmp_path):
    """StarCoder's own tokenizer, on code with digits, several scripts and spelled sentinels."""
    from llama_cpp import Llama

    from finetune.tokenizer import CodeTokenizer

    folder = merged()
    tokenizer = shared / "spec" / "data" / "starcoder-tokenizer"
    if not tokenizer.is_dir():
        tokenizer = next(shared.rglob("starcoder-tokenizer"))
    shutil.copyfile(tokenizer / "tokenizer.json", folder / "tokenizer.json")
    weights = load_file(folder / "model.safetensors")
    weights["transformer.wte.weight"] = torch.randn(49152, 32) * 0.3
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text()) | {"vocab_size": 49152}
    (folder / "config.json").write_text(json.dumps(config))
    texts = [Path(module.__file__).read_text() for module in (json, shutil, pytest)]
    texts += ["x = 12345 if y == 3.14e10 else '日本 é 🙂\u0301'\r\n\t\tint  a\x00b = '½ ٣';\n"]
    proof = export_gguf(folder, tmp_path / "gguf", "q8_0", texts, ABOUT)
    assert proof.compared_ids > 5000
    llama = Llama(str(tmp_path / "gguf" / "model-Q8_0.gguf"), vocab_only=True, verbose=False)
    prompt = b"<fim_prefix>def f(x):\n    ret<fim_suffix>\n<fim_middle>"
    golden = [1, 589, 296, 26, 106, 711, 284, 2152, 3, 203, 2]
    assert llama.tokenize(prompt, add_bos=False, special=True) == golden
    ids = llama.tokenize(prompt, add_bos=False, special=False)
    assert ids == CodeTokenizer(folder).encode(prompt.decode()), "content stays content"


def test_a_changed_weight_is_refused(merged, tmp_path, monkeypatch):
    from gguf import quants

    right = quants.quantize
    monkeypatch.setattr(quants, "quantize", lambda data, kind: right(data * 1.001, kind))
    with pytest.raises(Refused, match="is not what the model's files hold"):
        export_gguf(merged(), tmp_path / "gguf", "f32", [PYTHON], ABOUT)
    assert not (tmp_path / "gguf").exists()


@pytest.mark.parametrize(("kind", "large"), [("f16", 7e4), ("q8_0", 1e7)])
def test_a_finite_weight_that_the_type_cannot_hold_is_refused(merged, tmp_path, kind, large):
    folder = merged()
    weights = load_file(folder / "model.safetensors")
    weights["transformer.h.0.mlp.c_fc.weight"][0, 0] = large
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Refused, match=rf"ffn_up\.weight has .* infinite; .* {kind} cannot hold"):
        export_gguf(folder, tmp_path / "gguf", kind, [PYTHON], ABOUT)
    assert not (tmp_path / "gguf").exists()


def test_a_merge_that_is_lost_is_refused(merged, tmp_path, monkeypatch):
    from finetune.exporting import export

    folder, right = merged(), export.read_vocabulary

    def short(*arguments):
        found = right(*arguments)
        return type(found)(**{**vars(found), "merges": found.merges[:-20]})

    monkeypatch.setattr(export, "read_vocabulary", short)
    with pytest.raises(Refused, match="gives other ids"):
        export_gguf(folder, tmp_path / "gguf", "f32", [PYTHON], ABOUT)


@pytest.mark.parametrize("family", ["starcoder2", "llama"])
def test_another_family_is_named(merged, tmp_path, family):
    with pytest.raises(UserError, match=f"the family {family} is not written as GGUF"):
        export_gguf(merged(family), tmp_path / "gguf", "f16", [PYTHON], ABOUT)


def test_a_tokenizer_that_splits_otherwise_is_named(merged, tmp_path):
    folder = merged()
    parsed = json.loads((folder / "tokenizer.json").read_text())
    parsed["pre_tokenizer"] = {"type": "Whitespace"}
    (folder / "tokenizer.json").write_text(json.dumps(parsed))
    with pytest.raises(UserError, match="byte-level BPE"):
        export_gguf(folder, tmp_path / "gguf", "f16", [PYTHON], ABOUT)


def test_what_is_not_finite_or_no_gguf_is_found(merged, tmp_path):
    folder = merged()
    export_gguf(folder, tmp_path / "gguf", "f32", [PYTHON], ABOUT)
    file = tmp_path / "gguf" / "model-F32.gguf"
    assert contents_of(file).not_finite == []
    (tensor,) = [one for one in GGUFReader(file).tensors if one.name == "output_norm.bias"]
    with file.open("r+b") as stream:
        stream.seek(int(tensor.data_offset))
        stream.write(np.float32(np.nan).tobytes())
    assert contents_of(file).not_finite == ["output_norm.bias"]
    file.write_bytes(b"GGUX" + bytes(100))
    with pytest.raises(ValueError, match="not a readable GGUF file"):
        contents_of(file)
