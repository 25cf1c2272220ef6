"""JSON of files that anybody may have written: nothing of it is lost, and it has a bottom."""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

DEEPEST = 100
"""Levels; what people and tools write has a dozen."""


def json_value(text: str | bytes) -> Any:
    """The value of a JSON text; of equal keys the last, as always, and the others beside it.

    Raises ValueError where it is no JSON, or nested deeper than `DEEPEST`.
    """
    try:
        value = json.loads(text, object_pairs_hook=_all_pairs)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level = [value]
    for _ in range(DEEPEST):
        level = [*chain.from_iterable(map(_inside, level))]
    if level:
        raise ValueError(_TOO_DEEP)
    return value


def unfolded(value: Any) -> Any:
    """`value` with each JSON text in it opened: headers hold whole settings as texts."""
    if isinstance(value, dict):
        return {key: unfolded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [unfolded(inner) for inner in value]
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json_value(value)
    except ValueError:
        return value


_TOO_DEEP = f"nested deeper than {DEEPEST} levels"


def _all_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of equal keys json keeps the last alone: all values are put beside it."""
    whole = dict(pairs)
    if len(whole) < len(pairs):
        whole[""] = [value for _, value in pairs]
    return whole


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
