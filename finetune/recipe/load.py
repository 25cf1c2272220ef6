"""A recipe file and its overrides -> a resolved `Recipe`, or every problem at once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from finetune.recipe.evaluation import contradictions as unmeasured
from finetune.recipe.problems import Problem, RecipeError, from_validation
from finetune.recipe.schema import EarlierRun, Recipe
from finetune.recipe.source import KeyPath, Source, apply_overrides, read_yaml

HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+$|^[\w-][\w.-]*$")


@dataclass(frozen=True)
class LoadedRecipe:
    """A valid recipe together with the place of its keys, for later messages."""

    recipe: Recipe
    source: Source

    def error(self, problems: list[Problem]) -> RecipeError:
        """The exception that reports `problems` with file and line."""
        return RecipeError(self.source, problems)


def load_recipe(file: Path, overrides: tuple[str, ...] = ()) -> LoadedRecipe:
    """Read, override, resolve and validate.

    Relative paths (sources, a base's folder, a folder as Hub) count from the recipe's own folder.
    Raises UserError where the file cannot be read and RecipeError with all problems of its keys.
    """
    source = read_yaml(file)
    apply_overrides(source, overrides)
    problems = resolve_paths(source.values, file.resolve().parent)
    try:
        recipe = Recipe.model_validate(source.values)
    except ValidationError as error:
        raise RecipeError(source, problems + from_validation(error, Recipe)) from error
    problems += _contradictions(recipe)
    if problems:
        raise RecipeError(source, problems)
    return LoadedRecipe(recipe, source)


def _contradictions(recipe: Recipe) -> list[Problem]:
    """What each key alone allows but the keys together do not."""
    found = []
    for index, source in enumerate(recipe.data.sources):
        key: KeyPath = ("data", "sources", index)
        places = [source.path, source.package, source.dataset]
        if sum(place is not None for place in places) != 1:
            message = "needs exactly one of `path`, `package` and `dataset`"
            found.append(Problem(key, message))
    if isinstance(recipe.base, EarlierRun) and recipe.base.run == recipe.name:
        found.append(Problem(("base", "run"), "is this run itself; name an earlier one"))
    if all(source.weight == 0 for source in recipe.data.sources):
        found.append(Problem(("data", "sources"), "every weight is 0: nothing to train on"))
    weights = [source.weight for source in recipe.data.sources]
    given = sum(weight for weight in weights if weight is not None)
    if None in weights and given >= 1.0:
        message = f"the weights sum to {given:g} and leave nothing to the sources without one"
        found.append(Problem(("data", "sources"), message))
    length, batch = recipe.sequences.length, recipe.train.batch_tokens
    if batch % length:
        near = max(1, round(batch / length)) * length
        message = f"{batch} is no multiple of sequences.length ({length}); the nearest is {near}"
        found.append(Problem(("train", "batch_tokens"), message))
    if length < 16:
        found.append(Problem(("sequences", "length"), "must be at least 16 tokens"))
    full = recipe.tune.method == "full"
    if recipe.publish and full and recipe.publish.artefact == "adapter":
        found.append(Problem(("publish", "artefact"), "full tuning makes no adapter; use merged"))
    tasks = [task.name for task in recipe.evaluate.tasks]
    for name in (recipe.publish.benchmarks or {}) if recipe.publish else ():
        if name not in tasks:
            message = f"is not among evaluate.tasks ({', '.join(tasks) or 'none'})"
            found.append(Problem(("publish", "benchmarks", name), message))
    found += [Problem(("evaluate", *key), message) for key, message in unmeasured(recipe.evaluate)]
    return found


def is_folder(model: str) -> bool:
    """Whether a base is written as a folder rather than as a Hub id."""
    return model.startswith((".", "/", "~")) or HUB_ID.match(model) is None


def resolve_paths(values: dict[str, Any], folder: Path) -> list[Problem]:
    """Make the paths of a recipe absolute, in place; wrong types are left for the schema."""
    problems = []
    for section, name, key in _paths(values):
        try:
            section[name] = str((folder / Path(section[name]).expanduser()).resolve())
        except (RuntimeError, ValueError) as error:  # `~nobody/x`, a NUL character
            problems.append(Problem(key, f"{section[name]!r} is no path: {error}"))
    return problems


def _source_paths(section: Any, key: KeyPath) -> Iterator[tuple[dict[str, Any], str, KeyPath]]:
    """Of the sources below `key`, whose section is given."""
    sources = section.get(key[-1]) if isinstance(section, dict) else None
    for index, source in enumerate(sources if isinstance(sources, list) else []):
        if isinstance(source, dict) and isinstance(source.get("path"), str):
            yield source, "path", (*key, index, "path")
        dataset = source.get("dataset") if isinstance(source, dict) else None
        if isinstance(dataset, str) and is_folder(dataset):
            yield source, "dataset", (*key, index, "dataset")


def _paths(values: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, KeyPath]]:
    """Every place that holds a path: the mapping, the name in it, and the whole key."""
    data, publish, base = values.get("data"), values.get("publish"), values.get("base")
    yield from _source_paths(data, ("data", "sources"))
    yield from _source_paths(values.get("evaluate"), ("evaluate", "forgetting"))
    curate, evaluate = (
        data.get("curate") if isinstance(data, dict) else None,
        values.get("evaluate"),
    )
    if isinstance(curate, dict) and isinstance(curate.get("opt_out"), str):
        yield curate, "opt_out", ("data", "curate", "opt_out")
    benchmarks = evaluate.get("benchmarks") if isinstance(evaluate, dict) else None
    on_hub = isinstance(benchmarks, str) and benchmarks.startswith("hf://")
    if isinstance(evaluate, dict) and isinstance(benchmarks, str) and not on_hub:
        yield evaluate, "benchmarks", ("evaluate", "benchmarks")
    tasks = evaluate.get("tasks") if isinstance(evaluate, dict) else None
    for index, task in enumerate(tasks if isinstance(tasks, list) else []):
        if isinstance(task, dict) and isinstance(task.get("file"), str):
            yield task, "file", ("evaluate", "tasks", index, "file")
    if isinstance(publish, dict) and isinstance(publish.get("hub"), str):
        yield publish, "hub", ("publish", "hub")
    if isinstance(base, str) and is_folder(base):
        yield values, "base", ("base",)
    elif isinstance(base, dict) and isinstance(base.get("model"), str) and is_folder(base["model"]):
        yield base, "model", ("base", "model")
