"""Pydantic's findings -> sentences with file, line, key and the nearest known key."""

import re
from collections.abc import Iterable
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


def from_validation(error: ValidationError, schema: type[BaseModel]) -> list[Problem]:
    """One Problem per finding of pydantic's, in the order of the recipe's keys."""
    return [_problem(finding, schema) for finding in error.errors() if not _is_echo(finding)]


def _is_echo(finding: Any) -> bool:
    """A list is also called too short when one of its entries has a problem of its own."""
    return finding["type"] == "too_short" and len(finding["input"]) > 0


def _problem(finding: Any, schema: type[BaseModel]) -> Problem:
    kind, context = finding["type"], finding.get("ctx", {})
    key, section = _walk(finding["loc"], schema)
    if kind == "extra_forbidden":
        return Problem(key, f"unknown key; {_nearest(key[-1], section.model_fields)}")
    if kind == "missing":
        return Problem(key, "missing")
    if kind in {"union_tag_not_found", "union_tag_invalid"}:
        name = str(context["discriminator"]).strip("'")
        tags = str(context.get("expected_tags", "")) or _tags(schema, key)
        got = f"; got {context['tag']!r}" if "tag" in context else ""
        return Problem((*key, name), f"must be one of {tags}{got}")
    return Problem(key, f"{_sentence(kind, finding['msg'])}; got {_shown(finding['input'])}")


def _nearest(name: str | int, known: Iterable[str]) -> str:
    near = get_close_matches(str(name), known, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"


def _tags(schema: type[BaseModel], key: KeyPath) -> str:
    """The tags of the union at `key`, for a mapping that states none."""
    union: Any = schema
    for part in key:
        union = _field(union, part)
    return ", ".join(f"'{tag}'" for model in _models(union) for tag in _tags_of(model))


def _shown(value: object) -> str:
    """A value as YAML would name it."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return str(value).lower()
    return "nothing" if value is None else repr(value)


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
        "too_short": "must have an entry",
    }
    sentence = wanted.get(kind, message.removeprefix("Value error, "))
    return re.sub(r"^(Input|String) should", "must", sentence)


def _walk(loc: tuple[str | int, ...], schema: Any) -> tuple[KeyPath, type[BaseModel]]:
    """The key path of a finding without pydantic's own parts, and the section it lies in."""
    key: list[str | int] = []
    section: type[BaseModel] = schema
    for part in loc:
        if _is_model(schema):
            section = schema
        members = _models(schema)
        member = _tagged(members, part) if len(members) > 1 else None
        if member is not None:
            schema = member  # a union's tag, not a key
        elif part != "[key]":  # pydantic's name for a mapping's key itself
            key.append(part)
            schema = _field(schema, part)
    return tuple(key), section


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


def _tagged(members: list[type[BaseModel]], tag: str | int) -> type[BaseModel] | None:
    """The member of a tagged union that `tag` stands for."""
    return next((one for one in members if tag == one.__name__ or tag in _tags_of(one)), None)


def _tags_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The values of `method`, the key that tells the members of a union apart."""
    method = model.model_fields.get("method")
    return get_args(method.annotation) if method is not None else ()
