"""Keys, tokens and passwords in the texts of a release: every kind that detect-secrets knows, and
those that the corpus is cleaned of, such as the Hub's own tokens.

Nothing is sent anywhere to see whether a key is live. A text is looked at in short pieces: some
of detect-secrets' patterns take quadratic time, and a tokenizer.json can be one line of megabytes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from finetune.corpus.personal_data.tokens import tokens
from finetune.corpus.personal_data.values import is_placeholder, looks_random
from finetune.licences import BASE_CARD
from finetune.publishing.json_values import json_value
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
_SPELLED_OUT = ("Secret Keyword", "Basic Auth Credentials", "AWS Access Key")
"""Kinds of which manuals give examples."""
_SEPARATORS = re.compile(r"[-_./]")
_ALSO = {
    "Private Key": re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-\d"),
    "key of a known issuer": re.compile(r"\bapi_org_[A-Za-z0-9]{30}"),  # the Hub's old ones
}
"""What detect-secrets leaves out: private keys that are encrypted, for one."""
_NO_KEYS = frozenset(
    "anything empty emptykey ignored llamacpp lmstudio local nokey nokeyrequired none notneeded "
    "notused ollama sk1234 sknokeyrequired sknone skxxx unused".split()
)
"""What a server on one's own machine is told that asks for a key and looks at none."""


def keys_in(file: Path, text: str) -> list[str]:
    """The finding, if any, of what `file` holds: `text`."""
    return _told(file, kinds_of_keys(file, text))


def keys_under(file: Path, said: Mapping[str, Any]) -> list[str]:
    """The finding, if any, of what `file` says of itself as values under names."""
    return _told(file, _kinds_of_pieces(file, _pairs(said, "")))


def kinds_of_keys(file: Path, text: str) -> list[str]:
    """What kinds of secrets `text`, the content of `file`, seems to hold; never the secret."""
    return _kinds_of_pieces(file, _pieces(file, text))


def _told(file: Path, kinds: list[str]) -> list[str]:
    told = f"{file.name}: holds what looks like a secret key or token ({', '.join(kinds)})"
    return [told] if kinds else []


def _kinds_of_pieces(file: Path, pieces: Iterable[str]) -> list[str]:
    return sorted({kind for piece in pieces for kind in _kinds(file.name, piece)})


def _pieces(file: Path, text: str) -> Iterator[str]:
    if file.suffix == ".json":
        try:
            yield from _of_json(file.name, json_value(text))
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
    found |= {kind for kind, pattern in _ALSO.items() if pattern.search(piece)}
    for plugin in _plugins():
        for secret in plugin.analyze_line(filename=name, line=piece, line_number=1):
            if _is_key(name, str(secret.type), str(secret.secret_value)):
                found.add(str(secret.type))
    return found


def _is_key(name: str, kind: str, value: str) -> bool:
    """Whether a find is more than a digest, a name or a placeholder. What is only guessed is not
    held against the words of others."""
    if kind in _GUESSED and name in TEXTS_OF_OTHERS:
        return False
    if kind in _ENTROPY:
        words = _SEPARATORS.split(value)  # of a name such as `owner/model-7B-v2` all are short
        return any(
            len(word) >= SHORTEST_KEY and looks_random(word) and not HEX_DIGEST.fullmatch(word)
            for word in words
        )
    if kind in _SPELLED_OUT:
        plain = re.sub(r"[-_.]", "", value.lower())
        return plain not in _NO_KEYS and not is_placeholder(value)
    return kind != "Artifactory Credentials" or looks_random(value)  # it takes words in capitals


@cache
def _plugins() -> tuple[Any, ...]:
    """One of each of detect-secrets' detectors, with its own limits, but that of addresses."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    classes = {one.__name__: one for one in get_mapping_from_secret_type_to_class().values()}
    del classes["IPPublicDetector"]  # an address is no key, and `9.10.2.21` is a version
    return tuple(classes[name]() for name in sorted(classes))
