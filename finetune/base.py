"""Where a base lies and what its files state, read without torch and without a network.

`check` asks these facts before anything is loaded: the header of a safetensors file is JSON and
names every weight; config.json holds the positions; the card's metadata states the licence.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.families import FAMILY_LICENCES
from finetune.licences import front_matter, licence_of_folder
from finetune.recipe import is_folder
from finetune.recipe.schema import Base, EarlierRun, Pretrained, Scratch
from finetune.run_folder import RunFolder

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
    config = _config(folder)
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


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder}: no config.json; this is no model folder") from None
    except ValueError as error:
        raise UserError(f"{file}: not valid JSON: {error}") from error
    return config


def weight_names(folder: Path) -> list[str]:
    """Names of all weights, from the safetensors index or header; no weight is read.

    Raises UserError where the folder holds no safetensors: other formats can run code.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        return list(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    single = folder / "model.safetensors"
    if not single.is_file():
        raise UserError(
            f"{folder}: no model.safetensors; only safetensors are loaded (pickled weights can "
            "run code): convert the base first"
        )
    with single.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(size))
    return [name for name in header if name != "__metadata__"]


def _model_id(folder: Path) -> str | None:
    """The Hub id that a folder's card names as its base."""
    value = front_matter(folder).get("base_model")
    return value if isinstance(value, str) else None


def cached_snapshot(base: Pretrained) -> Path | None:
    """The folder of the Hub's local cache that holds the base, or None."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(base.model, "config.json", revision=base.revision)
    return Path(found).parent if isinstance(found, str) else None


def fetch(base: Pretrained) -> Path:
    """Download what a base consists of (weights in safetensors, configs, tokenizer) and return it.

    Raises UserError where the Hub cannot be reached or refuses.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = [
        "*.json",
        "*.safetensors",
        "*.txt",
        "*.model",
        "*.jinja",
        "README.md",
        "LICENSE*",
        "NOTICE",
    ]
    if base.trust_remote_code:
        patterns.append("*.py")
    try:
        path = snapshot_download(base.model, revision=base.revision, allow_patterns=patterns)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"base {base.model}: cannot be fetched from the Hub: {reason}") from error
    return Path(path)
