"""The model card, from the run's files and the release's facts only; see `card.md.j2`."""

import json
import re
from pathlib import Path
from typing import Any

from finetune.licences import (
    OPENRAIL,
    base_documentation,
    front_matter,
    known_licences,
    obligations,
    use_restrictions,
)
from finetune.publishing import tables, task_tables
from finetune.publishing.attribution import asks_for_attribution
from finetune.publishing.card_check import HUB_ID
from finetune.publishing.citations import citations
from finetune.publishing.evidence import Evidence, read_evidence
from finetune.publishing.facts import ReleaseFacts
from finetune.publishing.local_paths import mask
from finetune.publishing.model_index import model_index_results
from finetune.publishing.papers import has_notice
from finetune.publishing.public import public_recipe
from finetune.publishing.yaml_text import yaml_text
from finetune.run_folder import RunFolder
from finetune.templates import load_template

_LANGUAGES = {
    "python": "Python",
    "c": "C",
    "c++": "C++",
    "cpp": "C++",
    "c#": "C#",
    "java": "Java",
    "javascript": "JavaScript",
    "typescript": "TypeScript",
    "ts": "TypeScript",
    "go": "Go",
    "rust": "Rust",
    "ruby": "Ruby",
    "php": "PHP",
    "shell": "shell scripts",
}
_CUT = ("source_code", "repository", "notebook_scripts")
"""Formats that fill-in-the-middle applies to."""
_TASKS = {
    "instructions": "instructions with their answers",
    "chat": "dialogues",
    "commit_instructions": "edits as commit messages ask for them",
}
"""Formats that teach to do what a text asks for."""
_ADAPTERS = {"lora": "LoRA", "dora": "DoRA", "qlora": "QLoRA"}
_BEGINNINGS = {
    "gaussian": "begun from Gaussian numbers",
    "orthogonal": "begun orthogonal to each other",
    "olora": "begun from an orthonormal part of each weight, OLoRA",
    "pissa": "begun from the principal part of each weight, PiSSA",
}


_KINDS = {
    "merged": ("transformers", "finetune"),
    "adapter": ("peft", "adapter"),
    "gguf": ("gguf", "quantized"),
}
"""By artefact: the library that loads it, and what it is to its base."""


def render_card(run: RunFolder, facts: ReleaseFacts) -> str:
    """README.md of a release: metadata, then prose and tables.

    Raises UserError where a file of the run cannot be read.
    """
    evidence = read_evidence(run)
    template = load_template(Path(__file__).with_name("card.md.j2"), autoescape=False)
    text = template.render(_context(evidence, facts))
    return f"---\n{yaml_text(metadata(evidence, facts))}---\n\n{_tidy(text)}"


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def metadata(evidence: Evidence, facts: ReleaseFacts) -> dict[str, Any]:
    """The card's YAML: what the Hub reads."""
    library, relation = _KINDS[facts.artefact]
    base_model = (relation == "quantized" and facts.merged_repo) or facts.base_model_id
    values: dict[str, Any] = {"license": facts.licence}
    if facts.licence == "other":  # the Hub then asks for a name and a link
        base = front_matter(facts.base_folder) if facts.base_folder else {}
        values |= {
            "license_name": str(base.get("license_name", "other")),
            "license_link": "LICENSE",
        }
    if base_model is not None:
        values |= {"base_model": base_model, "base_model_relation": relation}
    values |= {
        "library_name": library,
        "pipeline_tag": "text-generation",
        "language": ["code"],
        "tags": _tags(evidence),
    }
    if datasets := _datasets(evidence.recipe):
        values["datasets"] = datasets
    if facts.gated_prompt:
        values["extra_gated_prompt"] = facts.gated_prompt
    results = model_index_results(evidence.scores)
    if results:
        name = facts.repo.rpartition("/")[2]
        values["model-index"] = [{"name": name, "results": results}]
    return values


