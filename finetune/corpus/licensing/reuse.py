"""REUSE's files that give licences to other files by pattern (https://reuse.software/spec/)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate as translate_dep5
from functools import lru_cache
from typing import Any

from finetune.corpus.globs import translate
from finetune.corpus.licensing.expressions import UNRECOGNISED, joined, normalise


@dataclass(frozen=True)
class Annotation:
    """The licence of all paths that one expression matches, and the file that says so."""

    expression: str
    licence: str
    file: str

    def matches(self, path: str) -> bool:
        return _compiled(self.expression).fullmatch(path) is not None


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> re.Pattern[str]:
    """re's own cache holds 512."""
    return re.compile(expression)


def reuse_annotations(path: str, text: str) -> list[Annotation]:
    """What a REUSE.toml says; patterns are relative to its folder, `**` spans folders.

    A file's own header counts before it, whatever `precedence` says.
    """
    import tomllib

    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError):  # not TOML; a number too long to read; nested too deeply
        return []
    folder = path.removesuffix("REUSE.toml")
    tables = data.get("annotations")
    made = []
    for table in tables if isinstance(tables, list) else []:
        licence = _together(_strings(table, "SPDX-License-Identifier"))
        for pattern in _strings(table, "path"):
            if licence:
                made.append(Annotation(re.escape(folder) + translate(pattern), licence, path))
    return made


def dep5_annotations(path: str, text: str) -> list[Annotation]:
    """What a `.reuse/dep5` says: Debian's format, in which `*` spans folders too."""
    made = []
    for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        fields = {
            name.lower(): " ".join(value.split())
            for name, value in re.findall(r"(?m)^([\w-]+):((?:.*)(?:\n[ \t].*)*)", paragraph)
        }
        licence = _together([fields["license"]]) if fields.get("license") else None
        for pattern in fields.get("files", "").split():
            if licence:
                made.append(Annotation(translate_dep5(pattern), licence, path))
    return made


def _strings(table: Any, key: str) -> list[str]:
    value = table.get(key) if isinstance(table, dict) else None
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _together(licences: Iterable[str]) -> str | None:
    return joined(normalise(one) or UNRECOGNISED for one in licences)
