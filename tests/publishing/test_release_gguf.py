"""A release of one GGUF file."""

import json
from dataclasses import replace

import numpy as np
import pytest
from gguf import GGUFWriter

from finetune.errors import UserError
from finetune.licences import front_matter
from finetune.publishing import build_release, check_release
from finetune.publishing.artefacts import entries, kind_of
from finetune.publishing.provenance import verify

COMPARED = {
    "runtime": "llama-cpp-python 0.3.36",
    "max_abs_logit_difference": 0.0123,
    "mean_kl_divergence": 0.00123,
    "argmax_agreement": 0.9876,
    "compared_tokens": 412,
}
PROOF = {
    "type": "q8_0",
    "max_abs_weight_difference": 0.0045,
    "compared_ids": 910,
    "tolerance": 0.01,
    "llama_cpp": COMPARED,
}


KEY = "glpat-" + "a1B2c3D4e5F6g7H8i9J0"
A_KEY = "model-Q8_0.gguf: holds what looks like a secret key"


def write(run, *, number=1.0, name="small", tensor="output_norm.weight", fields=None, **proof):
    run.gguf.mkdir(exist_ok=True)
    writer = GGUFWriter(run.gguf / "model-Q8_0.gguf", "starcoder")
    writer.add_name(name)
    for key, value in (fields or {}).items():
        (writer.add_array if isinstance(value, list) else writer.add_string)(key, value)
    writer.add_tensor(tensor, np.array([number, 2], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (run.gguf / "gguf.json").write_text(json.dumps({**PROOF, **proof}))


@pytest.fixture
def gguf_facts(facts):
    return replace(facts, artefact="gguf")


def test_it_holds_the_file_its_proof_and_the_papers(run, gguf_facts):
    write(run)
    folder = build_release(run, gguf_facts)
    papers = ["ATTRIBUTION.md", "LICENSE", "README.md"]
    assert entries(folder) == [*papers, "gguf.json", "model-Q8_0.gguf", "provenance.json"]
    assert verify(folder) == []
    assert kind_of(folder) == "gguf"
    assert (folder / "model-Q8_0.gguf").samefile(run.gguf / "model-Q8_0.gguf")


def test_its_card_calls_it_quantised_and_shows_the_proof(run, gguf_facts):
    write(run)
    folder = build_release(run, gguf_facts)
    card = front_matter(folder)
    assert (card["base_model_relation"], card["library_name"]) == ("quantized", "gguf")
    assert card["license"] == "bigcode-openrail-m"
    text = (folder / "README.md").read_text()
    assert "llama-server -hf ann/mylib-completion" in text
    assert "from transformers import" not in text
    assert "| Mean divergence of predictions, nats per token | 0.0012 |" in text


def test_predictions_that_were_not_compared_are_called_so(run, gguf_facts):
    write(run, llama_cpp=None)
    text = (build_release(run, gguf_facts) / "README.md").read_text()
    assert "| Predictions | not measured |" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"number": np.inf}, "output_norm.weight: numbers are NaN or infinite"),
        ({"name": "/proj/ann/models/x"}, "absolute path /proj/ann/models/x under `general.name`"),
        ({"fields": {"general.tags": ["code", "/home/ann/x"]}}, "absolute path /home/ann/x under"),
        ({"fields": {"x.settings": '{"path": "/proj/ann/x"}'}}, "path /proj/ann/x under `x.set"),
        ({"tensor": "/home/ann/x"}, "absolute path /home/ann/x under `tensors.0`"),
        ({"name": f"small {KEY}"}, A_KEY),
        ({"tensor": KEY}, A_KEY),
        ({"fields": {"general.datasets": [KEY]}}, A_KEY),
        ({"fields": {"tokenizer.ggml.tokens": ["def", KEY]}}, A_KEY),
        ({"fields": {"tokenizer.ggml.merges": ["d ef", KEY]}}, A_KEY),
        ({"fields": {KEY: "x"}}, A_KEY),
        ({"fields": {"x.api_key": "hunter2horse7"}}, A_KEY),
        ({"tolerance": 0.001}, "a divergence of 0.00123 is above the tolerance of 0.001"),
        ({"type": "f16"}, "gguf.json: is not about model-Q8_0.gguf"),
    ],
)
def test_what_is_wrong_with_the_file_stops_the_release(run, gguf_facts, change, words):
    write(run, **change)
    with pytest.raises(UserError) as caught:
        build_release(run, gguf_facts)
    assert words in str(caught.value)


def test_a_file_that_its_reader_stumbles_over_is_told(run, gguf_facts):
    write(run, fields={"x.said": "a" * 40})
    file = run.gguf / "model-Q8_0.gguf"
    file.write_bytes(file.read_bytes().replace(b"a" * 40, b"\xff" * 40))
    with pytest.raises(UserError, match=r"model-Q8_0\.gguf: not a readable GGUF file"):
        build_release(run, gguf_facts)


def test_two_files_are_no_release(run, gguf_facts):
    write(run)
    folder = build_release(run, gguf_facts)
    (folder / "model-F16.gguf").write_bytes((folder / "model-Q8_0.gguf").read_bytes())
    with pytest.raises(UserError, match="or more than one"):
        check_release(folder, "gguf")
