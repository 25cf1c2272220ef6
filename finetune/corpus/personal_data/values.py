"""Whether a string can be a secret, by its characters alone."""

import math
import re
from collections import Counter
from itertools import pairwise

# Somebody's note that a secret belongs here, or a value that stands in every manual.
_PLACEHOLDER = re.compile(
    r"example|sample|dummy|placeholder|change[-_ ]?(?:me|it)|replace|insert|redacted|hidden|secret"
    r"|pass(?:word|wd|phrase)|your[-_A-Z]|\bmy[-_]|xxx|\*\*\*|\.\.\.|___|0{6}|(?:1234){2}|12345678"
    r"|abcdef|foobar|qwert|todo|fixme|token|api[-_]?key|credential|fake|mock|lorem",
    re.IGNORECASE,
)
# Values that a program puts in: ${VAR}, $VAR, {{ var }}, %s, %(name)s, <name>, [name], f(x).
_TEMPLATE = re.compile(r"[$%]\w|[{}<>()\[\]]|\\[ux]|::|->|=>|\benviron\b|\bgetenv\b|^[#@:%&*.]")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^A-Za-z0-9]")
_MEAN_PIECE = 3.2
DISTINCT = 8
"""Different characters at least of what looks random."""


def is_placeholder(value: str) -> bool:
    """Whether a value stands for a secret instead of being one: `changeme`, `${TOKEN}`, `xxxx`."""
    return (
        len(set(value)) < 4
        or _PLACEHOLDER.search(value) is not None
        or _TEMPLATE.search(value) is not None
    )


def entropy(value: str) -> float:
    """Shannon entropy of a non-empty string's characters, in bits a character."""
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts)


def looks_random(value: str) -> bool:
    """Whether letters and digits change places as they do in a key, and not as in a name.

    Names and words, CamelCase included, fall into pieces of four characters and more, random
    strings into pieces of two. UUIDs are identifiers, and alphabets are written in order.
    """
    letters = sum(map(str.isalpha, value))
    if not letters or len(set(value)) < DISTINCT or _UUID.search(value):
        return False
    if letters == len(value) and (value.islower() or value.isupper()):
        return False
    if len(value) / len(_PIECES.findall(value)) >= _MEAN_PIECE:
        return False
    return not _in_order(value)


def _in_order(value: str) -> bool:
    """Whether a third of the characters follow the one before them in the alphabet."""
    steps = sum(ord(b) - ord(a) == 1 for a, b in pairwise(value))
    return 3 * steps >= len(value)
