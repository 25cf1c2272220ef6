"""YAML 1.2 text -> plain values, plus where each key stands in its file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.scalarbool import ScalarBoolean

from finetune.errors import UserError

KeyPath = tuple[str | int, ...]


@dataclass
class Source:
    """Plain values of a recipe file and the line of every key, 1-based."""

    file: Path
    values: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    overridden: set[KeyPath] = field(default_factory=set)

    def locate(self, key: KeyPath) -> str:
        """`recipe.yaml:12`, or the command line for a value that an override set."""
        line = self.line_number(key)
        return f"{self.file}:{line}" if line else "command line"

    def line_number(self, key: KeyPath) -> int:
        """Line of the key, or of the nearest key above it; 0 for the command line."""
        for depth in range(len(key), 0, -1):
            # An override drops the lines below its key, so the deepest match is the right one.
            if key[:depth] in self.overridden:
                return 0
            if key[:depth] in self.lines:
                return self.lines[key[:depth]]
        return 1


def dotted(key: KeyPath) -> str:
    """`("data", "sources", 0)` as it is written on the command line: `data.sources.0`."""
    return ".".join(str(part) for part in key)


class _Constructor(RoundTripConstructor):
    """YAML 1.2 core, as an editor reads it: neither dates nor `1_000` are anything but text."""


def _number(kind: str) -> Callable[[RoundTripConstructor, ScalarNode], Any]:
    construct = getattr(RoundTripConstructor, f"construct_yaml_{kind}")
    return lambda self, node: node.value if "_" in node.value else construct(self, node)


for _kind in ("int", "float"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_kind}", _number(_kind))
_Constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)


def _parse(text: str) -> Any:
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    return yaml.load(text)


def read_yaml(file: Path) -> Source:
    """Parse `file`. Raises UserError where it cannot be read or is not a mapping."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot read the recipe: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 text (byte {error.start})") from error
    try:
        tree = _parse(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = (error.problem or str(error)).strip().splitlines()[0]
        raise UserError(f"{file}:{line}: not valid YAML: {what}") from error
    except YAMLError as error:
        what = str(error).splitlines()[0]
        raise UserError(f"{file}: not valid YAML: {what}") from error
    except RecursionError as error:
        raise UserError(f"{file}: not a recipe: nested too deeply") from error
    if not isinstance(tree, CommentedMap):
        raise UserError(f"{file}:1: a recipe is a mapping of keys, such as `name: my-model`")
    source = Source(file, {})
    source.values = _plain(tree, (), source.lines)
    return source


def _plain(node: Any, key: KeyPath, lines: dict[KeyPath, int]) -> Any:
    """Strip ruamel's types and note the line of every key on the way."""
    if isinstance(node, CommentedMap):
        plain = {}
        for name, value in node.items():
            place = (node.lc.data or {}).get(name)  # None where `<<` brought the key
            if place is not None:
                lines[(*key, str(name))] = place[0] + 1
            plain[str(name)] = _plain(value, (*key, str(name)), lines)
        return plain
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            lines[(*key, index)] = node.lc.item(index)[0] + 1
        return [_plain(value, (*key, index), lines) for index, value in enumerate(node)]
    if isinstance(node, ScalarBoolean):
        return bool(node)  # an anchored `&x true`, which is an int to Python
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def apply_overrides(source: Source, overrides: tuple[str, ...]) -> None:
    """Set dotted `key=value` pairs on the plain values, before the schema sees them."""
    for override in overrides:
        name, equals, text = override.partition("=")
        parts = name.split(".")
        if not equals or not all(parts):
            raise UserError(f"command line: `{override}` is no override; write key=value")
        try:
            value = _plain(_parse(text), (), {})
        except (YAMLError, RecursionError) as error:
            raise UserError(f"command line: {name}: `{text}` is not valid YAML") from error
        key = _assign(source.values, parts, value, override)
        source.lines = {old: line for old, line in source.lines.items() if old[: len(key)] != key}
        new = (key[:depth] for depth in range(1, len(key) + 1))
        source.overridden.add(next(part for part in new if part not in source.lines))


def _assign(values: dict[str, Any], parts: list[str], value: Any, override: str) -> KeyPath:
    """Set the value, making the mappings on the way to it; returns its key."""
    node: Any = values
    key: KeyPath = ()
    for depth, text in enumerate(parts):
        is_index = isinstance(node, list) and text.isdecimal() and int(text) < len(node)
        if not is_index and not isinstance(node, dict):
            held = f"a list of {len(node)}" if isinstance(node, list) else repr(node)
            place = f"there is no `{text}` in {dotted(key)}, which is {held}"
            raise UserError(f"command line: `{override}`: {place}")
        part: Any = int(text) if is_index else text
        key = (*key, part)
        if depth == len(parts) - 1:
            node[part] = value
        else:
            if isinstance(node, dict) and node.get(part) is None:
                node[part] = {}
            node = node[part]
    return key
