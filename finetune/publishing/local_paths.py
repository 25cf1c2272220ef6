"""Paths of somebody's machine: found where they must not be, masked where a recipe shows them."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

_ROOTS = "home|Users|root|tmp|var|mnt|media|opt|srv|data|work|workspace|scratch|gpfs|lustre|nfs"
# A path inside a sentence. `://host/data/` is an address and `docs/home/` is relative.
_INSIDE = re.compile(
    rf"(?<![\w.:/<>~-])(?:/(?:{_ROOTS})/|~[\w-]*/|[A-Za-z]:[\\/](?=\w)|file://)[^\s\"'`,;)>\]]+"
)
_WHOLE = re.compile(
    r"^(?:/[\w.~@-][^\n]*|~[\w-]*/[^\n]*|[A-Za-z]:[\\/][^\n]*|\\\\[^\n]+|file://.*)$"
)
_NAMING_KEY = re.compile(r"path|file|dir|folder|name|root|cache")


def is_absolute(text: str) -> bool:
    """Whether the whole of `text` is a path that means something on one machine only."""
    return _WHOLE.match(text) is not None


def inside(text: str) -> list[str]:
    """Machine paths that stand in running text."""
    return _INSIDE.findall(text)


def in_json(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Pairs of dotted key and machine path anywhere in a JSON value, keys included."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from in_json(name, f"{key}.{name}" if key else name)
            yield from in_json(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from in_json(inner, f"{key}.{index}")
    elif isinstance(value, str) and _is_suspicious(value, key):
        yield key, value


def _is_suspicious(text: str, key: str) -> bool:
    # `/think` may be a chat token; `/base` under `base_model_name_or_path` is a folder.
    named = bool(_NAMING_KEY.search(key.lower()))
    whole = is_absolute(text) and (named or len(re.findall(r"[\\/]", text)) > 1)
    return whole or bool(inside(text))


def mask(value: Any) -> Any:
    """A copy of a recipe's value in which each machine path reads `<local>/name`."""
    if isinstance(value, dict):
        return {key: mask(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [mask(inner) for inner in value]
    return mask_text(value) if isinstance(value, str) else value


def mask_text(text: str) -> str:
    """`text` with each machine path in it shown as `<local>/name`."""
    if is_absolute(text):
        return _masked(text)
    return _INSIDE.sub(lambda match: _masked(match[0]), text)


def _masked(path: str) -> str:
    name = PurePosixPath(path.replace("\\", "/")).name
    return f"<local>/{name}"
