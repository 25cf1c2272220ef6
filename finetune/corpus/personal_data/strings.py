"""Quoted strings of Base64 that look random, whatever they are called.

detect-secrets' Base64HighEntropyString with its limit, and filters of ours: most strings of high
entropy in code are checksums, identifiers, alphabets or data. Strings of hexadecimal digits are
told only by their names (see `assigned`): a key and a checksum look the same.
"""

import re
from collections.abc import Iterator

from finetune.corpus.personal_data.finding import Finding, finding
from finetune.corpus.personal_data.values import entropy, is_placeholder, looks_random

LEAST_ENTROPY = 4.5
"""Bits a character, detect-secrets' default."""
LEAST_DISTINCT = 23
"""The logarithm of 22 is less than that."""
_NEAR = 200
# A longer one is data: a certificate, a picture, a table.
_QUOTED = re.compile(r"""(["'])([A-Za-z0-9+/_=-]{23,128}+)\1""")
_NO_KEY = re.compile(
    r"hash|sha\d|sha-|md5|digest|checksum|integrity|signature|fingerprint|etag|nonce|uuid|guid|\bid\b"
    r"|_ids?\b|Id\b|commit|revision|cert|public|ssh-|base64,|alphabet|charset|chars|letters|digits"
    r"|ascii|font|image|png|svg|model|regex|pattern|translat",
    re.IGNORECASE,
)


_STANDARD, _URL_SAFE = frozenset("+/"), frozenset("-_")
"""No Base64 has characters of both (RFC 4648): the name of a file or a model has."""


def strings(text: str) -> Iterator[Finding]:
    """Strings that stand alone; in rows of them, a table or a certificate, none is a key."""
    found = [match.span(2) for match in _QUOTED.finditer(text) if _is_key(match[2])]
    behind = -_NEAR
    for number, (start, end) in enumerate(found):
        after = found[number + 1][0] if number + 1 < len(found) else end + _NEAR
        is_alone = start - behind >= _NEAR and after - end >= _NEAR
        behind = end
        if is_alone and not _NO_KEY.search(_line_before(text, start)):
            yield finding((start, end), "key")


def _line_before(text: str, at: int) -> str:
    """The last 200 characters in front of a place in its line."""
    start = max(0, at - 200)
    return text[max(start, text.rfind("\n", start, at) + 1) : at]


def _is_key(value: str) -> bool:
    characters = set(value)
    return (
        len(characters) >= LEAST_DISTINCT
        and not (_STANDARD & characters and _URL_SAFE & characters)
        and any(map(str.isdigit, characters))
        and value.count("/") <= len(value) / 16
        and entropy(value) > LEAST_ENTROPY
        and looks_random(value, 2.6)
        and not is_placeholder(value)
    )
