"""Whether a string can be a secret, judged by its characters alone."""

import math
import re
from collections import Counter
from itertools import pairwise

_NOTE = re.compile(
    r"example|placeholder|change[-_ ]?(?:me|it|this)|redacted|x{4}|\*{3}|\.{3}|_{3}|0{6}|1234567"
    r"|7654321|abcdefg|01234|qwerty",
    re.IGNORECASE,
)
# What is left of a manual's value without these has no letters.
_WORDS = re.compile(
    r"password|passwd|passphrase|pass|pwd|secret|token|credentials?|api|auth|access|private|public"
    r"|key|your|my|the|some|any|new|old|user|name|admin|root|guest|default|test|testing|sample"
    r"|dummy|fake|mock|foo|bar|baz|here|goes|insert|replace|enter|hidden|none|null|true|false|todo"
    r"|abc|xyz|xxx|value|string|field|login|hash|id",
    re.IGNORECASE,
)
# ${VAR}, $VAR, {{ var }}, %s, %(name)s, <name>, f(x), a::b, #selector, .class.
_TEMPLATE = re.compile(
    r"^\$\w|[{}<>()\[\]]|%[sdr]\b|::|->|\\u|\benviron\b|^[#.@:&%/][A-Za-z_/.-]*$"
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{24,}|[0-9A-F]{24,}")
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def is_placeholder(value: str) -> bool:
    """Whether a value stands for a secret instead of being one: `changeme`, `${TOKEN}`, `xxxx`."""
    if len(set(value)) < 4 or _NOTE.search(value) or _TEMPLATE.search(value):
        return True
    rest = _WORDS.sub("", value)
    return rest != value and not any(map(str.isalpha, rest))


def entropy(value: str) -> float:
    """Shannon entropy of a non-empty string's characters, in bits a character."""
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts)


def looks_random(value: str, mean_piece: float = 3.2) -> bool:
    """Whether capitals, small letters and digits change places as they do in a key.

    Names and words, CamelCase included, fall into pieces of four characters and more, random
    strings into pieces of two; `mean_piece` is what no key reaches.
    UUIDs are identifiers, and alphabets are written in order.
    """
    letters = sum(map(str.isalpha, value))
    if not letters or len(set(value)) < 8 or _UUID.search(value):
        return False
    if letters == len(value) and (value.islower() or value.isupper()):
        return False
    if _HEX.fullmatch(value):
        return not _in_order(value)
    pieces = _PIECES.findall(value)
    return sum(map(len, pieces)) < mean_piece * len(pieces) and not _in_order(value)


def _in_order(value: str) -> bool:
    """Whether a third of the characters follow the one before them in the alphabet."""
    steps = sum(ord(b) - ord(a) == 1 for a, b in pairwise(value))
    return 3 * steps >= len(value)
