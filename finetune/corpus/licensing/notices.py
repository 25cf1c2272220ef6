"""Sentences by which a file's head states its licence."""

import re
from collections.abc import Iterator

from finetune.corpus.licensing.expressions import PROPRIETARY, UNRECOGNISED, normalise
from finetune.corpus.licensing.texts import texts_in, words

_MARKS = re.compile(
    r"(?m)^[ \t]*(?:#+|/{2,}|/?\*+/?|--+|;+|%+|!+|dnl\b|rem\b|<!--|\"\"\"|''')[ \t]*"
)

_BLANKS = re.compile(r"[ \t]+")

_GRANTS = re.compile(
    r"\b(?:permission is hereby granted free of charge|permission to use copy modify"
    r"|redistribution and use in source|redistribution and use with or without)\b"
)
_APACHE = re.compile(
    r"\b(?:under|with|by) (?:the )?(?:terms of )?(?:the )?apache(?: software)? license (?:v2|2.0)"
    r"(?P<llvm> with llvm exceptions)?\b"
)
_MODIFIED = re.compile(r"\bapache license .{0,60}with the following modifications?\b")
_GNU = re.compile(
    r"\b(?:under|by|of) (?:\S+ ){0,8}?(?:(?P<gnu>gnu (?:(?P<kind>affero|lesser|library) )?"
    r"(?:or \S+ )?general public licenses?)|(?:gnu )?(?P<short>[al]?gpl)(?P<v>v?[123](?:\.[01])?)?"
    r"(?P<plus> or later)?) (?P<rest>(?:\S+ ){0,45})"
)
_NAMED = {
    "MPL-2.0": r"(?:terms of|under) the mozilla public license v2",
    "MPL-1.1": r"subject to the mozilla public license v1.1",
    "EPL-2.0": r"terms of the eclipse public license (?:v2|2.0)",
    "EPL-1.0": r"terms of the eclipse public license (?:v1|1.0)",
    "CDDL-1.0": r"terms of the common development and distribution license",
    "BSL-1.0": r"under the boost software license v1",
    "Elastic-2.0": r"elastic license (?:v2|2.0)",
    "SSPL-1.0": r"server side public license",
    "BUSL-1.1": r"business source license",
}
_NAMED_RE = {licence: re.compile(rf"\b{phrase}(?![.\w])") for licence, phrase in _NAMED.items()}
_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/licenses/(by[a-z-]*)/(\d\.\d)", re.I)
_PROPRIETARY = re.compile(
    r"\b(?:proprietary and confidential|confidential and proprietary|company confidential"
    r"|proprietary (?:software|information|license|source code)"
    r"|unauthori[sz]ed (?:copying|use|reproduction|distribution|disclosure) (?:\S+ ){0,15}?"
    r"(?:is|are) (?:strictly )?(?:prohibited|forbidden))\b"
)
_RESTRICTED = re.compile(
    r"\bnon ?commercial\b|\bcommons clause\b|\bcommercial use (?:\S+ )?(?:prohibited|forbidden|not)"
    r"|\b(?:academic|research|educational|evaluation|personal) (?:use|purposes?) only\b"
    r"|\bnot for commercial\b"
)
# `Licensed under the Foo License`: what stands for Foo.
_STATEMENT = re.compile(
    r"\b(?:licen[cs]ed|released|distributed|made available)\s+under\s+(?:the\s+)?"
    r"(?:terms\s+(?:and\s+conditions\s+)?of\s+)?(?:the\s+)?"
    r"(?P<name>[\w.+()' -]{2,50}?)\s+licen[cs]e\b(?!\s+(?:agreement\s+)?(?:found|that|file))", re.I,
)  # fmt: skip
_FIELD = re.compile(
    r"(?im)^[ \t]*(?:@licen[cs]e:?|licen[cs]e[ \t]*:)[ \t]*(?P<name>.{2,60}?)[ \t]*\*?/?$"
)
_POINTER = re.compile(
    r"(?i)^(?:this|these|same|above|below|following|its|their|our|your|any|open|free|project|"
    r"see|which|one|respective)\b|\b(?:style|file|same|like|found|see|under|this)\b|['<]s?\b|licen[cs]e\.|/|http"
)
_VAGUE = re.compile(
    r"(?i)(?:the )?(?:bsd|apache|apache software|gpl|lgpl|cc|creative commons|gnu)(?: licen[cs]e)?"
)


def notices(head: str) -> Iterator[str]:
    """The licences that the sentences of a head state, in no order, perhaps repeated."""
    raw = _BLANKS.sub(" ", _MARKS.sub("", head))  # long runs of them would be tried at each place
    plain = words(raw)
    if _PROPRIETARY.search(plain):
        yield PROPRIETARY
    if _RESTRICTED.search(plain) or _MODIFIED.search(plain):
        yield UNRECOGNISED
    whole = texts_in(plain)
    yield from whole
    if not whole and _GRANTS.search(plain):
        yield UNRECOGNISED  # a known text's beginning, and not its rest
    yield from _families(plain)
    for match in _CREATIVE_COMMONS.finditer(raw):
        yield normalise(f"CC-{match[1]}-{match[2]}") or UNRECOGNISED
    yield from _by_name(raw)


def _families(plain: str) -> Iterator[str]:
    """Notices that name a version: Apache, GNU, Mozilla and others."""
    apache = _APACHE.search(plain)
    if apache:
        yield "Apache-2.0 WITH LLVM-exception" if apache["llvm"] else "Apache-2.0"
    for licence, phrase in _NAMED_RE.items():
        if phrase.search(plain):
            yield licence
    gnu = _GNU.search(plain)
    if gnu:
        yield _gnu(gnu)


def _gnu(match: re.Match[str]) -> str:
    """Without a version, GNU's licences say that any version will do."""
    kinds = {"affero": "AGPL", "lesser": "LGPL", "library": "LGPL", None: "GPL"}
    name = (match["short"] or "").upper() or kinds[match["kind"]]
    rest = match["rest"]
    stated = re.search(r"\bv(\d(?:\.\d)?)\b", rest)
    version = (match["v"] or "").strip("v ") or (stated[1] if stated else "")
    if not version:
        return {"GPL": "GPL-1.0", "LGPL": "LGPL-2.0", "AGPL": "AGPL-3.0"}[name] + "-or-later"
    later = match["plus"] or re.search(r"\b(?:any|or) (?:\S+ )?(?:later|newer|greater)\b", rest)
    version = version if "." in version else f"{version}.0"
    return normalise(f"{name}-{version}-{'or-later' if later else 'only'}") or UNRECOGNISED


def _by_name(raw: str) -> Iterator[str]:
    """`Licensed under the MIT License`, `@license MIT`, `License: MIT`."""
    for match in [*_STATEMENT.finditer(raw), *_FIELD.finditer(raw)]:
        name = re.split(r"\.\s|[;,] see|\s+-\s", " ".join(match["name"].split()))[0].strip(" .,;")
        name = re.sub(r"(?i)^(?:an?|the)(?: |$)", "", name)
        known = normalise(name) or normalise(f"{name} license")
        if known:
            yield known
        elif name and not _POINTER.search(name) and not _VAGUE.fullmatch(name) and not _named(name):
            yield UNRECOGNISED


def _named(name: str) -> bool:
    """Whether the other notices read this name already."""
    return (
        re.search(
            r"(?i)\b(?:general public|[al]?gpl\S*|mozilla|eclipse|boost|apache|elastic|"
            r"business source|server side|common development)\b",
            name,
        )
        is not None
    )
