"""Numbers of a run as Markdown tables. Nothing is computed here but counts: a cell shows a value
of a file, rounded, so that a reader can find it there again."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from finetune.publishing.evidence import Corpus, Evidence
from finetune.publishing.local_paths import mask_text

ABSENT = "not measured"
LAYOUTS = {
    "left_to_right": "left to right",
    "psm": "fill-in-the-middle, prefix first (PSM)",
    "spm": "fill-in-the-middle, suffix first (SPM)",
}
SIDES = ("base", "tuned")


def shown(value: object) -> str:
    """A value as a cell shows it: floats to four decimals, tiny ones to three digits."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "not finite"
        return f"{value:.3g}" if 0 < abs(value) < 0.001 else str(round(value, 4))
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value)
    text = mask_text(str(value)).replace("<", "&lt;")  # `<local>` would vanish as a tag
    return text.replace("|", "\\|").replace("\n", " ")


def at(value: Any, *keys: str) -> Any:
    """`value[a][b]...`, or None as soon as one is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, or `not measured` where it would have no row."""
    lines = ["| " + " | ".join(shown(cell) for cell in row) + " |" for row in rows]
    if not lines:
        return f"{ABSENT.capitalize()}."
    rule = "| " + " | ".join("---" for _ in header) + " |"
    return "\n".join(["| " + " | ".join(header) + " |", rule, *lines])


def losses(scores: dict[str, Any]) -> str:
    """Held-out loss and bits per byte, base beside tuned."""
    rows = [
        (f"{unit}, {name}", *(at(scores, key, side, layout) for side in SIDES))
        for key, unit in (("losses", "Loss in nats per token"), ("bits_per_byte", "Bits per byte"))
        if key in scores
        for layout, name in LAYOUTS.items()
    ]
    return table(("Measure on held-out files", "Base", "This model"), rows)


def losses_by_language(scores: dict[str, Any]) -> str:
    """Held-out loss per language and layout."""
    rows = [
        (language, name, *(at(sides, side, layout) for side in SIDES))
        for language, sides in (scores.get("losses_by_language") or {}).items()
        for layout, name in LAYOUTS.items()
    ]
    return table(("Language", "Layout", "Base", "This model"), rows)


def files(corpus: Corpus) -> str:
    """Files and characters per split and language."""
    rows = [
        (split, language, count, corpus.characters[split, language])
        for (split, language), count in sorted(corpus.files.items())
    ]
    return table(("Split", "Language", "Files", "Characters"), rows)


def licences(corpus: Corpus) -> str:
    """Files per split and licence."""
    rows = [(split, name, count) for (split, name), count in sorted(corpus.licences.items())]
    return table(("Split", "Licence of the files", "Files"), rows)


def drops(corpus: Corpus) -> str:
    """Dropped files per reason."""
    if corpus.drops is not None and not corpus.drops:
        return "No file was dropped."
    return table(("Reason for leaving files out", "Files"), (corpus.drops or {}).items())


def tokens(prepared: dict[str, Any]) -> str:
    """Tokens trained on per pass, by language and by licence."""
    counted = prepared.get("tokens") or {}
    return "\n\n".join(
        table((f"{what} of the training files", "Tokens"), _thousands(counted.get(key) or {}))
        for key, what in (("languages", "Language"), ("licences", "Licence"))
    )


def redacted(prepared: dict[str, Any]) -> str:
    """How often each kind of personal data was replaced."""
    counts = prepared.get("redacted") or {}
    return table(("Replaced in the texts", "Times"), _thousands(counts))


def _thousands(counts: dict[str, int]) -> list[tuple[str, str]]:
    return [(name, f"{count:,}") for name, count in counts.items()]


def merge(proof: dict[str, Any]) -> str:
    """How far the merged weights, read back from disk, are from what was trained."""
    names = {
        "method": "Method",
        "max_abs_logit_difference": "Largest difference of a logit",
        "tolerance": "Tolerance",
        "argmax_agreement": "Share of equal predictions",
        "tied_embeddings": "Embeddings tied",
    }
    more = {"compared_tokens": "Tokens compared", "dtype": "Type of the weights"}
    names |= {key: name for key, name in more.items() if key in proof}
    rows = [(name, proof.get(key)) for key, name in names.items()]
    return table(("Proof of the merge", "Value"), rows if proof else [])


def gguf(proof: dict[str, Any]) -> str:
    """How far a GGUF file is from the merged weights; llama.cpp's part only where it was asked."""
    names = {
        "type": "Type of the matrices",
        "max_abs_weight_difference": "Largest difference of a weight",
        "compared_ids": "Token ids compared, all equal",
    }
    rows = [(name, proof.get(key)) for key, name in names.items()]
    compared = proof.get("llama_cpp")
    if compared is None:
        return table(("Proof of the GGUF", "Value"), [*rows, ("Predictions", None)])
    more = {
        "runtime": "Predictions compared in",
        "mean_kl_divergence": "Mean divergence of predictions, nats per token",
        "max_abs_logit_difference": "Largest difference of a logit",
        "argmax_agreement": "Share of equal predictions",
        "compared_tokens": "Tokens compared",
    }
    rows += [(name, compared.get(key)) for key, name in more.items()]
    tolerance = ("Tolerance of the divergence", proof.get("tolerance"))
    return table(("Proof of the GGUF", "Value"), [*rows, tolerance])


def stages(evidence: Evidence) -> str:
    """Seconds per stage."""
    rows = [
        (name, stage.get("seconds"), stage.get("summary"))
        for name, stage in evidence.stages.items()
        if isinstance(stage, dict)
    ]
    return table(("Stage", "Seconds", "What it did"), rows)


def versions(evidence: Evidence) -> str:
    """The toolkit and the libraries it ran on."""
    own = [(name, evidence.toolkit[key]) for key, name in _OWN.items() if evidence.toolkit.get(key)]
    return table(("Software", "Version"), [*own, *(evidence.toolkit.get("versions") or {}).items()])


_OWN = {
    "version": "this toolkit",
    "git_commit": "its git commit",
    "git_dirty": "changed since that commit",
    "platform": "platform",
}


def progress(evidence: Evidence) -> str:
    """Where training ended."""
    names = {
        "step": "Optimiser steps",
        "tokens": "Tokens (positions of blocks)",
        "loss": "Training loss at the last step",
        "learning_rate": "Learning rate at the last step",
        "tokens_per_second": "Tokens per second at the last step",
    }
    rows = [(name, evidence.last_step.get(key)) for key, name in names.items()]
    return table(("At the end of training", "Value"), rows if evidence.last_step else [])
