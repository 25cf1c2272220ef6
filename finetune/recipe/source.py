"""YAML 1.2 text -> plain values, plus where each key stands in its file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

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
            if key[:depth] in self.overridden:
                return 0
            if key[:depth] in self.lines:
                return self.lines[key[:depth]]
        return 1


def dotted(key: KeyPath) -> str:
    """`("data", "sources", 0)` as it is written on the command line: `data.sources.0`."""
    return ".".join(str(part) for part in key)


def read_yaml(file: Path) -> Source:
    """Parse `file`. Raises UserError where it cannot be read or is not a mapping."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot read the recipe: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 text (byte {error.start})") from error
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = (error.problem or str(error)).strip().splitlines()[0]
        raise UserError(f"{file}:{line}: not valid YAML: {what}") from error
    except YAMLError as error:
        raise UserError(f"{file}: not valid YAML: {error}") from error
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
            lines[(*key, str(name))] = node.lc.key(name)[0] + 1
            plain[str(name)] = _plain(value, (*key, str(name)), lines)
        return plain
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            lines[(*key, index)] = node.lc.item(index)[0] + 1
        return [_plain(value, (*key, index), lines) for index, value in enumerate(node)]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def apply_overrides(source: Source, overrides: tuple[str, ...]) -> None:
    """Set dotted `key=value` pairs on the plain values, before the schema sees them."""
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals or not name:
            raise UserError(f"command line: `{override}` is no override; write key=value")
        key = tuple(int(part) if part.isdigit() else part for part in name.split("."))
        try:
            value = _plain(YAML(typ="rt").load(text), (), {})
        except YAMLError as error:
            raise UserError(f"command line: {name}: `{text}` is not valid YAML") from error
        _assign(source.values, key, value, override)
        source.overridden.add(key)


def _assign(values: dict[str, Any], key: KeyPath, value: Any, override: str) -> None:
    node: Any = values
    for part in key[:-1]:
        if isinstance(node, dict):
            node = node.setdefault(part, {})
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            raise UserError(f"command line: `{override}`: there is no `{part}` to set a key of")
    last = key[-1]
    if isinstance(node, dict):
        node[str(last)] = value
    elif isinstance(node, list) and isinstance(last, int) and last < len(node):
        node[last] = value
    else:
        raise UserError(f"command line: `{override}`: there is no `{last}` here to replace")
