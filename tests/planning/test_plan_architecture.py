"""Names and sizes of every weight, against transformers itself."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from finetune.errors import UserError
from finetune.families import CONFIGS
from finetune.planning import architecture_of

PARAMETERS = {
    "bigcode/starcoderbase-1b": 1_137_207_296,
    "bigcode/starcoderbase-3b": 3_043_311_104,
    "bigcode/starcoderbase-7b": 7_327_263_232,
    "bigcode/starcoderbase": 15_517_456_384,
    "bigcode/starcoder": 15_517_456_384,
    "bigcode/tiny_starcoder_py": 164_144_128,
    "bigcode/gpt_bigcode-santacoder": 1_124_886_528,
    "bigcode/starcoder2-3b": 3_030_371_328,
    "bigcode/starcoder2-7b": 7_173_923_840,
    "bigcode/starcoder2-15b": 15_957_889_024,
}

SMALL = {
    "multi-query": {"model_type": "gpt_bigcode", "n_layer": 2, "n_embd": 32, "n_head": 4},
    "one key per head": {
        "model_type": "gpt_bigcode",
        "n_layer": 2,
        "n_embd": 32,
        "n_head": 4,
        "multi_query": False,
        "n_inner": 48,
    },
    "starcoder2": {"model_type": "starcoder2", "num_key_value_heads": 2},
    "starcoder2 without biases": {"model_type": "starcoder2", "use_bias": False},
    "untied": {"model_type": "starcoder2", "tie_word_embeddings": False},
    "llama": {"model_type": "llama", "num_key_value_heads": 2},
    "llama with biases": {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
    "wide heads": {"model_type": "llama", "head_dim": 16},
    "mistral": {"model_type": "mistral", "num_key_value_heads": 1},
    "qwen2": {"model_type": "qwen2", "num_key_value_heads": 2},
}
SIZES = {
    "gpt_bigcode": {"n_positions": 64, "vocab_size": 101},
    "other": {
        "hidden_size": 32,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "vocab_size": 101,
    },
}


def on_meta(config):
    """The model that transformers makes of a config, without memory for weights."""
    kind, rest = config["model_type"], {k: v for k, v in config.items() if k != "model_type"}
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(
            AutoConfig.for_model(kind, **rest, bos_token_id=0, eos_token_id=0, pad_token_id=0)
        )


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_known_base_has_exactly_so_many_parameters(name):
    assert architecture_of(CONFIGS[name]).parameters == PARAMETERS[name]


def test_every_known_base_is_counted_here():
    assert CONFIGS.keys() == PARAMETERS.keys()


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_known_base_has_as_many_parameters_as_transformers_makes(name):
    real = sum(weight.numel() for weight in on_meta(CONFIGS[name]).parameters())
    assert architecture_of(CONFIGS[name]).parameters == real


@pytest.mark.parametrize("name", SMALL)
def test_weights_have_the_names_and_sizes_of_transformers(name):
    config = SMALL[name]
    config = SIZES.get(config["model_type"], SIZES["other"]) | config
    architecture = architecture_of(on_meta(config).config.to_dict())
    real = {key: weight.numel() for key, weight in on_meta(config).named_parameters()}
    assert dict(architecture.weights()) == real
    block = architecture.block.format(1)
    assert architecture.layer_parameters == sum(
        size for key, size in real.items() if key.startswith(block)
    )


def test_a_family_that_is_not_known_is_refused_with_a_way_out():
    with pytest.raises(UserError, match="`mamba` is not one whose memory can be planned") as error:
        architecture_of({"model_type": "mamba"})
    assert "train.micro_batch" in str(error.value)


def test_a_config_without_a_size_is_refused_by_the_name_of_the_size():
    with pytest.raises(UserError, match=r"config\.json of a gpt_bigcode must state n_embd"):
        architecture_of({"model_type": "gpt_bigcode"})
