"""What must hold of a GGUF file before it is released."""

from pathlib import Path
from typing import Any

from finetune.methods import gguf_problem
from finetune.publishing.json_values import json_value, unfolded
from finetune.publishing.keys import SHORTEST_KEY, keys_under
from finetune.publishing.local_paths import in_json

PROOF = "gguf.json"


def bad_gguf(file: Path) -> list[str]:
    """A sentence per tensor that is not finite, per machine path in what it says of itself, for
    what looks like a key there or in its vocabulary, and where its proof does not prove it."""
    from finetune.exporting import contents_of  # numpy, which `check` does without

    problem = gguf_problem()
    if problem:
        return [f"{file.name}: cannot be checked: {problem}"]
    try:
        found = contents_of(file)
    except ValueError as error:
        return [f"{file.name}: {error}"]
    said = unfolded(found.said)
    words = [word for word in found.vocabulary if len(word) >= SHORTEST_KEY]
    return [
        *(f"{file.name}: {name}: numbers are NaN or infinite" for name in found.not_finite),
        *(f"{file.name}: absolute path {path} under `{key}`" for key, path in in_json(said)),
        *keys_under(file, {**said, "vocabulary": words}),
        *_bad_proof(file),
    ]


def _bad_proof(file: Path) -> list[str]:
    try:
        proof: Any = json_value((file.parent / PROOF).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []  # reported with the other files
    if not isinstance(proof, dict) or file.name != f"model-{str(proof.get('type')).upper()}.gguf":
        return [f"{PROOF}: is not about {file.name}"]
    compared, tolerance = proof.get("llama_cpp"), proof.get("tolerance")
    if compared is None:
        return []
    found = compared.get("mean_kl_divergence") if isinstance(compared, dict) else None
    if not isinstance(found, int | float) or not isinstance(tolerance, int | float):
        return [f"{PROOF}: states no divergence and tolerance, so it proves nothing"]
    if not found <= tolerance:
        return [f"{PROOF}: a divergence of {found} is above the tolerance of {tolerance}"]
    return []
