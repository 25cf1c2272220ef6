"""A merge is plain weights that, read from disk, do what base and adapter did."""

import json
import shutil

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import finetune.merging.merge as merging
from data_formats.document import Document
from finetune.base import BaseFacts
from finetune.errors import Refused
from finetune.models.adapters import add_lora
from finetune.models.load import load_model
from finetune.models.measure import measuring_set
from finetune.models.scratch import make_model
from finetune.models.tunable import tunable_model
from finetune.recipe.schema import Lora, ScratchModel, Train
from finetune.run_folder import RunFolder, read_json
from finetune.sequences import Block, Encoder, tokenise
from finetune.tokenizer import FILES, CodeTokenizer
from finetune.training.weights import gather_trainable, save_adapter, save_model

TEXT = "def total(values):\n    result = 0\n    for value in values:\n        result += value\n"
TINY = ScratchModel(layers=2, width=32, heads=2, positions=64, dropout=0.1, licence="mit")


def noise(model, part):
    """Random values of some size in every trainable weight whose name holds `part`."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and part in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) / 2)


@pytest.fixture(scope="module")
def trained(tiny_tokenizer, tmp_path_factory):
    """A base, an adapter and a fully tuned model, as training leaves them."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(tiny_tokenizer, folder / "base")
    make_model(TINY, folder / "base")
    adapted = add_lora(load_model(folder / "base"), Lora(method="lora", rank=4, alpha=8), seed=0)
    noise(adapted, "lora_B")
    save_adapter(adapted, gather_trainable(adapted, keep=True), folder / "adapter")
    full = load_model(folder / "base", dropout=0.0)
    noise(full, "c_fc")
    save_model(full, gather_trainable(full, keep=True), folder / "model")
    return folder


VARIANTS = {
    "dora": Lora(method="dora", rank=4),
    "pissa": Lora(method="lora", rank=4, initial="pissa"),
    "olora": Lora(method="lora", rank=4, initial="olora"),
    "rank-stabilised": Lora(method="lora", rank=4, alpha=8, rank_stabilised=True),
    "qlora": Lora(method="qlora", rank=4, alpha=8),
}


def train_variant(run, lora, precision="fp32"):
    """Replace the run's adapter; the logits of the model in memory that it was saved from."""
    train = Train(tokens=1, precision=precision)
    model = tunable_model(run.base, lora, train)
    noise(model, "lora_")
    shutil.rmtree(run.adapter)
    save_adapter(model, gather_trainable(model, keep=True), run.adapter)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        return logits(model, run.base).float()


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def facts(run):
    return BaseFacts(
        folder=run.base,
        description="made from scratch",
        model_id=None,
        licence="mit",
        model_type="gpt_bigcode",
        positions=64,
        modules=frozenset(),
    )


def blocks(run):
    documents = [Document(text=TEXT * 3, path="a.py", repo="r", language="python")]
    corpus = tokenise(documents, Encoder(CodeTokenizer(run.base)))
    return measuring_set(corpus, "left_to_right", 64, 256).blocks


def merged(run, method="lora"):
    return merging.merge(run, facts(run), method, blocks(run))


def logits(model, folder):
    ids = torch.tensor([CodeTokenizer(folder).encode(TEXT)[:60]])
    with torch.inference_mode():
        return model.eval()(input_ids=ids, use_cache=False).logits


