"""A merge is plain weights that, read from disk, do what base and adapter did."""

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from finetune.errors import Refused
from finetune.models.load import load_model
from finetune.recipe.schema import Lora
from finetune.run_folder import read_json
from tests.merging.made import (
    blocks,
    corrupt_what_is_written,
    from_disk,
    largest,
    logits,
    merged,
    train_variant,
)

MATRIX = "transformer.h.0.mlp.c_fc.weight"
VARIANTS = {
    "dora": Lora(method="dora", rank=4),
    "pissa": Lora(method="lora", rank=4, initial="pissa"),
    "olora": Lora(method="lora", rank=4, initial="olora"),
    "rank-stabilised": Lora(method="lora", rank=4, alpha=8, rank_stabilised=True),
    "qlora": Lora(method="qlora", rank=4, alpha=8),
}


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


def test_no_adapter_weight_is_left(run):
    merged(run)
    names = load_file(run.merged / "model.safetensors")
    assert set(names) == set(load_file(run.base / "model.safetensors"))


def test_full_tuning_merges_nothing_and_is_proven_all_the_same(run):
    proof = merged(run, "full")
    assert (proof.method, proof.max_abs_logit_difference) == ("none", 0.0)
    tuned, base = (logits(from_disk(folder), run.base) for folder in (run.merged, run.base))
    assert largest(tuned, logits(from_disk(run.model), run.base)) == 0.0
    assert largest(tuned, base) > 1e-2


def test_a_refused_merge_leaves_an_earlier_one_as_it_was(run, monkeypatch):
    merged(run)
    before = (run.merged / "model.safetensors").read_bytes()
    corrupt_what_is_written(monkeypatch, lambda weights: weights[MATRIX].mul_(1.02))
    with pytest.raises(Refused, match="logits differ"):
        merged(run)
    assert (run.merged / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("lora", VARIANTS.values(), ids=VARIANTS)
def test_a_merge_of_every_variant_is_what_was_in_memory_when_training_ended(run, lora):
    in_memory = train_variant(run, lora)
    proof = merged(run, lora.method, "fp32")
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
    proof = merged(run, "qlora", "bf16")
    assert (proof.dtype, proof.tolerance) == ("bfloat16", 5e-2)
    assert 0 < proof.max_abs_logit_difference < 3e-2  # measured 2.0e-2
    assert proof.argmax_agreement > 0.9
    assert largest(logits(from_disk(run.merged), run.base), in_memory) < 0.1
    assert "quantization_config" not in read_json(run.merged / "config.json")


def test_a_base_in_bf16_is_merged_in_bf16(run):
    model = load_model(run.base, dtype=torch.bfloat16)
    model.save_pretrained(run.base)
    proof = merged(run)
    assert (proof.dtype, proof.tolerance) == ("bfloat16", 5e-2)
    tensors = load_file(run.merged / "model.safetensors").values()
    assert {tensor.dtype for tensor in tensors} == {torch.bfloat16}
