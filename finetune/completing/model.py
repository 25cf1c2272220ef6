"""A run's name, its folder or a model's folder -> weights, and what is known of training code."""

import json
from dataclasses import dataclass
from pathlib import Path

from finetune.errors import UserError
from finetune.families import sentinels_of
from finetune.licences import licence_of_folder
from finetune.run_folder import RunFolder
from finetune.tokenizer import special_tokens
from finetune.trace import BLOOM_FILE

_ADAPTER = "adapter_config.json"


@dataclass(frozen=True, kw_only=True)
class NamedModel:
    """Where the parts of a model lie."""

    folder: Path
    """Whole weights with their tokenizer."""
    adapter: Path | None
    """Attached to them; None where there is none."""
    licence: str | None
    run: RunFolder | None
    """The run that it comes from, whose corpus and index tell what it was trained on."""
    bloom: Path | None
    """The filter that a release may hold instead."""


def find_model(where: Path, runs: Path) -> NamedModel:
    """What `where` names: a run, its merged/, adapter/ or release/, or any model's folder.

    Raises UserError where there is no model, or one that cannot fill a gap.
    """
    places = [place for place in (where, runs / where) if place.is_dir()]
    for place in places:
        run = RunFolder(place)
        if run.merged.is_dir():
            return _checked(run.merged, None, run)
        if (place / _ADAPTER).is_file():
            return _of_adapter(place)
        if (place / "config.json").is_file():
            return _checked(place, None, _run_above(place))
    if places:
        raise UserError(f"{places[-1]}: {_why_none(places[-1])}")
    raise UserError(f"{where}: there is no such folder, and no run of that name in {runs}")


def _of_adapter(folder: Path) -> NamedModel:
    """An adapter on the base that it names; one of a run names none, and its merge stands for it:
    the same model, as the merge has proven."""
    run = _run_above(folder)
    if run is not None and run.merged.is_dir():
        return _checked(run.merged, None, run)
    base = _base_of(folder)
    if not (folder / "adapter_model.safetensors").is_file():
        raise UserError(f"{folder}: holds no adapter_model.safetensors, and nothing else is loaded")
    return _checked(base, folder, run)


def _checked(folder: Path, adapter: Path | None, run: RunFolder | None) -> NamedModel:
    if sentinels_of(special_tokens(folder)) is None:
        raise UserError(
            f"{folder}: its tokenizer has no fill-in-the-middle sentinels, so it cannot fill in "
            "at a cursor; name a model that was trained to"
        )
    bloom = (adapter or folder) / BLOOM_FILE
    return NamedModel(
        folder=folder,
        adapter=adapter,
        licence=licence_of_folder(adapter or folder) or licence_of_folder(folder),
        run=run,
        bloom=bloom if bloom.is_file() else None,
    )


def _run_above(folder: Path) -> RunFolder | None:
    """The run that `folder` is a part of."""
    run = RunFolder(folder.resolve().parent)
    return (
        run if run.stages.is_file() and (run.trace.is_dir() or run.train_corpus.is_file()) else None
    )


def _base_of(adapter: Path) -> Path:
    file = adapter / _ADAPTER
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file}: not valid JSON ({error})") from error
    name = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if isinstance(name, str) and (Path(name) / "config.json").is_file():
        return Path(name)
    said = f"whose base, {name}, is no folder on this machine" if name else "that names no base"
    raise UserError(
        f"{adapter}: an adapter {said}; name its run once `finetune merge` has made plain weights"
    )


def _why_none(folder: Path) -> str:
    if any(folder.glob("*.gguf")):
        return "holds a GGUF file, which llama.cpp runs: `llama-server --model FILE`"
    if (folder / "stages.json").is_file():
        return "a run without merged/; run `finetune merge` first"
    return "holds no model (config.json or adapter_config.json)"
