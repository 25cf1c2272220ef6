"""Passwords and keys that are told by the name of what they are given to, or by their URL.

`password = "..."` counts where the value could be one: no placeholder, no word, no path, nothing
that a program fills in. A value with spaces is a sentence.
"""

import re
from collections.abc import Iterator

from finetune.corpus.personal_data.finding import Finding, Kind, finding
from finetune.corpus.personal_data.occurrences import occurrences
from finetune.corpus.personal_data.values import entropy, is_placeholder, looks_random

_WORDS = (
    *("passwor", "passwd", "passphrase", "passwrd", "pwd", "secret", "token", "credential"),
    *(
        f"{what}{sign}key"
        for what in ("api", "access", "auth", "client")
        for sign in ("", "_", "-")
    ),
)
"""How the names begin."""
_NAME = re.compile(
    r"(?P<password>passwor[dt]|passwd|passphrase|passwrd|(?<![a-z])pwd(?![a-z]))"
    r"|secret|token|(?:api|access|auth|client)[_-]?key|credentials?",
    re.IGNORECASE,
)
# Behind the name: its rest, a closing quote or bracket, the sign, a quoted value.
_QUOTED = re.compile(
    r"[\w-]{0,24}[\"']?\]?[ \t]{0,8}(?::=|=>|==?|:)[ \t]{0,8}[rbuf]?(?P<quote>[\"'`])"
    r"(?P<value>[^\"'`\s]{6,200})(?P=quote)"
)
# As in .env, .ini and YAML files: the whole line is name, sign and value.
_BARE = re.compile(
    r"[\w-]{0,24}(?:=|:[ \t])[ \t]{0,8}(?P<value>[A-Za-z0-9+/=_!@#$%^&*-]{6,200})$", re.M
)
_LINE_START = re.compile(r"[ \t]*(?:export[ \t]+)?[\w-]{0,40}$")
_IN_URL = re.compile(r"://[^\s:/@\"'<>]{1,64}:(?P<value>[^\s/@\"'<>]{3,128})@")
_PLAIN_WORDS = frozenset({"pass", "pwd", "user", "admin", "root", "test", "none", "null", "true"})
_SHORTEST_KEY = 16
_LEAST_ENTROPY = 3.0
"""Bits a character; random hexadecimal has about 3.6 in 32 characters."""


def assignments(text: str) -> Iterator[Finding]:
    """Values given to a name that says they are secret, and passwords in URLs."""
    for place in occurrences(text, _WORDS):
        name = _NAME.match(text, place)
        if name is None:
            continue
        kind: Kind = "password" if name["password"] else "key"
        value = _QUOTED.match(text, name.end()) or _bare(text, name)
        if value is not None and _is_secret(value["value"], kind):
            yield finding(value.span("value"), kind)
    for url in _IN_URL.finditer(text):
        value_ = url["value"]
        if value_.lower() not in _PLAIN_WORDS and not is_placeholder(value_):
            yield finding(url.span("value"), "password")


def _bare(text: str, name: "re.Match[str]") -> "re.Match[str] | None":
    line = text.rfind("\n", 0, name.start()) + 1
    if name.start() - line > 60 or not _LINE_START.match(text, line, name.start()):
        return None
    found = _BARE.match(text, name.end())
    # A word in lower case may be a variable, and a line of code has no end of its own.
    return found if found and (name[0].isupper() or looks_random(found["value"])) else None


def _is_secret(value: str, kind: Kind) -> bool:
    if is_placeholder(value) or value.lower() in _PLAIN_WORDS or "://" in value:
        return False
    if not (any(map(str.isdigit, value)) and any(map(str.isalpha, value))):
        return False
    if kind == "password":
        return not value.startswith(("/", "./", "~"))
    is_long = len(value) >= _SHORTEST_KEY
    return is_long and looks_random(value) and entropy(value) >= _LEAST_ENTROPY
