"""What must hold of a GGUF file before it is released."""

import json
from pathlib import Path
from typing import Any

from finetune.methods import gguf_problem
from finetune.publishing import local_paths
from finetune.publishing.keys import SHORTEST_KEY, keys_in

PROOF = "gguf.json"


def bad_gguf(file: Path) -> list[str]:
    """A sentence per tensor that is not finite, per machine path in what it says of itself, for
    what looks like a key there or in its vocabulary, and where its proof does not prove it."""
    from finetune.exporting import (  # numpy, which `check` does without
        findings_in,
        texts_in,
        tokens_in,
    )

    problem = gguf_problem()
    if problem:
        return [f"{file.name}: cannot be checked: {problem}"]
    findings = findings_in(file)
    if findings:
        return findings
    said = texts_in(file)
    paths = [path for text in said.values() for path in local_paths.inside(text)]
    words = [token for token in tokens_in(file) if len(token) >= SHORTEST_KEY]
    keys = keys_in(file, "\n".join([*said.values(), *words]))
    return [*(f"{file.name}: machine path {path}" for path in paths), *keys, *_bad_proof(file)]


def _bad_proof(file: Path) -> list[str]:
    try:
        proof: Any = json.loads((file.parent / PROOF).read_text(encoding="utf-8"))
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
