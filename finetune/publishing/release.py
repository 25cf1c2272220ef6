"""release/: exactly the files that a push uploads, checked before the folder gets its name."""

import shutil
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.licences import derivative_licence
from finetune.publishing.artefacts import entries, foreign
from finetune.publishing.card import render_card
from finetune.publishing.checks import check_release, refuse
from finetune.publishing.eval_results import write_eval_results
from finetune.publishing.evidence import read_evidence
from finetune.publishing.facts import ReleaseFacts
from finetune.publishing.files import link_or_copy
from finetune.publishing.json_values import json_value
from finetune.publishing.number_lint import unsupported_numbers
from finetune.publishing.papers import PAPERS, write_papers
from finetune.publishing.provenance import write_provenance
from finetune.run_folder import RunFolder, whole_folder, write_json, write_text
from finetune.trace import BLOOM_FILE, write_bloom

__all__ = ["ReleaseFacts", "build_release"]

# Where libraries note the folder that something was loaded from.
_NAMES_OF_BASE = ("base_model_name_or_path", "_name_or_path", "name_or_path")


def build_release(run: RunFolder, facts: ReleaseFacts) -> Path:
    """Fill `release/` of a run: weights, configs, card, LICENSE; returns it.

    Raises UserError, and leaves an earlier release/ as it was, where the licence contradicts the
    base's, the stage before did not run, or any check fails; all findings are in one message.
    """
    derivative_licence(facts.base_licence, facts.licence)
    folders = {"merged": run.merged, "adapter": run.adapter, "gguf": run.gguf}
    source = folders[facts.artefact]
    if not source.is_dir():
        stage = {"merged": "merge", "adapter": "train", "gguf": "release"}[facts.artefact]
        raise UserError(f"{source}: missing; run `finetune {stage}` first")
    unlisted = foreign(source, facts.artefact, beside=PAPERS)
    if unlisted:
        listed = "\n".join(f"  {finding}" for finding in unlisted)
        raise UserError(f"{source} holds what may not be released; move it elsewhere:\n{listed}")
    with whole_folder(run.release) as folder:
        try:
            _copy(source, folder, facts)
            evidence = read_evidence(run)
            write_papers(folder, facts, evidence.corpus)
            write_eval_results(folder, evidence, facts)
            if facts.has_training_index:
                write_bloom(run.train_corpus, folder / BLOOM_FILE)
            write_text(folder / "README.md", _card(run, facts))
            write_provenance(folder, run, facts)
            check_release(folder, facts.artefact)
        except Exception:
            shutil.rmtree(folder)
            raise
    return run.release


def _card(run: RunFolder, facts: ReleaseFacts) -> str:
    """The card, each of whose numbers stands in a file of the run."""
    card = render_card(run, facts)
    refuse([f"README.md: {one}" for one in unsupported_numbers(card, run, facts)])
    return card


def _copy(source: Path, folder: Path, facts: ReleaseFacts) -> None:
    for name in entries(source):
        if name in PAPERS:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith((".safetensors", ".gguf")):
            link_or_copy(source / name, target)
        elif name in ("config.json", "adapter_config.json", "tokenizer_config.json"):
            write_json(target, _without_local_base(_config(source / name), facts.base_model_id))
        else:
            shutil.copyfile(source / name, target)


def _config(file: Path) -> dict[str, Any]:
    try:
        value = json_value(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise UserError(f"{file}: no JSON object")
    return value


def _without_local_base(config: dict[str, Any], base_model_id: str | None) -> dict[str, Any]:
    """The base is named by its Hub id or not at all: a folder's name is nobody else's business."""
    return {key: base_model_id if key in _NAMES_OF_BASE else value for key, value in config.items()}
