"""release/: exactly the files that a push uploads, checked before the folder gets its name."""

import json
import shutil
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.licences import derivative_licence, licence_text, obligations
from finetune.publishing.artefacts import BASE_CARD, entries, foreign
from finetune.publishing.card import render_card
from finetune.publishing.checks import check_release
from finetune.publishing.facts import ReleaseFacts
from finetune.publishing.files import link_or_copy
from finetune.run_folder import RunFolder, whole_folder, write_json, write_text

__all__ = ["ReleaseFacts", "build_release"]

_OURS = ("README.md", "LICENSE", "NOTICE", BASE_CARD)  # written here, whatever the source holds
# Where libraries note the folder that something was loaded from.
_NAMES_OF_BASE = ("base_model_name_or_path", "_name_or_path", "name_or_path")


def build_release(run: RunFolder, facts: ReleaseFacts) -> Path:
    """Fill `release/` of a run: weights, configs, card, LICENSE; returns it.

    Raises UserError, and leaves an earlier release/ as it was, where the licence contradicts the
    base's, the stage before did not run, or any check fails; all findings are in one message.
    """
    derivative_licence(facts.base_licence, facts.licence)
    source = run.merged if facts.artefact == "merged" else run.adapter
    if not source.is_dir():
        stage = "merge" if facts.artefact == "merged" else "train"
        raise UserError(f"{source}: missing; run `finetune {stage}` first")
    unlisted = foreign(source, facts.artefact)
    if unlisted:
        listed = "\n".join(f"  {finding}" for finding in unlisted)
        raise UserError(f"{source} holds what may not be released; move it elsewhere:\n{listed}")
    with whole_folder(run.release) as folder:
        try:
            _copy(source, folder, facts)
            _write_papers(folder, run, facts)
            check_release(folder, facts.artefact)
        except Exception:
            shutil.rmtree(folder)
            raise
    return run.release


def _copy(source: Path, folder: Path, facts: ReleaseFacts) -> None:
    for name in entries(source):
        if name in _OURS:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".safetensors"):
            link_or_copy(source / name, target)
        elif name in ("config.json", "adapter_config.json", "tokenizer_config.json"):
            write_json(target, _without_local_base(_config(source / name), facts.base_model_id))
        else:
            shutil.copyfile(source / name, target)


def _config(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise UserError(f"{file}: not valid JSON ({error})") from error


def _without_local_base(config: dict[str, Any], base_model_id: str | None) -> dict[str, Any]:
    """The base is named by its Hub id or not at all: a folder's name is nobody else's business."""
    return {key: base_model_id if key in _NAMES_OF_BASE else value for key, value in config.items()}


def _write_papers(folder: Path, run: RunFolder, facts: ReleaseFacts) -> None:
    write_text(folder / "LICENSE", _licence(facts))
    base = facts.base_folder
    if base and (base / "NOTICE").is_file():
        shutil.copyfile(base / "NOTICE", folder / "NOTICE")
    cards = [base / name for name in ("README.md", BASE_CARD)] if base else []
    texts = [card.read_text(encoding="utf-8") for card in cards if card.is_file()]
    if texts:
        write_text(folder / BASE_CARD, "\n\n".join(texts))
    write_text(folder / "README.md", render_card(run, facts))


def _licence(facts: ReleaseFacts) -> str:
    """The release's licence; where it narrows the base's, the base's text follows it."""
    text = licence_text(facts.licence, facts.base_folder, facts.base_licence)
    if facts.licence == facts.base_licence or not obligations(facts.base_licence).must_include:
        return text
    base = licence_text(facts.base_licence, facts.base_folder, facts.base_licence)
    line = "=" * 80
    note = f"The base of this model stands under {facts.base_licence}, whose text follows."
    return f"{text.rstrip()}\n\n{line}\n{note}\n{line}\n\n{base}"