def _datasets(recipe: dict[str, Any]) -> list[str]:
    """Of those trained on, the ones that have a name on the Hub."""
    named = [str(source.get("dataset")) for source in _trained_on(recipe)]
    return list(dict.fromkeys(name for name in named if HUB_ID.fullmatch(name)))


def _tags(evidence: Evidence) -> list[str]:
    tags = ["code", "code-completion"]
    if _fim_rate(evidence.recipe):
        tags.append("fill-in-the-middle")
    method = tables.at(evidence.recipe, "tune", "method")
    if method in _ADAPTERS:
        tags += ["lora"] if method == "lora" else ["lora", method]
    return tags


def _context(evidence: Evidence, facts: ReleaseFacts) -> dict[str, Any]:
    return {
        "facts": facts,
        "name": facts.repo.rpartition("/")[2],
        "owner": facts.repo.partition("/")[0],
        "recipe": evidence.recipe,
        "scores": evidence.scores,
        "repositories": {k: len(v) for k, v in sorted(evidence.corpus.repositories.items())},
        "languages": _languages(evidence),
        "fim_rate": _fim_rate(evidence.recipe),
        "tasks_in_words": _tasks_in_words(evidence.recipe),
        "adapters": _adapters_in_words(evidence.recipe),
        "evidence": evidence,
        "tables": tables,
        "task_tables": task_tables,
        "at": tables.at,
        "shown": tables.shown,
        "as_json": lambda value: json.dumps(mask(value), ensure_ascii=False),
        "recipe_text": yaml_text(public_recipe(evidence.recipe)),
        "openrail": facts.licence == OPENRAIL,
        "openrail_base": facts.base_licence == OPENRAIL,
        "licence_name": known_licences()[facts.licence].name,
        "base_licence_name": known_licences()[facts.base_licence].name,
        "obligations": obligations(facts.licence),
        "restrictions": use_restrictions(),
        "has_base_card": bool(base_documentation(facts.base_folder)),
        "has_attribution": asks_for_attribution(evidence.corpus),
        "has_notice": has_notice(facts.base_folder),
        "citations": citations(facts.repo, facts.base_model_id),
    }


def _trained_on(recipe: dict[str, Any]) -> list[dict[str, Any]]:
    sources = tables.at(recipe, "data", "sources") or []
    return [source for source in sources if source.get("weight") != 0]


def _fim_rate(recipe: dict[str, Any]) -> Any:
    """The largest share of segments that a source had cut; None where the recipe does not say."""
    rate = tables.at(recipe, "fim", "rate")
    cut = [source for source in _trained_on(recipe) if source.get("format") in _CUT]
    own = [tables.at(source, "fim", "rate") for source in cut]
    return None if rate is None else max((rate if one is None else one for one in own), default=0)


def _tasks_in_words(recipe: dict[str, Any]) -> str:
    """What it was taught besides continuing code, of the sources that were trained on."""
    formats = {source.get("format") for source in _trained_on(recipe)}
    return " and ".join(words for name, words in _TASKS.items() if name in formats)


def _adapters_in_words(recipe: dict[str, Any]) -> str:
    """`LoRA, rank 8, alpha 16`; empty where there were none."""
    tune = tables.at(recipe, "tune") or {}
    if tune.get("method") not in _ADAPTERS:
        return ""
    words = [_ADAPTERS[tune["method"]]]
    words += [f"{key} {tables.shown(tune.get(key))}" for key in ("rank", "alpha")]
    words += ["rank-stabilised"] if tune.get("rank_stabilised") else []
    words += [_BEGINNINGS[tune["initial"]]] if tune.get("initial") in _BEGINNINGS else []
    return ", ".join(words)


def _languages(evidence: Evidence) -> str:
    """`Python (12 files) and C++ (3 files)`, of the files trained on."""
    counts = evidence.corpus.languages("train")
    parts = [
        f"{_LANGUAGES.get(name, name)} ({count} {'file' if count == 1 else 'files'})"
        for name, count in counts.items()
    ]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
