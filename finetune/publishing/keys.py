"""Keys, tokens and passwords in the texts of a release: every kind that detect-secrets knows, and
those that the corpus is cleaned of, such as the Hub's own tokens.

Nothing is sent anywhere to see whether a key is live. A text is looked at in short pieces: some
of detect-secrets' patterns take quadratic time, and a tokenizer.json can be one line of megabytes.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from finetune.corpus.personal_data.tokens import tokens
from finetune.publishing.artefacts import PROVENANCE
from finetune.run_folder import HEX_DIGEST

PIECE, OVERLAP = 2000, 300
"""Characters; no key is longer than the overlap but a web token, whose beginning tells it."""

SHORTEST_KEY = 16
"""Pieces of a vocabulary that are shorter are not looked at: no issuer has so short a key."""

VOCABULARIES = ("vocab.json", "added_tokens.json", "merges.txt")
_ENTROPY = ("Base64 High Entropy String", "Hex High Entropy String")


def kinds_of_keys(file: Path, text: str) -> list[str]:
    """What kinds of secrets `text`, the content of `file`, seems to hold; never the secret."""
    found: set[str] = set()
    for piece in _pieces(file, text):
        found |= _kinds(file.name, piece)
    return sorted(found)


def _pieces(file: Path, text: str) -> Iterator[str]:
    if file.suffix == ".json":
        try:
            yield from _of_json(file.name, json.loads(text))
        except ValueError:
            pass  # told by others; it is looked at line by line
        else:
            return
    lines = text.splitlines()
    for line in lines:
        if file.name in VOCABULARIES and len(line) < SHORTEST_KEY:
            continue
        for start in range(0, max(len(line) - OVERLAP, 1), PIECE - OVERLAP):
            yield line[start : start + PIECE]


def _of_json(name: str, value: Any) -> Iterator[str]:
    """A line per text: `"key": "text"`, as a person would write it."""
    model = value.pop("model", None) if name == "tokenizer.json" and _is_map(value) else None
    words = value if name in VOCABULARIES else model
    yield from {word for word in _texts(words) if len(word) >= SHORTEST_KEY}
    if name not in VOCABULARIES:
        yield from _pairs(value, "")


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _pairs(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _pairs(inner, name)
            yield from _cut(name, "")
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner, key)
    elif isinstance(value, str):
        yield from _cut(value, key)


def _cut(text: str, key: str) -> Iterator[str]:
    for line in text.splitlines():
        for start in range(0, max(len(line) - OVERLAP, 1), PIECE - OVERLAP):
            yield f'"{key}": "{line[start : start + PIECE]}"'


def _kinds(name: str, piece: str) -> set[str]:
    found = {"key of a known issuer"} if any(tokens(piece)) else set()
    for plugin in _plugins():
        for secret in plugin.analyze_line(filename=name, line=piece, line_number=1):
            if not _is_digest(name, str(secret.type), str(secret.secret_value)):
                found.add(str(secret.type))
    return found


def _is_digest(name: str, kind: str, value: str) -> bool:
    """provenance.json is made of sha256 and commits, which look as random as keys."""
    return name == PROVENANCE and kind in _ENTROPY and bool(HEX_DIGEST.fullmatch(value))


@cache
def _plugins() -> tuple[Any, ...]:
    """One of each of detect-secrets' detectors, with its own limits."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    classes = {one.__name__: one for one in get_mapping_from_secret_type_to_class().values()}
    return tuple(classes[name]() for name in sorted(classes))