def from_disk(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def largest(a, b):
    return float((a - b).abs().max())


def corrupt_what_is_written(monkeypatch, change):
    """Let `change` alter the saved weights before they are read again."""
    complete = merging._complete_folder

    def corrupted(folder, base):
        complete(folder, base)
        file = folder / "model.safetensors"
        weights = load_file(file)
        change(weights)
        save_file(weights, file, metadata={"format": "pt"})

    monkeypatch.setattr(merging, "_complete_folder", corrupted)


def test_the_merge_on_disk_does_what_base_and_adapter_do(run):
    merged(run)
    base = from_disk(run.base)
    untouched = logits(base, run.base)
    adapted = logits(PeftModel.from_pretrained(base, str(run.adapter)), run.base)
    assert largest(logits(from_disk(run.merged), run.merged), adapted) < 1e-4
    assert largest(untouched, adapted) > 1e-2  # the adapter does something


def test_the_proof_is_written_beside_the_weights(run):
    proof = merged(run)
    assert read_json(run.merge_proof) == vars(proof)
    assert proof.method == "lora"
    assert 0.0 < proof.max_abs_logit_difference < 1e-4 == proof.tolerance
    assert proof.argmax_agreement == 1.0
    assert proof.compared_tokens == 64 * len(blocks(run)) > 64
    assert proof.dtype == "float32"


def test_tied_embeddings_stay_tied(run):
    assert merged(run).tied_embeddings
    model = from_disk(run.merged)
    assert model.lm_head.weight.data_ptr() == model.transformer.wte.weight.data_ptr()
    assert "lm_head.weight" not in load_file(run.merged / "model.safetensors")


def test_no_adapter_weight_is_left(run):
    merged(run)
    names = load_file(run.merged / "model.safetensors")
    assert set(names) == set(load_file(run.base / "model.safetensors"))


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


def test_full_tuning_merges_nothing_and_is_proven_all_the_same(run):
    proof = merged(run, "full")
    assert (proof.method, proof.max_abs_logit_difference) == ("none", 0.0)
    tuned, base = (logits(from_disk(folder), run.base) for folder in (run.merged, run.base))
    assert largest(tuned, logits(from_disk(run.model), run.base)) == 0.0
    assert largest(tuned, base) > 1e-2


def scale_a_matrix(weights):
    weights["transformer.h.0.mlp.c_fc.weight"] *= 1.02


def change_one_bias(weights):
    weights["transformer.h.1.mlp.c_proj.bias"][0] += 0.1


def break_a_number(weights):
    weights["transformer.ln_f.weight"][0] = float("nan")


@pytest.mark.parametrize("change", [scale_a_matrix, change_one_bias, break_a_number])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_weights_that_were_written_wrongly_are_refused(run, monkeypatch, method, change):
    corrupt_what_is_written(monkeypatch, change)
    with pytest.raises(Refused, match="logits differ"):
        merged(run, method)
    assert not run.merged.exists()


def test_a_merge_that_forgets_the_adapter_is_refused(run, monkeypatch):
    base = load_file(run.base / "model.safetensors")
    corrupt_what_is_written(monkeypatch, lambda weights: weights.update(base))
    with pytest.raises(Refused, match="logits differ"):
        merged(run)
    assert not run.merged.exists()


def test_a_value_that_is_no_number_in_a_later_block_alone_is_refused(run, monkeypatch):
    """Positions from 50 on are broken, and only the second of two blocks reaches so far."""

    def change(weights):
        weights["transformer.wpe.weight"][50:] = float("nan")

    ids = np.arange(100, 164)
    labels = np.full(64, -100)
    restarting = Block(ids, labels, np.arange(64) % 32, ())
    running_on = Block(ids, labels, np.arange(64), ())
    corrupt_what_is_written(monkeypatch, change)
    with pytest.raises(Refused, match="logits differ"):
        merging.merge(run, facts(run), "lora", [restarting, running_on])


def test_embeddings_that_lost_their_tie_are_refused(run, monkeypatch):
    monkeypatch.setattr(merging, "_is_tied", lambda _: False)
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


def test_a_refused_merge_leaves_an_earlier_one_as_it_was(run, monkeypatch):
    merged(run)
    before = (run.merged / "model.safetensors").read_bytes()
    corrupt_what_is_written(monkeypatch, scale_a_matrix)
    with pytest.raises(Refused, match="logits differ"):
        merged(run)
    assert (run.merged / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("lora", VARIANTS.values(), ids=VARIANTS)
def test_a_merge_of_every_variant_is_what_was_in_memory_when_training_ended(run, lora):
    in_memory = train_variant(run, lora)
    proof = merging.merge(run, facts(run), lora.method, blocks(run), "fp32")
    assert proof.method == lora.method
    assert proof.max_abs_logit_difference < 1e-4 == proof.tolerance
    assert proof.argmax_agreement == 1.0
    tuned, base = (logits(from_disk(folder), run.base) for folder in (run.merged, run.base))
    assert largest(tuned, in_memory) < 1e-4
    assert largest(base, in_memory) > 0.1


def test_qlora_trained_in_bf16_on_a_base_in_bf16_merges_within_the_rounding_of_bf16(run):
    """4 bits are made from bf16, as in training; values of 4 bits are rounded to bf16 once more."""
    load_model(run.base, dtype=torch.bfloat16).save_pretrained(run.base)
    in_memory = train_variant(run, VARIANTS["qlora"], "bf16")
    proof = merging.merge(run, facts(run), "qlora", blocks(run), "bf16")
    assert (proof.dtype, proof.tolerance) == ("bfloat16", 5e-2)
    assert 0 < proof.max_abs_logit_difference < 3e-2  # measured 2.0e-2
    assert proof.argmax_agreement > 0.9
    assert largest(logits(from_disk(run.merged), run.base), in_memory) < 0.1
    assert "quantization_config" not in read_json(run.merged / "config.json")


def test_qlora_merged_into_the_base_as_it_was_is_refused(run, monkeypatch):
    train_variant(run, VARIANTS["qlora"])
    monkeypatch.setattr(merging, "dequantised", lambda _: load_model(run.base))
    with pytest.raises(Refused, match="logits differ"):
        merging.merge(run, facts(run), "qlora", blocks(run), "fp32")


def test_a_base_in_bf16_is_merged_in_bf16(run):
    model = load_model(run.base, dtype=torch.bfloat16)
    model.save_pretrained(run.base)
    proof = merged(run)
    assert (proof.dtype, proof.tolerance) == ("bfloat16", 5e-2)
    tensors = load_file(run.merged / "model.safetensors").values()
    assert {tensor.dtype for tensor in tensors} == {torch.bfloat16}


def test_weights_above_the_limit_are_split_and_reload_equal(run, monkeypatch):
    """The limit is 5 GB, an attribute so that a small model can show it."""
    assert merging.SHARD_SIZE == "5GB"
    whole = from_disk(RunFolder(run.path).base)
    monkeypatch.setattr(merging, "SHARD_SIZE", "20KB")
    proof = merged(run)
    shards = sorted(run.merged.glob("model-*-of-*.safetensors"))
    assert len(shards) > 1
    assert not (run.merged / "model.safetensors").exists()
    index = read_json(run.merged / "model.safetensors.index.json")["weight_map"]
    assert {file.name for file in shards} == set(index.values())
    assert proof.max_abs_logit_difference <= proof.tolerance
    assert set(from_disk(run.merged).state_dict()) == set(whole.state_dict())
