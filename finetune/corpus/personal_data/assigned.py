"""Passwords and keys that are told by the name, the URL or the header that they are given in.

A password of letters only is taken for a word (`password = "required"`), unless it is three words
or more with dashes: no lexical rule tells `letmein` from a label.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from finetune.corpus.personal_data.finding import Finding, Kind, finding
from finetune.corpus.personal_data.values import entropy, is_placeholder, looks_random

# name = "value", "name": 'value', name: b"value", \"name\": \"value\"
_QUOTED = re.compile(r"""[=:]>?[ \t]{0,4}[bBuUrR@]{0,2}\\?(["'`])([^"'`\\\s]{6,200}+)\\?\1""")
# NAME=value in an environment, an INI file, YAML, a connection string or a query.
_BARE = re.compile(
    r"""(?<![=!<>:])[=:](?=[ \t]{0,4}([^\s"'`;&,<>(){}\[\]\\]{8,200}+)(?:[\s;&"'`]|$))"""
)
_TAG = re.compile(r"<([A-Za-z.-]{3,40})>([^<>\s]{6,200}+)</\1>")
_URL = re.compile(r"""://([^\s:/?#@"'`<>]{0,100}+):([^\s/?#@"'`<>]{3,200}+)@(?=[\w\[])""")
_HEADER = re.compile(
    r"""uthorization["']?\s{0,3}[:=,]\s{0,3}["'`]?(?:[Bb]earer|[Bb]asic|[Tt]oken)\s{1,2}"""
    r"""([A-Za-z0-9+/=._~-]{16,2000}+)"""
)

_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
_BETWEEN = " \t\"'`\\])=!:?"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NEUTRAL = frozenset("value text string prod dev test testing staging base 1 2 3 default".split())
_PASSWORDS = ("password", "passwd", "passphrase", "passcode", "pwd", "dbpass")
_SECRETS = ("token", "secret", "credential", "credentials", "apikey", "secretkey", "accesskey")
_KEYS = frozenset(
    "api access auth account secret private encryption encrypt signing sign master service storage "
    "session client app consumer shared deploy subscription admin server write read jwt hmac aes "
    "softlayer sl cloudant cl clou ibm iam cloud cos aws azure gcp s3 stripe".split()
)

_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*")
_TOKEN = re.compile(r"[A-Za-z0-9+/=_.~:-]{16,200}")
_PASSPHRASE = re.compile(r"[a-z]+(?:-[a-z]+){2,}", re.IGNORECASE)
_SYMBOLS = frozenset("!@#%^*+?~|$&")
_IS_NAMED = re.compile(r"pass|pwd|secret|token|key|pw\b|credential", re.IGNORECASE)


def assigned(text: str) -> Iterator[Finding]:
    """Values of names that end in `password`, `secret`, `token`, `api_key` and the like; passwords
    in URLs; credentials in HTTP headers."""
    if _IS_NAMED.search(text):
        yield from _named(text)
    if "://" in text:
        for match in _URL.finditer(text):
            if match[1] != match[2] and not is_placeholder(match[2]) and not match[2].isdigit():
                yield finding(match.span(2), "password")
    if "uthorization" in text:
        for match in _HEADER.finditer(text):
            if looks_random(match[1]) and not is_placeholder(match[1]):
                yield finding(match.span(1), "key")


def _named(text: str) -> Iterator[Finding]:
    for match in _QUOTED.finditer(text):
        kind = _kind_of(_name_before(text, match.start()))
        if kind and _is_secret(kind, match[2]):
            yield finding(match.span(2), kind)
    for match in _BARE.finditer(text):
        kind = _kind_of(_name_before(text, match.start()))
        if kind and _is_bare_secret(kind, match[1]):
            yield finding(match.span(1), kind)
    for match in _TAG.finditer(text):
        kind = _kind_of(match[1])
        if kind and _is_secret(kind, match[2]):
            yield finding(match.span(2), kind)


def _name_before(text: str, end: int) -> str:
    """The name in front of an operator, past an annotation: `name`, `"name"`, `name: str`."""
    head = text[max(0, end - 80) : end].rstrip(_BETWEEN)
    before = head.rstrip(_WORD)
    if before.endswith(": ") and _kind_of(head[len(before) :]) is None:
        head = before.rstrip(_BETWEEN)
        before = head.rstrip(_WORD)
    return head[len(before) :]


@lru_cache(maxsize=4096)
def _kind_of(name: str) -> Kind | None:
    words = re.split(r"[_.-]+", _HUMP.sub("_", name).lower())
    while len(words) > 1 and (words[-1] in _NEUTRAL or not words[-1]):
        words.pop()
    last = words[-1].rstrip("0123456789")
    if "public" in words:
        return None
    if last == "pass" or last.endswith(_PASSWORDS):
        return "password"
    is_key = last == "key" and len(words) > 1 and words[-2] in _KEYS
    return "key" if is_key or last.endswith(_SECRETS) else None


def _is_secret(kind: Kind, value: str) -> bool:
    if kind == "key":
        return _is_key(value)
    if is_placeholder(value) or "/" in value[:1] or "://" in value or _is_dotted(value):
        return False
    letters = any(map(str.isalpha, value))
    others = any(not one.isalpha() and one not in "_.-" for one in value)
    return (letters and others) or _PASSPHRASE.fullmatch(value) is not None


def _is_dotted(value: str) -> bool:
    """`auth.form2.label`: the name of a text, not the text."""
    return "." in value.strip(".") and _IDENTIFIER.fullmatch(value) is not None


def _is_bare_secret(kind: Kind, value: str) -> bool:
    """Without quotes a value may be an expression: it has to look random, or hold a symbol that
    no name has."""
    if kind == "key":
        return not _is_dotted(value) and _is_key(value)
    cases = any(map(str.islower, value)) and any(map(str.isupper, value))
    digits = any(map(str.isdigit, value))
    symbols = not _SYMBOLS.isdisjoint(value)
    is_strong = cases + digits + symbols >= 2 and (symbols or looks_random(value))
    return is_strong and _is_secret(kind, value)


def _is_key(value: str) -> bool:
    if _TOKEN.fullmatch(value):
        return entropy(value) >= 3 and looks_random(value) and not is_placeholder(value)
    # Django's 50 characters of SECRET_KEY.
    symbols = len(_SYMBOLS & set(value))
    return len(value) >= 32 and symbols >= 2 and entropy(value) >= 4 and "{" not in value
