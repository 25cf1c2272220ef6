"""What must hold before a folder counts as a release; every finding is reported at once."""

import re
from itertools import chain
from pathlib import Path
from typing import Any, TypeGuard

from finetune.errors import UserError
from finetune.licences import (
    OPENRAIL,
    has_use_restrictions,
    licence_of_folder,
)
from finetune.publishing import local_paths
from finetune.publishing.artefacts import Artefact, entries, foreign, missing
from finetune.publishing.card_check import validate_card
from finetune.publishing.eval_results import FOLDER as EVAL_RESULTS
from finetune.publishing.eval_results import bad_eval_results
from finetune.publishing.gguf_file import bad_gguf
from finetune.publishing.json_values import json_value, unfolded
from finetune.publishing.keys import TEXTS_OF_OTHERS, VOCABULARIES, keys_in, keys_under
from finetune.publishing.provenance import differences, stated_base_licence
from finetune.publishing.tensors import metadata_of, not_finite, tensor_names
from finetune.trace import BLOOM_FILE

_WEIGHTS = ".safetensors"
_NO_TEXTS = (_WEIGHTS, ".gguf")
_PICKLE = re.compile(rb"\x80[\x02-\x05]|PK\x03\x04")  # a bare pickle, or torch's zip of pickles
_SHARD = re.compile(r"model(-\d{1,9}-of-\d{1,9})?\.safetensors")
_BINARY = ("tokenizer.model", BLOOM_FILE.name)  # bits spell anything by chance


def check_release(folder: Path, artefact: Artefact) -> None:
    """Raise UserError with every reason, a line each, why `folder` cannot be a release."""
    refuse([*foreign(folder, artefact), *findings_of(folder, artefact)])


def refuse(findings: list[str]) -> None:
    """Raise UserError where there is a finding."""
    if findings:
        listed = "\n".join(f"  {finding}" for finding in findings)
        raise UserError(f"this cannot be released:\n{listed}")


def findings_of(folder: Path, artefact: Artefact) -> list[str]:
    """What is wrong with the plain files of `folder`, and what is missing; a sentence each."""
    plain = [folder / name for name in entries(folder) if _is_plain(folder / name)]
    return [
        *missing(folder, artefact),
        *chain.from_iterable(not_finite(file) for file in plain if file.suffix == _WEIGHTS),
        *chain.from_iterable(_bad_header(file) for file in plain if file.suffix == _WEIGHTS),
        *chain.from_iterable(bad_gguf(file) for file in plain if file.suffix == ".gguf"),
        *_bad_index(folder),
        *chain.from_iterable(_bad_text(file) for file in plain if file.suffix not in _NO_TEXTS),
        *_bad_config(folder),
        *_bad_proof(folder),
        *_bad_card(folder),
        *_bad_licence(folder),
        *chain.from_iterable(
            bad_eval_results(file) for file in plain if file.parent.name == EVAL_RESULTS
        ),
        *_not_as_made(folder),
    ]


def _is_plain(path: Path) -> bool:
    """Links are reported, not read: nothing outside the folder is opened."""
    return path.is_file() and not path.is_symlink()


def _bad_index(folder: Path) -> list[str]:
    """Every tensor of the index lies where it says, and no shard stands outside it."""
    index = folder / "model.safetensors.index.json"
    shards = {file.name for file in folder.glob("model-*-of-*.safetensors")}
    if not _is_plain(index):
        return [f"{name}: a shard that no index names" for name in sorted(shards)]
    value = _json(index)
    places = value.get("weight_map") if isinstance(value, dict) else None
    if not _is_map_of_shards(places):
        return [f"{index.name}: `weight_map` does not say which file of weights has which tensor"]
    findings = [
        f"{name}: a shard that the index does not name" for name in shards - {*places.values()}
    ]
    for name in sorted({*places.values()}):
        wanted = {tensor for tensor, file in places.items() if file == name}
        if not _is_plain(folder / name):
            findings.append(f"{name}: missing, though the index names it")
        elif wanted != _names(folder / name):
            findings.append(f"{name}: its tensors are not those that the index names")
    return findings


def _is_map_of_shards(places: Any) -> TypeGuard[dict[str, str]]:
    """A name of another form might lead out of the folder."""
    return isinstance(places, dict) and all(
        isinstance(name, str) and _SHARD.fullmatch(name) for name in places.values()
    )


