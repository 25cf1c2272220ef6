"""The sizes of a recipe's base, by its Hub id, from its config.json or from the recipe."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.families import CONFIGS
from finetune.planning.architecture import Architecture, architecture_of
from finetune.recipe import is_folder
from finetune.recipe.schema import Base, EarlierRun, Pretrained, Scratch, ScratchModel
from finetune.run_folder import RunFolder

CONFIG = "config.json"


def base_architecture(base: Base, run: RunFolder) -> Architecture:
    """Without weights, torch or a network. Raises UserError where nothing says how large it is."""
    return architecture_of(_config(base, run))


def _config(base: Base, run: RunFolder) -> Mapping[str, Any]:
    if isinstance(base, Scratch):
        made = run.base / CONFIG
        return _read(made) if made.is_file() else _of_scratch(base.scratch)
    if isinstance(base, EarlierRun):
        merged = RunFolder(run.path.parent / base.run).merged / CONFIG
        if not merged.is_file():
            raise UserError(
                f"base: earlier run {base.run} has made no model yet, so its size is not known: "
                "run its recipe first"
            )
        return _read(merged)
    if is_folder(base.model):
        return _read(Path(base.model) / CONFIG)
    return CONFIGS.get(base.model) or _cached(base)


def _cached(base: Pretrained) -> Mapping[str, Any]:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(base.model, CONFIG, revision=base.revision)
    if not isinstance(found, str):
        raise UserError(
            f"base: {base.model} is not on this machine, and its size is not known by heart: "
            "`finetune check RECIPE --online` fetches it"
        )
    return _read(Path(found))


def _read(file: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"base: {file.parent}: no {CONFIG}; this is no model folder") from None
    except (OSError, ValueError) as error:
        raise UserError(f"base: {file}: cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"base: {file}: not a JSON object")
    return value


def _of_scratch(made: ScratchModel) -> Mapping[str, Any]:
    """As `models/scratch.py` will make it, if the tokenizer reaches the vocabulary asked for."""
    return {
        "model_type": "gpt_bigcode",
        "n_layer": made.layers,
        "n_embd": made.width,
        "n_head": made.heads,
        "n_inner": 4 * made.width,
        "n_positions": made.positions,
        "vocab_size": made.vocabulary,
    }
