"""Where a base lies and what its files state, read without torch and without a network.

`check` asks these facts before anything is loaded: the header of a safetensors file is JSON and
names every weight; config.json holds the positions; the card's metadata states the licence.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.errors import Failed, UserError
from finetune.families import FAMILY_LICENCES
from finetune.licences import front_matter, licence_of_folder
from finetune.recipe import is_folder
from finetune.recipe.schema import Base, EarlierRun, Pretrained, Scratch
from finetune.run_folder import RunFolder, sha256_of
from finetune.tokenizer import FILES as TOKENIZER_FILES

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
LONGEST_HEADER = 100_000_000
"""Bytes of a safetensors header: the format's own limit."""
GPT_BIGCODE_MODULES = frozenset({"wte", "wpe", "ln_1", "ln_2", "ln_f", "c_attn", "c_proj", "c_fc"})


@dataclass(frozen=True, kw_only=True)
class BaseFacts:
    """What is known of a base. `folder` is None where its files are not on this machine yet."""

    folder: Path | None
    description: str
    """For people: a Hub id, `earlier run NAME`, `made from scratch`, or a folder's name."""
    model_id: str | None
    """Hub id, where the base or its ancestor has one."""
    licence: str | None
    model_type: str | None
    positions: int | None
    modules: frozenset[str]
    """Last parts of the names of modules that hold weights; empty where unknown."""
    trust_remote_code: bool = False


def base_facts(base: Base, run: RunFolder) -> BaseFacts:
    """The facts of a recipe's `base`. Raises UserError where a named folder is no model."""
    if isinstance(base, Scratch):
        made = base.scratch
        return BaseFacts(
            folder=run.base if (run.base / "config.json").is_file() else None,
            description="made from scratch",
            model_id=None,
            licence=made.licence,
            model_type="gpt_bigcode",
            positions=made.positions,
            modules=GPT_BIGCODE_MODULES,
        )
    if isinstance(base, EarlierRun):
        merged = RunFolder(run.path.parent / base.run).merged
        description = f"earlier run {base.run}"
        if not merged.is_dir():
            return _unknown(description, model_id=None, licence=None)
        return _of_folder(merged, description)
    return _pretrained(base)


def _pretrained(base: Pretrained) -> BaseFacts:
    if is_folder(base.model):
        folder = Path(base.model)
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; a Hub id is written owner/name")
        return _of_folder(folder, folder.name, licence=base.licence, trust=base.trust_remote_code)
    licence = base.licence or FAMILY_LICENCES.get(base.model)
    folder_of_cache = cached_snapshot(base)
    if folder_of_cache is None:
        return _unknown(base.model, model_id=base.model, licence=licence)
    return _of_folder(
        folder_of_cache,
        base.model,
        model_id=base.model,
        licence=licence,
        trust=base.trust_remote_code,
    )


def _unknown(description: str, *, model_id: str | None, licence: str | None) -> BaseFacts:
    return BaseFacts(
        folder=None,
        description=description,
        model_id=model_id,
        licence=licence,
        model_type=None,
        positions=None,
        modules=frozenset(),
    )


def _of_folder(
    folder: Path,
    description: str,
    *,
    model_id: str | None = None,
    licence: str | None = None,
    trust: bool = False,
) -> BaseFacts:
    config = _json_object(folder / "config.json")
    return BaseFacts(
        folder=folder,
        description=description,
        model_id=model_id or _model_id(folder),
        licence=licence or licence_of_folder(folder),
        model_type=config.get("model_type"),
        positions=config.get("n_positions") or config.get("max_position_embeddings"),
        modules=frozenset(name.split(".")[-2] for name in weight_names(folder) if "." in name),
        trust_remote_code=trust,
    )


def _json_object(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{file.parent}: no {file.name}; this is no model folder") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file}: cannot be read as JSON: {error}{_pointer_hint(file)}") from error
    if not isinstance(value, dict):
        raise UserError(f"{file}: not a JSON object")
    return value


def weight_names(folder: Path) -> list[str]:
    """Names of all weights, from the safetensors index or header; no weight is read.

    Raises UserError where the folder holds no safetensors: other formats can run code.
    """
    single, index = folder / WEIGHTS, folder / WEIGHTS_INDEX
    if single.is_file():
        return [name for name in header_of(single)[0] if name != "__metadata__"]
    if not index.is_file():
        raise UserError(
            f"{folder}: no {WEIGHTS}; only safetensors are loaded (pickled weights can "
            "run code): convert the base first"
        )
    shard_of = _json_object(index).get("weight_map")
    if not isinstance(shard_of, dict):
        raise UserError(f"{index}: has no weight_map")
    missing = sorted(shard for shard in {*shard_of.values()} if not (folder / shard).is_file())
    if missing:
        raise UserError(f"{folder}: {missing[0]} is missing; {index.name} names it")
    return list(shard_of)


