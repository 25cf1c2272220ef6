"""What the files of a run state, read once. Whatever is absent here is absent from the card."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from finetune.errors import UserError
from finetune.run_folder import RunFolder


@dataclass(kw_only=True)
class Corpus:
    """Counts over manifest.jsonl and drops.jsonl; pairs are (split, language or licence)."""

    files: Counter[tuple[str, str]] = field(default_factory=Counter)
    characters: Counter[tuple[str, str]] = field(default_factory=Counter)
    licences: Counter[tuple[str, str]] = field(default_factory=Counter)
    repositories: dict[str, set[str]] = field(default_factory=dict)
    works: dict[str, set[str]] = field(default_factory=dict)
    """Repositories or packages of the files trained on, by licence."""
    drops: Counter[str] | None = None
    """None where the run did not write the file."""

    def languages(self, split: str) -> dict[str, int]:
        """Files per language of one split, most files first."""
        counts = {language: n for (name, language), n in self.files.items() if name == split}
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The files of one run."""

    recipe: dict[str, Any]
    toolkit: dict[str, Any]
    scores: dict[str, Any]
    merge: dict[str, Any]
    gguf: dict[str, Any]
    """gguf.json; empty where none was made."""
    stages: dict[str, Any]
    corpus: Corpus
    prepared: dict[str, Any]
    """corpus.json."""
    last_step: dict[str, Any]


def read_evidence(run: RunFolder) -> Evidence:
    """Read the run's files; missing ones are empty.

    Raises UserError where recipe.yaml is missing or any file cannot be parsed.
    """
    recipe = _recipe(run.recipe)
    toolkit = recipe.pop("toolkit", None)
    return Evidence(
        recipe=recipe,
        toolkit=toolkit if isinstance(toolkit, dict) else {},
        scores=_object(run.scores),
        merge=_object(run.merge_proof),
        gguf=_object(run.gguf_proof),
        stages=_object(run.stages),
        corpus=_corpus(run),
        prepared=_object(run.corpus_summary),
        last_step=_last_step(run.log),
    )


def _recipe(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise UserError(f"{file}: missing, so the run cannot say how it was made")
    try:
        values = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise UserError(f"{file}: not valid YAML: {error}") from error
    return values if isinstance(values, dict) else {}


def _object(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file}: not valid JSON ({error}); run its stage again") from error
    return value if isinstance(value, dict) else {}


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """Line by line: a manifest can be longer than memory."""
    if not file.is_file():
        return
    with file.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise UserError(f"{file}:{number}: not valid JSON ({error})") from error


def _corpus(run: RunFolder) -> Corpus:
    corpus = Corpus()
    for line in _lines(run.manifest):
        split = str(line.get("split") or "all")
        language = str(line.get("language") or "not stated")
        corpus.files[split, language] += 1
        corpus.characters[split, language] += int(line.get("characters") or 0)
        corpus.licences[split, str(line.get("licence") or "not stated")] += 1
        if split == "train" and line.get("licence"):
            corpus.works.setdefault(str(line["licence"]), set()).add(str(line.get("repo")))
        corpus.repositories.setdefault(split, set()).add(str(line.get("repo")))
    if run.drops.is_file():
        corpus.drops = Counter(str(line.get("reason")) for line in _lines(run.drops))
    return corpus


def _last_step(log: Path) -> dict[str, Any]:
    """The newest value of every metric: validation lines stand between those of steps."""
    newest: dict[str, Any] = {}
    for line in _lines(log):
        newest.update(line)
    return newest
