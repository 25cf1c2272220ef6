"""merged/ -> gguf/: one GGUF file and gguf.json, the proof that it is the same model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finetune.errors import Refused, UserError
from finetune.exporting.read import compare_tensors, compare_tokenizer
from finetune.exporting.runtime import Compared, compare_in_llama_cpp, is_installed
from finetune.exporting.tensors import Kind, read_config
from finetune.exporting.vocabulary import read_vocabulary
from finetune.exporting.write import write_gguf
from finetune.methods import gguf_problem
from finetune.run_folder import whole_folder, write_json
from finetune.tokenizer import PROBE

PROOF = "gguf.json"
TEXTS = 16
LENGTH = 512
"""Of so many texts, so many ids are compared as logits; of these texts all ids are."""
TOLERANCES: dict[Kind, float] = {"f32": 1e-5, "f16": 1e-4, "bf16": 1e-3, "q8_0": 1e-2}
"""Largest mean divergence (nats per token) of what llama.cpp predicts from the merged model.

Measured on the tests' models, whose weights are large: 2e-7, 2e-6, 1.4e-4 and 1.4e-3.
"""
FIM_TEXT = "def f(x):\n    <fim_prefix>return<fim_suffix> x<fim_middle><|endoftext|>\n"
"""Content that spells sentinels, which must stay text."""


@dataclass(frozen=True, kw_only=True)
class GgufProof:
    """What gguf.json holds."""

    type: Kind
    max_abs_weight_difference: float
    """From the merged model's files."""
    compared_ids: int
    """Of real texts, equal in tokenizer.json and in the tokenizer that the file states."""
    tolerance: float
    llama_cpp: Compared | None
    """None where it is not installed, so that no logits were compared."""


def file_name(kind: Kind) -> str:
    """llama.cpp and the Hub read the type off a name's end."""
    return f"model-{kind.upper()}.gguf"


def export_gguf(
    merged: Path, folder: Path, kind: Kind, texts: Sequence[str], about: dict[str, str]
) -> GgufProof:
    """Write `folder` from the model in `merged`: the file of this type, and gguf.json.

    `texts` are compared as ids and logits; `about` is as in `write_gguf`. Raises UserError where
    the model has no GGUF, Refused where the file is not the same model; nothing is left then.
    """
    problem = gguf_problem()
    if problem:
        raise UserError(problem)
    config = read_config(merged)
    vocabulary = read_vocabulary(merged, config["vocab_size"])
    shown = [PROBE, FIM_TEXT, *[text for text in texts if text][:TEXTS]]
    with whole_folder(folder) as aside:
        file = aside / file_name(kind)
        write_gguf(merged, file, kind, config, vocabulary, about)
        proof = GgufProof(
            type=kind,
            max_abs_weight_difference=compare_tensors(merged, file, kind, config),
            compared_ids=compare_tokenizer(merged, file, shown),
            tolerance=TOLERANCES[kind],
            llama_cpp=_in_llama_cpp(merged, file, shown, config),
        )
        refuse(proof, file)
        write_json(aside / PROOF, asdict(proof))
    return proof


def _in_llama_cpp(
    merged: Path, file: Path, texts: Sequence[str], config: dict[str, Any]
) -> Compared | None:
    if not is_installed():
        return None
    return compare_in_llama_cpp(merged, file, texts, min(LENGTH, config["n_positions"]))


def refuse(proof: GgufProof, file: Path) -> None:
    """Raise Refused where llama.cpp predicts something else than the merged model."""
    found = proof.llama_cpp
    if found is not None and not found.mean_kl_divergence <= proof.tolerance:  # NaN is refused
        raise Refused(
            f"{file.name}: in llama.cpp its predictions diverge by {found.mean_kl_divergence:.2g} "
            f"nats per token from the merged model's, more than {proof.tolerance:.0e}; no GGUF was "
            "made"
        )