def header_of(file: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file (8 bytes of length, then JSON), and where its data begin.

    Raises UserError where it cannot be read.
    """
    try:
        content, start = header_bytes(file)
        header = json.loads(content)
        if not isinstance(header, dict):
            raise ValueError("its header is no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        hint = _pointer_hint(file) or f": {error}"
        raise UserError(f"{file}: not a whole safetensors file{hint}") from error
    return header, start


def header_bytes(file: Path) -> tuple[bytes, int]:
    """What stands before the data of a safetensors file, and where they begin.

    Anything may stand where such a file has the length of its header (a pickle of 14 bytes asks
    for terabytes), so no byte is asked for before that is found possible. Raises ValueError.
    """
    with file.open("rb") as opened:
        start = 8 + int.from_bytes(opened.read(8), "little")
        if start > min(file.stat().st_size, LONGEST_HEADER):
            raise ValueError("its header would reach beyond its end, or is too large")
        return opened.read(start - 8), start


def _pointer_hint(file: Path) -> str:
    """A clone without Git LFS leaves a small text in place of each large file."""
    try:
        with file.open("rb") as opened:
            is_pointer = opened.read(40).startswith(b"version https://git-lfs")
    except OSError:
        return ""
    return "; it is a Git LFS pointer: run `git lfs pull` in its folder" if is_pointer else ""


def _model_id(folder: Path) -> str | None:
    """The Hub id that a folder's card names as its base."""
    value = front_matter(folder).get("base_model")
    return value if isinstance(value, str) else None


def cached_snapshot(base: Pretrained) -> Path | None:
    """The folder of the Hub's local cache that holds the base, weights included, or None."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(base.model, "config.json", revision=base.revision)
    if not isinstance(found, str) or not _has_weights(Path(found).parent):
        return None
    return Path(found).parent


def _has_weights(folder: Path) -> bool:
    try:
        weight_names(folder)
    except UserError:
        return False
    return True


def fetch(base: Pretrained) -> Path:
    """Download what a base consists of (weights in safetensors, configs, tokenizer) and return it.

    Weights come last: where they are, all is there. Every file is compared with the checksum that
    the Hub states. Raises UserError where the Hub refuses, or has no safetensors; Failed where it
    cannot be reached, or what arrives is not what it states.
    """
    patterns = [*_CONFIGS, *TOKENIZER_FILES, *_PAPERS]
    folder = _download(base, [*patterns, "*.py"] if base.trust_remote_code else patterns)
    if folder is not None and (folder / WEIGHTS_INDEX).is_file():
        shards = _json_object(folder / WEIGHTS_INDEX).get("weight_map")
        folder = _download(base, sorted(set(shards.values())) if isinstance(shards, dict) else [])
    else:
        folder = _download(base, [WEIGHTS])
    if folder is None or not _has_weights(folder):
        raise UserError(
            f"base {base.model}: has no {WEIGHTS} on the Hub, and pickled weights can run code: "
            "convert it to safetensors first and name the folder"
        )
    return folder


_CONFIGS = ("config.json", "generation_config.json", WEIGHTS_INDEX)
_PAPERS = ("README.md", "LICENSE*", "NOTICE")


def _download(base: Pretrained, patterns: list[str]) -> Path | None:
    """The snapshot's folder with the files that match; None where the base has no such file."""
    from huggingface_hub import snapshot_download

    from finetune.hub import explained, patiently, settle_output

    settle_output()
    path = patiently(
        f"base {base.model}",
        lambda: snapshot_download(base.model, revision=base.revision, allow_patterns=patterns),
        lambda error: explained(error, "as base: cannot be fetched", base.model, "", "read"),
    )
    folder = Path(path)
    if not folder.is_dir():
        return None
    _refuse_damaged(base.model, folder)
    return folder


def _refuse_damaged(model: str, folder: Path) -> None:
    """Raise Failed, and remove them, where files have other bytes than the Hub states.

    The cache names each file by its checksum: sha256 of a large one, git's SHA-1 of any other.
    """
    wrong = []
    for link in sorted(path for path in folder.rglob("*") if path.is_symlink()):
        stored = link.resolve()
        if stored.is_file() and not _is_whole(stored):
            link.unlink()
            stored.unlink()
            wrong.append(link.relative_to(folder).as_posix())
    if wrong:
        raise Failed(
            f"base {model}: {', '.join(wrong)} arrived with other bytes than the Hub states, and "
            "went; run it again"
        )


def _is_whole(stored: Path) -> bool:
    name = stored.name
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return sha256_of(stored) == name
    if re.fullmatch(r"[0-9a-f]{40}", name):
        data = stored.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == name
    return True  # a mirror's own names say nothing of the content
