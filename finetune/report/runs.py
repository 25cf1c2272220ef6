"""What a run folder says about its run, read once; and the runs that it stands on."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from finetune.errors import UserError
from finetune.run_folder import RunFolder


class Size(NamedTuple):
    """How much of something there is."""

    documents: int
    characters: int


@dataclass(frozen=True)
class DataSummary:
    """The manifest, counted along three of its columns."""

    total: Size
    splits: dict[str, Size]
    languages: dict[str, Size]
    licences: dict[str, Size]


@dataclass(frozen=True, kw_only=True)
class RunView:
    """What was read of one run. Empty or None: the stage that writes it has not run."""

    name: str
    present: bool = True
    recipe: dict[str, Any] = field(default_factory=dict)
    recipe_text: str | None = None
    stages: dict[str, Any] = field(default_factory=dict)
    training: tuple[dict[str, Any], ...] = ()
    validation: tuple[dict[str, Any], ...] = ()
    scores: dict[str, Any] = field(default_factory=dict)
    merge: dict[str, Any] = field(default_factory=dict)
    doctor: dict[str, Any] = field(default_factory=dict)
    data: DataSummary | None = None
    drops: dict[str, int] | None = None


def read_run(run: RunFolder) -> RunView:
    """One run; a folder that is not there gives a view in which nothing is measured."""
    if not run.path.is_dir():
        return RunView(name=run.name, present=False)
    recipe_text = run.recipe.read_text(encoding="utf-8") if run.recipe.exists() else None
    training, validation = _read_log(run.log)
    return RunView(
        name=run.name,
        recipe=_parse_recipe(run.recipe, recipe_text),
        recipe_text=recipe_text,
        stages=_read_object(run.stages),
        training=training,
        validation=validation,
        scores=_read_object(run.scores),
        merge=_read_object(run.merge_proof),
        doctor=_read_object(run.doctor),
        data=_summarise(run.manifest) if run.manifest.exists() else None,
        drops=_count_reasons(run.drops) if run.drops.exists() else None,
    )


def lineage(run: RunFolder) -> list[RunView]:
    """The run and those it stands on, oldest first. An ancestor that is gone ends the line."""
    if not run.path.is_dir():
        raise UserError(f"{run.path}: there is no such run folder. `finetune train` makes one.")
    views = [read_run(run)]
    while (earlier := earlier_run(views[-1])) is not None:
        names = [view.name for view in views]
        if earlier in names:
            circle = " -> ".join([*names, earlier])
            raise UserError(
                f"{run.path.parent}: runs stand on each other in a circle ({circle}). "
                "Correct `base.run` in one of the recipes and repeat that run."
            )
        views.append(read_run(RunFolder(run.path.parent / earlier)))
    return views[::-1]


def earlier_run(view: RunView) -> str | None:
    """The name under `base: {run: NAME}`. A name is one path component, never a path."""
    base = view.recipe.get("base")
    name = base.get("run") if isinstance(base, dict) else None
    return name if isinstance(name, str) and Path(name).name == name and name != ".." else None


def base_in_words(view: RunView) -> str:
    """What the run started from."""
    base = view.recipe.get("base")
    if isinstance(base, str):
        return base
    if not isinstance(base, dict):
        return "base not recorded"
    if "scratch" in base:
        return "from scratch"
    return str(base.get("run") or base.get("model") or "base not recorded")


_ADAPTERS = {"lora": "LoRA", "dora": "DoRA", "qlora": "QLoRA"}


def method_in_words(view: RunView) -> str:
    """How the run trained."""
    tune = view.recipe.get("tune")
    if not isinstance(tune, dict):
        return "method not recorded"
    method = tune.get("method")
    if method in _ADAPTERS:
        return f"{_ADAPTERS[method]}, rank {tune['rank']}" if "rank" in tune else _ADAPTERS[method]
    if method == "full":
        return f"weights {', '.join(tune['trainable'])}" if tune.get("trainable") else "all weights"
    return str(method)


def number(values: object, *keys: str) -> float | None:
    """The number under nested keys; None where any of them is missing or holds something else."""
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return float(values) if isinstance(values, int | float) and values is not True else None


def _parse_recipe(path: Path, text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        values = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise UserError(f"{path}: not YAML ({error}). Repeat the run's first stage.") from error
    return values if isinstance(values, dict) else {}


def _read_object(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not JSON ({error}). Repeat the stage that writes it.") from error
    return values if isinstance(values, dict) else {}


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file. A last line without its end is still being written."""
    with path.open(encoding="utf-8") as file:
        for position, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                if not line.endswith("\n"):
                    return
                raise UserError(f"{path}:{position}: not JSON ({error}).") from error


def _read_log(path: Path) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """Training and validation lines by step. A resumed run repeats steps: the last line counts."""
    training: dict[float, dict[str, Any]] = {}
    validation: dict[float, dict[str, Any]] = {}
    for line in _objects(path) if path.exists() else ():
        step = number(line, "step")
        if step is not None and "validation" in line:
            validation[step] = line
        if step is not None and "loss" in line:
            training[step] = line
    return _by_step(training), _by_step(validation)


def _by_step(lines: dict[float, dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    return tuple(lines[step] for step in sorted(lines))


def _summarise(path: Path) -> DataSummary:
    """Streamed: a manifest may have millions of lines."""
    documents: dict[str, Counter[str]] = {key: Counter() for key in _COLUMNS}
    characters: dict[str, Counter[str]] = {key: Counter() for key in _COLUMNS}
    total = Counter[str]()
    for line in _objects(path):
        length = int(number(line, "characters") or 0)
        total.update(documents=1, characters=length)
        for key in _COLUMNS:
            value = str(line.get(key) or "not stated")
            documents[key][value] += 1
            characters[key][value] += length
    sizes = {key: _sizes(documents[key], characters[key]) for key in _COLUMNS}
    return DataSummary(
        total=Size(total["documents"], total["characters"]),
        splits=sizes["split"],
        languages=sizes["language"],
        licences=sizes["licence"],
    )


_COLUMNS = ("split", "language", "licence")


def _sizes(documents: Counter[str], characters: Counter[str]) -> dict[str, Size]:
    return {key: Size(count, characters[key]) for key, count in _largest_first(documents)}


def _largest_first(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _count_reasons(path: Path) -> dict[str, int]:
    reasons = Counter(str(line.get("reason") or "not stated") for line in _objects(path))
    return dict(_largest_first(reasons))