def _bad_header(file: Path) -> list[str]:
    """What a safetensors file says of itself, and how it calls its tensors."""
    try:
        said = {**unfolded(metadata_of(file)), "tensors": sorted(tensor_names(file))}
    except ValueError:
        return []  # reported by `not_finite`
    paths = local_paths.in_json(said)
    keys = keys_under(file, said)
    return [*(f"{file.name}: absolute path {path} under `{key}`" for key, path in paths), *keys]


def _names(file: Path) -> set[str]:
    try:
        return tensor_names(file)
    except ValueError:
        return set()  # reported by `not_finite`


def _bad_text(file: Path) -> list[str]:
    """Pickles under another name, machine paths, and what has the shape of a secret."""
    with file.open("rb") as stream:
        start = stream.read(4)
    if _PICKLE.match(start):
        return [f"{file.name}: a pickle or a zip under another name"]
    if file.name in _BINARY:
        return []
    try:
        # A notice of others is passed on byte by byte, and keys are ASCII whatever it is.
        errors = "replace" if file.name in TEXTS_OF_OTHERS else "strict"
        text = file.read_text(encoding="utf-8", errors=errors)
    except UnicodeDecodeError as error:
        return [f"{file.name}: not UTF-8 (byte {error.start}), so nobody can look for keys in it"]
    findings = keys_in(file, text)
    if file.name in VOCABULARIES:
        return findings  # code knows `/usr/bin`
    if file.suffix == ".json":
        findings += _paths_in_json(file, text)
    elif file.name not in TEXTS_OF_OTHERS:
        findings += [f"{file.name}: machine path {path}" for path in local_paths.inside(text)]
    return findings


def _paths_in_json(file: Path, text: str) -> list[str]:
    try:
        value = json_value(text)
    except ValueError as error:
        return [f"{file.name}: not valid JSON ({error})"]
    if file.name == "tokenizer.json" and isinstance(value, dict):
        value.pop("model", None)  # a vocabulary may well know `/usr/bin`
    paths = local_paths.in_json(value)
    return [f"{file.name}: absolute path {path} under `{key}`" for key, path in paths]


def _bad_config(folder: Path) -> list[str]:
    config = _json(folder / "config.json")
    if isinstance(config, dict) and config.get("use_cache") is False:
        return ["config.json: `use_cache` is false, a leftover of training that slows generation"]
    return []


def _bad_proof(folder: Path) -> list[str]:
    proof = _json(folder / "merge.json")
    if not isinstance(proof, dict):
        return []
    difference, tolerance = proof.get("max_abs_logit_difference"), proof.get("tolerance")
    if not isinstance(difference, int | float) or not isinstance(tolerance, int | float):
        return ["merge.json: states no difference and tolerance, so it proves nothing"]
    if not difference <= tolerance:  # so written, NaN is refused too
        return [f"merge.json: a difference of {difference} is above the tolerance of {tolerance}"]
    return []


def _bad_card(folder: Path) -> list[str]:
    file = folder / "README.md"
    if not _is_plain(file):
        return ["README.md: missing; a release has a card"]
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    found = validate_card(text, stated_base_licence(folder))
    return [f"README.md: {finding}" for finding in found]


def _bad_licence(folder: Path) -> list[str]:
    file = folder / "LICENSE"
    text = file.read_text(encoding="utf-8", errors="replace") if _is_plain(file) else ""
    if not text.strip():
        return ["LICENSE: missing; recipients must get a copy"]
    try:
        licence = licence_of_folder(folder)
    except UserError as error:
        return [f"LICENSE: {error}"]
    if licence == OPENRAIL and not has_use_restrictions(text):
        return ["LICENSE: does not hold Attachment A, which the licence asks to pass on (5.1)"]
    return []


def _not_as_made(folder: Path) -> list[str]:
    """A card may be edited by hand; weights that are not those of the run are none of its."""
    plain = [name for name in entries(folder) if _is_plain(folder / name)]
    return [text for text in differences(folder, plain) if not text.startswith("README.md: ")]


def _json(file: Path) -> Any:
    """The value of a JSON file; None where it is missing or broken, which others report."""
    try:
        return json_value(file.read_text(encoding="utf-8")) if _is_plain(file) else None
    except ValueError:
        return None
