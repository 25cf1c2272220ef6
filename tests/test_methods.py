"""What each tuning method asks of base, engine and machine, told without torch."""

import json

import pytest

import finetune.methods as methods
from finetune.errors import UserError
from finetune.methods import (
    added_tokens_problem,
    is_tied,
    method_problems,
    refuse_without_gpu,
    trainable_problem,
)
from finetune.preflight import inspect
from finetune.recipe import load_recipe
from finetune.recipe.schema import Train
from finetune.run_folder import RunFolder
from finetune.tokenizer import CodeTokenizer, num_ids
from tests.conftest import GPT_BIGCODE_WEIGHTS, write_safetensors_header

RECIPE = """\
name: mine
base: ./model
data:
  sources:
    - {format: source_code, path: src}
sequences: {length: 64}
train: {tokens: 256, batch_tokens: 128}
"""


@pytest.fixture
def found(tmp_path, model_folder):
    """`found(*overrides)`: what preflight says of the recipe's method, by key."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x = 1\n")
    (tmp_path / "r.yaml").write_text(RECIPE)
    run = RunFolder(tmp_path / "runs" / "mine")

    def problems(*overrides):
        recipe = load_recipe(tmp_path / "r.yaml", overrides).recipe
        return {".".join(map(str, p.key)): p.message for p in inspect(recipe, run).problems}

    return problems


def test_every_method_suits_a_plain_base(found):
    for method in ("lora", "dora", "qlora"):
        assert found(f"tune={{method: {method}}}") == {}
    assert found("tune={method: full}") == {}


def test_qlora_needs_bitsandbytes(found, monkeypatch):
    monkeypatch.setattr(methods, "find_spec", lambda name: None)
    message = found("tune={method: qlora}")["tune.method"]
    assert message == (
        "qlora needs bitsandbytes, which is not installed: pip install 'finetune-code[qlora]', "
        "or choose lora"
    )
    assert found("tune={method: lora}") == {}


@pytest.mark.parametrize("engine", ["zero3", "zero3_offload"])
def test_qlora_is_refused_where_weights_are_shared_out(found, engine):
    message = found("tune={method: qlora}", f"engine={engine}")["engine"]
    assert message.startswith(f"{engine} cannot share out weights in 4 bits; choose engine ddp")
    assert "engine" not in found("tune={method: dora}", f"engine={engine}")


@pytest.mark.parametrize("initial", ["orthogonal", "olora", "pissa"])
def test_starts_that_compute_with_the_base_s_weights_are_refused_in_4_bits(found, initial):
    message = found(f"tune={{method: qlora, initial: {initial}}}")["tune.initial"]
    assert "which qlora holds in 4 bits; set it to zero or gaussian" in message
    assert found(f"tune={{method: lora, initial: {initial}}}") == {}


def test_orthogonal_adapters_need_an_even_rank(found):
    message = found("tune={method: lora, rank: 7, initial: orthogonal}")["tune.initial"]
    assert message == "orthogonal adapters need an even rank; set tune.rank to 8"


def test_patterns_are_compared_with_the_names_in_the_file(found, model_folder):
    assert found("tune={method: full, trainable: ['*.h.0.*', '*ln_f*']}") == {}
    message = found("tune={method: full, trainable: ['*ln_f*', '*.h.3.*']}")["tune.trainable"]
    assert message.startswith("`*.h.3.*` matches no weight of the base; its names are like ")
    assert "transformer.h.0." in message


def test_a_file_may_leave_out_the_name_of_the_body(found, model_folder):
    names = tuple(name.removeprefix("transformer.") for name in GPT_BIGCODE_WEIGHTS)
    write_safetensors_header(model_folder / "model.safetensors", names)
    assert found("tune={method: full, trainable: ['transformer.h.0.*']}") == {}


def test_a_tied_head_is_named_by_its_embedding(found):
    message = found("tune={method: full, trainable: [lm_head.weight]}")["tune.trainable"]
    assert "one weight for both; write `transformer.wte.weight` to train it" in message


def test_a_head_of_its_own_may_be_trained():
    names = ["model.embed_tokens.weight", "lm_head.weight"]
    assert trainable_problem(["lm_head.*"], names) is None


def untie(folder, **config):
    write_safetensors_header(folder / "model.safetensors", (*GPT_BIGCODE_WEIGHTS, "lm_head.weight"))
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**stated, **config}))


def test_embeddings_are_tied_unless_the_file_has_a_head_and_the_config_does_not_tie_it(
    model_folder,
):
    assert is_tied(model_folder)
    untie(model_folder, tie_word_embeddings=False)
    assert not is_tied(model_folder)
    untie(model_folder, tie_word_embeddings=True)
    assert is_tied(model_folder)


@pytest.mark.parametrize("target", ["wte", "lm_head"])
def test_an_adapter_on_embeddings_is_refused_only_where_they_are_tied(found, model_folder, target):
    untie(model_folder, tie_word_embeddings=True)
    message = found(f"tune={{method: lora, targets: [{target}]}}")["tune.targets"]
    assert message.startswith(f"an adapter on {target} breaks the model when merged")
    untie(model_folder, tie_word_embeddings=False)
    assert found(f"tune={{method: lora, targets: [{target}]}}") == {}


def test_learned_positions_may_have_an_adapter(found):
    assert found("tune={method: lora, targets: [wpe]}") == {}


def test_a_token_without_a_row_in_the_embedding_is_a_problem(found, model_folder):
    untie(model_folder, vocab_size=300)
    assert num_ids(model_folder) == CodeTokenizer(model_folder).size == 300
    assert found() == {}
    untie(model_folder, vocab_size=299)
    assert found()["base"].startswith("model: its tokenizer has 300 ids and its embedding 299 rows")


def test_an_embedding_may_have_more_rows_than_there_are_tokens():
    assert added_tokens_problem(300, 304) is None


def test_what_needs_a_gpu_is_refused_without_one():
    refuse_without_gpu(Train(tokens=1), 0)
    refuse_without_gpu(Train(tokens=1, precision="fp16"), 1)
    with pytest.raises(UserError, match=r"train\.precision: fp16 needs a GPU; use bf16 or fp32"):
        refuse_without_gpu(Train(tokens=1, precision="fp16"), 0)
    with pytest.raises(UserError, match=r"train\.attention: flash_attention_2 needs a GPU"):
        refuse_without_gpu(Train(tokens=1, attention="flash_attention_2"), 0)


def test_of_a_base_that_is_not_here_yet_only_the_recipe_is_judged(tmp_path, model_folder):
    (tmp_path / "r.yaml").write_text(RECIPE.replace("./model", "owner/name"))
    recipe = load_recipe(tmp_path / "r.yaml", ("tune={method: full, trainable: [x]}",)).recipe
    from finetune.base import base_facts

    facts = base_facts(recipe.base, RunFolder(tmp_path / "runs" / "mine"))
    assert facts.folder is None
    assert list(method_problems(recipe, facts)) == []
