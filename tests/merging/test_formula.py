"""W + s B A written down is what a model with an adapter computes."""

import json
import math
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    GPTBigCodeConfig,
    LlamaConfig,
    Starcoder2Config,
)

from finetune.merging.formula import PREFIX, expected, read_adapter
from finetune.merging.tensors import TensorFiles
from tests.merging.made import largest, noise

GPT_BIGCODE = ("c_attn", "c_proj", "c_fc")
STARCODER2 = ("q_proj", "k_proj", "v_proj", "o_proj", "c_fc", "c_proj")
LLAMA = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def adapter_folder(folder, parts, **config):
    named = {f"{PREFIX}m.{name}": torch.tensor(values) for name, values in parts.items()}
    save_file(named, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return read_adapter(folder)


PAIR = {"lora_A.weight": [[1.0, 2.0]], "lora_B.weight": [[3.0], [4.0]]}
WEIGHT = torch.tensor([[1.0, 0.0], [0.0, 1.0]])


def test_an_update_is_scaled_by_alpha_over_rank(tmp_path):
    adapter = adapter_folder(tmp_path, PAIR, lora_alpha=2)
    assert expected("m.weight", WEIGHT, adapter).values.tolist() == [[7.0, 12.0], [8.0, 17.0]]


def test_a_rank_stabilised_update_is_scaled_by_alpha_over_the_root_of_the_rank(tmp_path):
    parts = {"lora_A.weight": [[1.0, 2.0]] * 4, "lora_B.weight": [[3.0] * 4, [4.0] * 4]}
    adapter = adapter_folder(tmp_path, parts, lora_alpha=1, use_rslora=True)
    # s = 1 / sqrt(4), B A = 4 x [[3, 6], [4, 8]]
    assert expected("m.weight", WEIGHT, adapter).values.tolist() == [[7.0, 12.0], [8.0, 17.0]]


def test_the_first_pattern_that_fits_a_whole_name_gives_its_alpha(tmp_path):
    parts = {f"proj.{name}": values for name, values in PAIR.items()}
    patterns = {"pro": 9, "x|proj": 2, "proj": 7}
    adapter = adapter_folder(tmp_path, parts, lora_alpha=1, alpha_pattern=patterns)
    rows = expected("m.proj.weight", WEIGHT, adapter).values.tolist()
    assert rows == [[7.0, 12.0], [8.0, 17.0]]


def test_rows_of_dora_have_the_length_that_was_trained(tmp_path):
    parts = {**PAIR, "lora_magnitude_vector": [10.0, 5.0]}
    adapter = adapter_folder(tmp_path, parts, lora_alpha=1, use_dora=True)
    # W + B A = [[4, 6], [4, 9]]
    rows = expected("m.weight", WEIGHT, adapter).values.tolist()
    assert rows[0] == pytest.approx([40 / math.sqrt(52), 60 / math.sqrt(52)])
    assert rows[1] == pytest.approx([20 / math.sqrt(97), 45 / math.sqrt(97)])


def test_trained_tokens_replace_their_rows(tmp_path):
    parts = {"token_adapter.trainable_tokens_delta": [[5.0, 6.0]]}
    adapter = adapter_folder(tmp_path, parts, trainable_token_indices={"m": [1]})
    assert expected("m.weight", WEIGHT, adapter).values.tolist() == [[1.0, 0.0], [5.0, 6.0]]


def test_a_weight_without_adapter_is_the_base_s(tmp_path):
    adapter = adapter_folder(tmp_path, PAIR, lora_alpha=2)
    found = expected("n.weight", WEIGHT, adapter)
    assert (found.values is WEIGHT, found.slack) == (True, 0.0)


@st.composite
def configurations(draw):
    """A small model of one of three families, and targets that it has."""
    family = draw(st.sampled_from(("gpt_bigcode", "starcoder2", "llama")))
    heads = draw(st.sampled_from((1, 2, 4)))
    width = heads * draw(st.sampled_from((4, 8)))
    layers, tied = draw(st.integers(1, 2)), draw(st.booleans())
    if family == "gpt_bigcode":
        config = GPTBigCodeConfig(
            n_embd=width,
            n_head=heads,
            n_layer=layers,
            n_inner=draw(st.sampled_from((width, 4 * width))),
            n_positions=16,
            multi_query=draw(st.booleans()),
        )
        names = GPT_BIGCODE
    else:
        kind = Starcoder2Config if family == "starcoder2" else LlamaConfig
        config = kind(
            hidden_size=width,
            num_attention_heads=heads,
            num_key_value_heads=draw(st.sampled_from([n for n in (1, 2, 4) if heads % n == 0])),
            num_hidden_layers=layers,
            intermediate_size=2 * width,
            max_position_embeddings=16,
        )
        names = STARCODER2 if family == "starcoder2" else LLAMA
    config.initializer_range = 0.3  # so that a change anywhere is seen in the logits
    config.vocab_size, config.tie_word_embeddings = 50, tied
    config.bos_token_id = config.eos_token_id = config.pad_token_id = 0
    targets = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    return config, targets


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    configurations(),
    st.integers(1, 5),
    st.integers(1, 9),
    st.booleans(),
    st.booleans(),
)
def test_a_model_of_these_weights_does_what_the_adapted_one_does(
    configuration, rank, alpha, dora, stabilised
):
    config, targets = configuration
    ids = torch.arange(12).view(1, 12) * 4
    with tempfile.TemporaryDirectory() as folder:
        base, adapter = Path(folder, "base"), Path(folder, "adapter")
        torch.manual_seed(rank)
        model = AutoModelForCausalLM.from_config(config)
        model.save_pretrained(base)
        settings_ = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            target_modules=targets,
            use_dora=dora,
            use_rslora=stabilised,
            task_type="CAUSAL_LM",
        )
        adapted = get_peft_model(model, settings_)
        noise(adapted, "lora_", 0.5)
        adapted.save_pretrained(adapter)
        plain = AutoModelForCausalLM.from_pretrained(base)
        parts, files = read_adapter(adapter), TensorFiles(base)
        for name, weight in plain.named_parameters():
            weight.data = expected(name, files.read(name), parts).values.float()
        again = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter))
        with torch.inference_mode():
            wanted = again.eval()(input_ids=ids, use_cache=False).logits
            found = plain.eval()(input_ids=ids, use_cache=False).logits
            again.disable_adapter_layers()
            before = again(input_ids=ids, use_cache=False).logits
    off, size = largest(found, wanted), float(wanted.abs().max())
    assert off <= 1e-5 * size
    assert largest(before, wanted) > 10 * off
