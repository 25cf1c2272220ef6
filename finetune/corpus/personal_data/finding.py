"""A part of a text that is to be replaced. What stands there is not held, so it is never shown."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["email", "ip", "key", "name", "password"]

PLACEHOLDER: dict[Kind, str] = {
    "email": "<EMAIL>",
    "key": "<KEY>",
    "name": "<NAME>",
    "password": "<PASSWORD>",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """First and last but one code point, what it is, and what is written in its place."""

    start: int
    end: int
    kind: Kind
    replacement: str


def finding(span: tuple[int, int], kind: Kind) -> Finding:
    """A finding that is replaced by the placeholder of its kind."""
    return Finding(*span, kind, PLACEHOLDER[kind])


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted, and each part once: findings that overlap become one that covers them all.

    Its kind is that of the first, of two at the same place the longer, of two equal ones a key.
    """
    ordered = sorted(findings, key=lambda one: (one.start, -one.end, one.kind != "key", one.kind))
    result: list[Finding] = []
    for one in ordered:
        if not result or one.start >= result[-1].end:
            result.append(one)
        elif one.end > result[-1].end:
            result[-1] = replace(result[-1], end=one.end)
    return result
