"""Each mistake of a user's: exit code 2, one message, no traceback, nothing written."""

import json
import shutil
import struct

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers


def replace(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_the_recipe_of_these_tests_is_accepted(finetune, recipe):
    ran = finetune("check", "r.yaml")
    assert (ran.code, ran.err) == (0, [])
    assert (ran.out[0], ran.out[-1]) == ("note: src: 1 files", "r.yaml: no problems")


def test_check_writes_nothing(finetune, recipe, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    finetune("check", "r.yaml")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unknown_key(refused, recipe):
    replace(recipe, "tokens: 256", "tokns: 256, tokens: 256")
    assert refused() == "r.yaml:7: train.tokns: unknown key; did you mean `tokens`?"


def test_a_wrong_type(refused, recipe):
    replace(recipe, "tokens: 256", 'tokens: "256"')
    assert refused() == "r.yaml:7: train.tokens: must be a whole number; got '256'"


def test_a_wrong_override(refused):
    assert refused("train.tokns=1") == (
        "command line: train.tokns: unknown key; did you mean `tokens`?"
    )


def test_a_missing_recipe(refused, recipe):
    recipe.unlink()
    assert refused() == "r.yaml: cannot read the recipe: No such file or directory"


def test_a_missing_source_folder(refused, recipe, tmp_path):
    shutil.rmtree(tmp_path / "src")
    got = refused()
    assert got.startswith("r.yaml:5: data.sources.0: path: ")
    assert got.endswith("there is no such folder; create it or mend the path")


def test_an_empty_source_folder(refused, recipe, tmp_path):
    (tmp_path / "src" / "a.py").unlink()
    got = refused()
    assert got.startswith("r.yaml:5: data.sources.0: path: ")
    assert "the folder is empty" in got


def test_infilling_with_a_tokenizer_without_sentinels(refused, recipe, model_folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    trainer = trainers.BpeTrainer(special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer.train_from_iterator(["x = 1"], trainer)
    tokenizer.save(str(model_folder / "tokenizer.json"))
    assert refused() == (
        "r.yaml:1: fim.rate: model: its tokenizer has no fill-in-the-middle sentinels; "
        "set fim.rate to 0"
    )


def test_without_infilling_that_tokenizer_will_do(finetune, recipe, model_folder):
    file = model_folder / "tokenizer.json"
    parsed = json.loads(file.read_text())
    parsed["added_tokens"] = parsed["added_tokens"][:1]
    file.write_text(json.dumps(parsed))
    assert finetune("check", "r.yaml", "fim.rate=0").code == 0


def test_a_sentinel_that_strips_white_space(refused, recipe, model_folder):
    file = model_folder / "tokenizer.json"
    parsed = json.loads(file.read_text())
    (middle,) = [token for token in parsed["added_tokens"] if token["content"] == "<fim_middle>"]
    middle["rstrip"] = True
    file.write_text(json.dumps(parsed))
    assert refused() == (
        "r.yaml:1: fim.rate: model: its sentinel <fim_middle> strips the white space around it; "
        "set fim.rate to 0"
    )


def test_an_adapter_on_a_module_that_is_not_there(refused):
    assert refused("tune={method: lora, targets: [q_proj]}") == (
        "command line: tune.targets: q_proj matches no module of the base; it has "
        "c_attn, c_fc, c_proj, ln_1, ln_2, ln_f, wpe, wte"
    )


@pytest.mark.parametrize("target", ["wte", "lm_head"])
def test_an_adapter_on_a_tied_embedding(refused, target):
    assert refused(f"tune={{method: lora, targets: [{target}]}}") == (
        f"command line: tune.targets: an adapter on {target} breaks the model when merged "
        "(tied embeddings)"
    )


def test_sequences_longer_than_the_base_has_positions(refused, recipe):
    replace(recipe, "length: 64", "length: 256")
    replace(recipe, "batch_tokens: 128", "batch_tokens: 256")
    assert refused() == "r.yaml:6: sequences.length: 256 is beyond the base's 128 positions"


def test_a_kernel_that_the_family_does_not_have(refused, recipe):
    replace(recipe, "tokens: 256", "attention: flex_attention, tokens: 256")
    assert refused() == (
        "r.yaml:7: train.attention: transformers has no flex_attention for gpt_bigcode; "
        "set it to sdpa"
    )


def test_flash_attention_in_fp32(refused):
    assert refused("train={tokens: 256, precision: fp32, attention: flash_attention_2}") == (
        "command line: train.attention: flash_attention_2 has no fp32; set train.precision to "
        "bf16, or this to sdpa"
    )


def test_a_kernel_that_there_is_not(refused):
    got = refused("train.attention=flash")
    assert got.startswith("command line: train.attention: ")
    assert "flash_attention_2" in got


def test_a_base_without_a_licence(refused, model_folder):
    (model_folder / "README.md").unlink()
    assert refused() == (
        "r.yaml:2: base: model states no licence, and a derivative needs one: which is it? "
        "Write base: {model: ..., licence: ID}"
    )


def test_a_base_with_pickled_weights_alone(refused, model_folder):
    (model_folder / "model.safetensors").rename(model_folder / "pytorch_model.bin")
    got = refused()
    assert got.startswith("r.yaml:2: base: ")
    assert "no model.safetensors; only safetensors are loaded (pickled weights can run code)" in got


def test_a_base_whose_weights_are_a_git_lfs_pointer(refused, model_folder):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n"
    (model_folder / "model.safetensors").write_text(pointer)
    assert refused().endswith("it is a Git LFS pointer: run `git lfs pull` in its folder")


def test_a_base_whose_weights_are_cut_off(refused, model_folder):
    (model_folder / "model.safetensors").write_bytes(struct.pack("<Q", 100) + b"{")
    assert "not a whole safetensors file" in refused()


def test_a_base_that_is_no_folder(refused, model_folder):
    shutil.rmtree(model_folder)
    assert refused().endswith("model: no such folder; a Hub id is written owner/name")


def test_a_licence_that_contradicts_the_bases(refused, model_folder):
    (model_folder / "README.md").write_text("---\nlicense: bigcode-openrail-m\n---\n")
    got = refused("publish.licence=mit")
    assert got.startswith(
        "command line: publish.licence: licence `mit` contradicts the base's `bigcode-openrail-m`"
    )


def test_a_licence_id_that_is_none(refused):
    got = refused("base={model: ./model, licence: apache2}")
    assert got.startswith("command line: base.licence: `apache2` is no licence id of the Hub")


@pytest.mark.parametrize("command", ["train", "merge", "evaluate", "release", "run"])
def test_an_earlier_run_that_has_not_been_made(refused, command):
    assert refused("base={run: X}", command=command) == (
        "command line: base: the base, earlier run X, has not been made yet: run its recipe first"
    )


def test_check_only_notes_an_earlier_run_that_has_not_been_made(finetune, recipe):
    ran = finetune("check", "r.yaml", "base={run: X}")
    assert ran.code == 0
    assert "note: the base, earlier run X, has not been made yet: run its recipe first" in ran.out


@pytest.mark.parametrize("command", ["prepare", "train", "run", "push", "preview"])
def test_every_command_on_a_recipe_refuses_its_mistakes(refused, command):
    assert refused("train.tokns=1", command=command) == (
        "command line: train.tokns: unknown key; did you mean `tokens`?"
    )


def test_problems_of_base_and_licence_and_sources_come_together(finetune, recipe, tmp_path):
    shutil.rmtree(tmp_path / "src")
    ran = finetune(
        "check", "r.yaml", "sequences.length=256", "train.batch_tokens=256", "publish.licence=cc0"
    )
    assert ran.code == 2
    assert [line.split(": ")[1] for line in ran.err] == [
        "sequences.length",
        "publish.licence",
        "data.sources.0",
    ]


@pytest.mark.parametrize(
    "stated", ["bigscience-openrail-m", "apache-2.0", "openrail", "other", "mit"]
)
def test_a_contradicting_licence_in_the_recipe_is_told_with_its_line(
    finetune, recipe, model_folder, stated
):
    """By `check`, and by `run` before anything is read or trained."""
    (model_folder / "README.md").write_text("---\nlicense: bigcode-openrail-m\n---\n")
    replace(recipe, "hub: ./hub}", f"hub: ./hub, licence: {stated}}}")
    line = len(recipe.read_text().rstrip().splitlines())
    for command in ("check", "run"):
        ran = finetune(command, "r.yaml")
        assert ran.code == 2
        said = " ".join(ran.err)
        assert f"r.yaml:{line}: publish.licence: licence `{stated}` contradicts" in said
        assert "Write `licence: bigcode-openrail-m`" in said
    assert not (recipe.parent / "runs").exists()


def test_a_name_that_reads_like_starcoder_is_warned_about(finetune, recipe):
    ran = finetune("check", "r.yaml", "publish={repo: me/starcoder-mylib}")
    assert ran.code == 0
    assert any("paragraph 9" in line for line in ran.out)
    ran = finetune("check", "r.yaml", "publish={repo: me/mylib}")
    assert not any("paragraph 9" in line for line in ran.out)


def test_a_gguf_of_another_family_is_told_before_training(finetune, recipe, model_folder):
    config = {"model_type": "llama", "max_position_embeddings": 128}
    (model_folder / "config.json").write_text(json.dumps(config))
    ran = finetune("check", "r.yaml", "publish.artefact=gguf-q8_0", "tune={method: full}")
    assert ran.code == 2
    (line,) = [line for line in ran.err if "publish.artefact" in line]
    assert "a llama is not written as GGUF here, only gpt_bigcode is; use merged" in line
