"""Keys, tokens and passwords in the texts of a release: every kind that detect-secrets knows, and
those that the corpus is cleaned of, such as the Hub's own tokens.

Nothing is sent anywhere to see whether a key is live. A text is looked at in short pieces: some
of detect-secrets' patterns take quadratic time, and a tokenizer.json can be one line of megabytes.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from finetune.corpus.personal_data.tokens import tokens
from finetune.corpus.personal_data.values import is_placeholder, looks_random
from finetune.licences import BASE_CARD
from finetune.run_folder import HEX_DIGEST

PIECE, OVERLAP = 2000, 300
"""Characters; no key is longer than the overlap but a web token, whose beginning tells it."""

SHORTEST_KEY = 16
"""Pieces of a vocabulary that are shorter are not looked at: no issuer has so short a key."""

VOCABULARIES = ("vocab.json", "added_tokens.json", "merges.txt")
TEXTS_OF_OTHERS = ("LICENSE", "NOTICE", BASE_CARD)
"""Passed on verbatim, as their licences ask."""
_ENTROPY = ("Base64 High Entropy String", "Hex High Entropy String")
_GUESSED = (*_ENTROPY, "Secret Keyword")
_SEPARATORS = re.compile(r"[-_./]")


def keys_in(file: Path, text: str) -> list[str]:
    """The finding, if any, of what `file` holds or says of itself in `text`."""
    kinds = kinds_of_keys(file, text)
    told = f"{file.name}: holds what looks like a secret key or token ({', '.join(kinds)})"
    return [told] if kinds else []


def kinds_of_keys(file: Path, text: str) -> list[str]:
    """What kinds of secrets `text`, the content of `file`, seems to hold; never the secret."""
    found: set[str] = set()
    for piece in _pieces(file, text):
        found |= _kinds(file.name, piece)
    return sorted(found)


def _pieces(file: Path, text: str) -> Iterator[str]:
    if file.suffix == ".json":
        try:
            yield from _of_json(file.name, json.loads(text, object_pairs_hook=_all_pairs))
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


def _all_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of equal keys json keeps the last alone: the others are put beside it."""
    whole = dict(pairs)
    if len(whole) < len(pairs):
        whole[""] = [value for _, value in pairs]
    return whole


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
            if _is_key(name, str(secret.type), str(secret.secret_value)):
                found.add(str(secret.type))
    return found


def _is_key(name: str, kind: str, value: str) -> bool:
    """Whether a find is more than a digest, a name or a placeholder. What an issuer's own pattern
    finds always is; what is only guessed is not held against the words of others."""
    if kind in _GUESSED and name in TEXTS_OF_OTHERS:
        return False
    if kind in _ENTROPY:
        words = _SEPARATORS.split(value)  # of a name such as `owner/model-7B-v2` all are short
        return not HEX_DIGEST.fullmatch(value) and any(
            len(word) >= SHORTEST_KEY and looks_random(word) for word in words
        )
    if kind == "Secret Keyword":
        return value != "EMPTY" and not is_placeholder(value)  # what a server without keys is told
    return kind != "Artifactory Credentials" or looks_random(value)  # it takes words in capitals


@cache
def _plugins() -> tuple[Any, ...]:
    """One of each of detect-secrets' detectors, with its own limits, but that of addresses."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    classes = {one.__name__: one for one in get_mapping_from_secret_type_to_class().values()}
    del classes["IPPublicDetector"]  # an address is no key, and `9.10.2.21` is a version
    return tuple(classes[name]() for name in sorted(classes))
