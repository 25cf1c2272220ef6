"""Mistakes that are known before a launcher starts end the run with exit code 2."""

import json


def set_in(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_a_tokenizer_that_transformers_rebuilds_is_refused_before_the_launcher(start, runs):
    base = runs / "tiny" / "base"
    set_in(base / "config.json", model_type="gpt2")
    set_in(base / "tokenizer_config.json", tokenizer_class="GPT2Tokenizer", add_prefix_space=True)
    process = start("train")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 2, said
    assert "does not load the tokenizer that tokenizer.json describes" in said
    assert '"tokenizer_class": "PreTrainedTokenizerFast"' in said
    assert "Traceback" not in said
