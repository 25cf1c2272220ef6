"""The `evaluate` section without a recipe around it, for commands that need nothing else."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from finetune.errors import UserError
from finetune.recipe.evaluation import Evaluate, contradictions
from finetune.recipe.fields import SECTION
from finetune.recipe.load import resolve_paths
from finetune.recipe.problems import Problem, RecipeError, from_validation
from finetune.recipe.source import Source, apply_overrides, read_yaml

COMMAND_LINE = Path("command line")


class _Alone(BaseModel):
    model_config = SECTION
    evaluate: Evaluate = Evaluate()


def evaluate_section(
    overrides: tuple[str, ...], *, recipe: Path | None = None, tasks: tuple[str, ...] = ()
) -> Evaluate:
    """The section that `overrides` (dotted, from `evaluate.` on) make of that of a recipe, or of
    one with these `tasks` alone. Paths count from the current folder.

    Raises UserError where another section is named and RecipeError with all problems of its keys.
    """
    source = Source(COMMAND_LINE, {"evaluate": {"tasks": [{"name": name} for name in tasks]}})
    if recipe is not None:
        read = read_yaml(recipe)
        source = Source(recipe, {"evaluate": read.values.get("evaluate") or {}}, read.lines)
    apply_overrides(source, overrides)
    others = sorted(source.values.keys() - {"evaluate"})
    if others:
        raise UserError(f"command line: {others[0]}: only keys of `evaluate` have a meaning here")
    problems = resolve_paths(source.values, Path.cwd())
    try:
        alone = _Alone.model_validate(source.values)
    except ValidationError as error:
        raise RecipeError(source, problems + from_validation(error, _Alone)) from error
    problems += [Problem(("evaluate", *key), told) for key, told in contradictions(alone.evaluate)]
    if problems:
        raise RecipeError(source, problems)
    return alone.evaluate


def as_mapping(section: Evaluate) -> dict[str, Any]:
    """The section with every default written out."""
    return section.model_dump(mode="json")
