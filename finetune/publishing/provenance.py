"""provenance.json: how a release was made, and what each of its files comes to.

Everything in it is read from a file of the run; what was not measured is said to be so. No machine
is named: no path, no host, no user.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.publishing.artefacts import PROVENANCE, entries
from finetune.publishing.evidence import Evidence, read_evidence
from finetune.publishing.facts import ReleaseFacts
from finetune.publishing.json_values import json_value
from finetune.publishing.public import public_recipe
from finetune.publishing.tables import ABSENT, at
from finetune.run_folder import RunFolder, sha256_of, write_json

FORMAT = 1
_OF_DOWNLOADS = (".gitattributes", ".cache")
"""What the Hub and its client put beside a release."""


def write_provenance(folder: Path, run: RunFolder, facts: ReleaseFacts) -> None:
    """`provenance.json` of the files that `folder` holds by now; the last to be written.

    Raises UserError where a file of the run cannot be read.
    """
    write_json(folder / PROVENANCE, {**made_of(run, facts), "files": _files(folder)})


def made_of(run: RunFolder, facts: ReleaseFacts) -> dict[str, Any]:
    """What the run's own files say of how it was made."""
    evidence = read_evidence(run)
    trained = evidence.stages.get("train") or {}
    seconds = {
        name: stage["seconds"]
        for name, stage in evidence.stages.items()
        if isinstance(stage, dict) and "seconds" in stage
    }
    return {
        "format": FORMAT,
        "repo": facts.repo,
        "artefact": facts.artefact,
        "licence": facts.licence,
        "base": {"model": facts.base_model_id, "licence": facts.base_licence},
        "recipe": public_recipe(evidence.recipe),
        "toolkit": evidence.toolkit,
        "seeds": _seeds(evidence.recipe),
        "data": _data(run, evidence),
        "hardware": trained.get("hardware", ABSENT),
        "ranks": trained.get("processes", ABSENT),
        "seconds": seconds,
        "energy": trained.get("energy", ABSENT),
    }


def _seeds(recipe: dict[str, Any]) -> dict[str, Any]:
    """Every key of the recipe that is called `seed`, by its dotted name."""
    found: dict[str, Any] = {}

    def visit(value: Any, key: str) -> None:
        for name, inner in value.items() if isinstance(value, dict) else ():
            if name == "seed":
                found[f"{key}{name}"] = inner
            visit(inner, f"{key}{name}.")

    visit(recipe, "")
    return found


def _data(run: RunFolder, evidence: Evidence) -> Any:
    """The manifest names every document by its own sha256, so its digest stands for all."""
    if not run.manifest.is_file():
        return ABSENT
    return {"manifest_sha256": sha256_of(run.manifest), "documents": _counts(evidence)}


def _counts(evidence: Evidence) -> dict[str, int]:
    counts: dict[str, int] = {}
    for (split, _), number in sorted(evidence.corpus.files.items()):
        counts[split] = counts.get(split, 0) + number
    return counts


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        name: {"sha256": sha256_of(folder / name), "size": (folder / name).stat().st_size}
        for name in entries(folder)
        if name != PROVENANCE
    }


def read_provenance(folder: Path) -> dict[str, Any]:
    """What a release says of itself. Raises UserError where it says nothing that can be read."""
    file = folder / PROVENANCE
    try:
        if file.is_symlink():
            raise UserError(f"{file}: a symlink; a release has a file of its own")
        value = json_value(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file}: missing; `finetune release` writes it") from None
    except ValueError as error:
        raise UserError(f"{file}: not valid JSON ({error})") from error
    if not isinstance(value, dict) or not isinstance(value.get("files"), dict):
        raise UserError(f"{file}: states no files; `finetune release` writes it")
    return value


def stated_base_licence(folder: Path) -> str | None:
    """The base's licence as the release states it; None where it does not."""
    try:
        found = at(read_provenance(folder), "base", "licence")
    except UserError:
        return None  # `differences` reports it
    return found if isinstance(found, str) else None


def differences(folder: Path, names: Collection[str]) -> list[str]:
    """One sentence per file of `names`, or of the list, that is not what provenance.json states."""
    try:
        stated = read_provenance(folder)["files"]
    except UserError as error:
        return [str(error).removeprefix(f"{folder}/")]
    found = []
    for name in sorted({*names, *stated} - {PROVENANCE}):
        if name not in stated:
            found.append(f"{name}: is not among the files that {PROVENANCE} states")
        elif name not in names:
            found.append(f"{name}: missing, though {PROVENANCE} states it")
        elif sha256_of(folder / name) != at(stated, name, "sha256"):
            found.append(
                f"{name}: its bytes are not those that {PROVENANCE} states; "
                "`finetune release RECIPE --redo` makes it anew"
            )
    return found


def verify(folder: Path) -> list[str]:
    """What differs in a release, or in a download of it, from what its provenance.json states.

    A sentence per file; empty where all is as it was made. What the Hub adds is passed over.
    Raises UserError where provenance.json is missing or cannot be read.
    """
    read_provenance(folder)
    names = [name for name in entries(folder) if name.partition("/")[0] not in _OF_DOWNLOADS]
    links = [name for name in names if (folder / name).is_symlink()]
    return [
        *(f"{name}: a symlink, which no release holds" for name in links),
        *differences(folder, [name for name in names if name not in links]),
    ]
