"""Pydantic's findings -> sentences with file, line, key and the nearest known key."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from finetune.errors import UserError
from finetune.recipe.source import KeyPath, Source, dotted


@dataclass(frozen=True)
class Problem:
    """Something wrong at one key of a recipe."""

    key: KeyPath
    message: str

    def line(self, source: Source) -> str:
        """`recipe.yaml:12: train.tokens: ...`."""
        return f"{source.locate(self.key)}: {dotted(self.key)}: {self.message}"


class RecipeError(UserError):
    """All problems of one recipe, a line each."""

    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        ordered = sorted(problems, key=lambda problem: source.line_number(problem.key))
        super().__init__("\n".join(problem.line(source) for problem in ordered))


def from_validation(error: ValidationError, values: dict[str, Any], schema: type) -> list[Problem]:
    """One Problem per finding of pydantic's, in the order of the recipe's keys."""
    return [_problem(finding, values, schema) for finding in error.errors()]


def _problem(finding: Any, values: dict[str, Any], schema: type) -> Problem:
    kind, context = finding["type"], finding.get("ctx", {})
    key, model = _walk(finding["loc"], values, schema)
    if kind == "extra_forbidden":
        known = list(model.model_fields) if model else []
        near = get_close_matches(str(key[-1]), known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
        return Problem(key, f"unknown key; {hint}")
    if kind == "missing":
        return Problem(key, "missing")
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        choices = context.get("expected_tags", "'lora', 'full'")
        name = str(context.get("discriminator", "'method'")).strip("'")
        return Problem((*key, name), f"must be one of {choices}")
    got = finding["input"]
    shown = f"; got {got!r}" if not isinstance(got, dict | list) else f"; got a {_yaml_name(got)}"
    return Problem(key, _sentence(kind, finding["msg"]) + shown)


def _yaml_name(value: object) -> str:
    return "mapping" if isinstance(value, dict) else "list"


def _sentence(kind: str, message: str) -> str:
    wanted = {
        "int_type": "must be a whole number",
        "float_type": "must be a number",
        "string_type": "must be text",
        "bool_type": "must be true or false",
        "tuple_type": "must be a list",
        "dict_type": "must be a mapping of keys",
        "model_type": "must be a mapping of keys",
        "model_attributes_type": "must be a mapping of keys",
    }
    sentence = wanted.get(kind, message.removeprefix("Value error, "))
    return sentence.replace("Input should be", "must be")


def _walk(
    loc: tuple[str | int, ...],
    values: Any,
    schema: Any,
) -> tuple[KeyPath, type[BaseModel] | None]:
    """The key path of a finding without pydantic's union tags, and the section it lies in."""
    key: list[str | int] = []
    model: type[BaseModel] | None = schema
    for position, part in enumerate(loc):
        holds = (
            part in values
            if isinstance(values, dict)
            else (isinstance(values, list) and isinstance(part, int) and part < len(values))
        )
        if not holds and position < len(loc) - 1:
            model = _tagged(schema, part) or model
            schema = model
            continue  # a union's tag, not a key
        key.append(part)
        values = values[part] if holds else None
        if position < len(loc) - 1:
            schema = _field(schema, part)
            model = schema if _is_model(schema) else model
    return tuple(key), model


def _is_model(schema: object) -> bool:
    return isinstance(schema, type) and issubclass(schema, BaseModel)


def _field(schema: Any, part: str | int) -> Any:
    """The annotation of `part` inside `schema`, unwrapped to a section where it holds one."""
    if _is_model(schema) and part in schema.model_fields:
        schema = schema.model_fields[part].annotation
    models = _models(schema)
    return models[0] if len(models) == 1 else schema


def _models(schema: Any) -> list[type[BaseModel]]:
    if _is_model(schema):
        return [schema]
    return [model for inner in get_args(schema) for model in _models(inner)]


def _tagged(schema: Any, tag: str | int) -> type[BaseModel] | None:
    """The member of a tagged union that `tag` stands for."""
    for model in _models(schema):
        method = model.model_fields.get("method")
        if model.__name__ == tag or (method is not None and tag in get_args(method.annotation)):
            return model
    return None
