"""Licences as package metadata states them. Files are parsed, never executed or imported."""

import ast
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from data_formats.python_syntax import parse_python
from finetune.corpus.licensing.expressions import UNRECOGNISED, normalise
from finetune.corpus.licensing.texts import recognise
from finetune.corpus.packages import LICENCE_OF_CLASSIFIER

_CLASSIFIER = "License :: "
_UMBRELLA = "License :: OSI Approved"
_WORDS_OF_A_TEXT = 40


def is_metadata(name: str) -> bool:
    """Whether a file of this name may state its package's licence."""
    return name in _READERS or name.endswith(".gemspec")


def stated_in(name: str, content: bytes) -> str | None:
    """The SPDX expression that a metadata file states, None where it states nothing.

    What it states and nobody understands (`BSD`, `Other`) is `LicenseRef-unrecognised`. A file that
    does not parse states nothing: its own tool would refuse it too.
    """
    reader = _gemspec if name.endswith(".gemspec") else _READERS[name]
    try:
        return reader(content.decode("utf-8-sig", "replace"))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _said(value: object) -> str | None:
    """A licence written as a string: an expression, a phrase, or a whole text."""
    if not isinstance(value, str) or not value.strip():
        return None
    if re.match(r"(?i)see licen[cs]e", value):
        return None
    if len(value.split()) > _WORDS_OF_A_TEXT:
        return recognise(value) or UNRECOGNISED
    return normalise(value) or UNRECOGNISED


def _choice(values: Iterable[object]) -> str | None:
    """A list of licences of which the user may choose one."""
    said = [one for one in map(_said, values) if one]
    if UNRECOGNISED in said:
        return UNRECOGNISED
    return normalise(" OR ".join(f"({one})" for one in said)) if said else None


def _python(expression: object, field: object, classifiers: object) -> str | None:
    """The fields of Python's metadata: the expression, else the field, else the classifier."""
    listed = classifiers if isinstance(classifiers, list) else []
    named = [
        one.rpartition(" :: ")[2]
        for one in map(str, listed)
        if one.startswith(_CLASSIFIER) and one != _UMBRELLA
    ]
    stated = _said(expression) or _said(field)
    if stated not in (None, UNRECOGNISED):
        return stated
    if len(named) == 1 and named[0] in LICENCE_OF_CLASSIFIER:
        return LICENCE_OF_CLASSIFIER[named[0]]
    return UNRECOGNISED if named or stated else None


def _pyproject(text: str) -> str | None:
    import tomllib

    data = tomllib.loads(text)
    project, tool = _table(data, "project"), _table(data, "tool")
    stated = project.get("license")
    if isinstance(stated, dict):
        stated = stated.get("text")
    if project:
        return _python(None, stated, project.get("classifiers"))
    poetry = _table(tool, "poetry")
    flit = _table(_table(tool, "flit"), "metadata")
    return _python(None, poetry.get("license") or flit.get("license"), poetry.get("classifiers"))


def _setup_cfg(text: str) -> str | None:
    table = _ini_section(text, "metadata")
    return _python(None, "\n".join(table.get("license", [])), table.get("classifiers"))


def _ini_section(text: str, section: str) -> dict[str, list[str]]:
    """Lines of each value. configparser takes the square of a malformed file's length."""
    found: dict[str, list[str]] = {}
    now, lines = "", []
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith(("#", ";")):
            continue
        if line[0].isspace():
            lines.append(bare)
        elif bare.startswith("["):
            now, lines = bare[1:].partition("]")[0], []
        else:
            key, _, value = bare.replace(":", "=", 1).partition("=")
            lines = [value.strip()]
            if now == section:
                found[key.strip().lower()] = lines
    return found


def _setup_py(text: str) -> str | None:
    """Literal keywords of `setup(...)`, without running it."""
    for node in ast.walk(parse_python(text)):
        if isinstance(node, ast.Call) and _called(node.func) == "setup":
            given = {one.arg: _literal(one.value) for one in node.keywords if one.arg}
            return _python(None, given.get("license"), given.get("classifiers"))
    return None


def _called(function: ast.expr) -> str:
    """`setup` of `setup(...)` and of `setuptools.setup(...)`."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):  # no literal; one that could not be made, such as {[]}
        return None


def _core_metadata(text: str) -> str | None:
    from email.parser import HeaderParser

    message = HeaderParser().parsestr(text)
    field = message.get("License")
    return _python(message.get("License-Expression"), field, message.get_all("Classifier"))


def _package_json(text: str) -> str | None:
    data = json.loads(text)
    if not isinstance(data, dict):
        return None
    stated = data.get("license") or data.get("licenses")
    listed = stated if isinstance(stated, list) else [stated]
    return _choice(one.get("type") if isinstance(one, dict) else one for one in listed)


def _composer_json(text: str) -> str | None:
    data = json.loads(text)
    stated = data.get("license") if isinstance(data, dict) else None
    return _choice(stated if isinstance(stated, list) else [stated])


def _cargo_toml(text: str) -> str | None:
    import tomllib

    data = tomllib.loads(text)
    package = _table(data, "package") or _table(_table(data, "workspace"), "package")
    return _said(package.get("license"))


def _pom_xml(text: str) -> str | None:
    """Maven's licences, of which the user may choose; a file with entities of its own is not read.

    Entities can grow a small file into gigabytes or name other files.
    """
    from xml.etree import ElementTree

    if re.search(r"<!(?:DOCTYPE|ENTITY)", text):
        return None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError("not an XML file") from error
    return _choice(one.text for one in root.findall("./{*}licenses/{*}license/{*}name"))


def _gemspec(text: str) -> str | None:
    found = re.search(r"(?m)^[ \t]*\w+\.licenses?[ \t]*=[ \t]*(.+)$", text)
    quoted = re.findall(r"['\"]([^'\"]+)['\"]", found[1]) if found else []
    if len(quoted) > 1:
        return UNRECOGNISED  # RubyGems does not say whether all apply or one
    return _said(quoted[0]) if quoted else None


def _table(data: Any, key: str) -> dict[str, Any]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


_READERS: dict[str, Callable[[str], str | None]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "setup.py": _setup_py,
    "PKG-INFO": _core_metadata,
    "METADATA": _core_metadata,
    "package.json": _package_json,
    "composer.json": _composer_json,
    "Cargo.toml": _cargo_toml,
    "pom.xml": _pom_xml,
}
