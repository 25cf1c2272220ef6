"""The licence that a source file states in the comment at its head.

Only that comment counts: a program that writes licence headers holds them as strings further down.
"""

import re
from collections.abc import Iterator

from finetune.corpus.licensing.expressions import UNRECOGNISED, joined, normalise
from finetune.corpus.licensing.notices import notices

HEAD_CHARACTERS = 16_000

_LINE_COMMENT = re.compile(r"#|//|--|;|%|!|\*|'|\"|\.\\\"|dnl\b|rem\b|@rem\b", re.I)
_BLOCKS = {
    "/*": "*/", "<!--": "-->", '"""': '"""', "'''": "'''", "(*": "*)", "{-": "-}", "{#": "#}",
    "=begin": "=end", "--[[": "]]", "<%--": "--%>", "#|": "|#", "#=": "=#", "<#": "#>", "%{": "%}",
}  # fmt: skip
_BEFORE_COMMENTS = re.compile(r"<\?.*|<!doctype.*|package\s[\w.]+;?|@charset.*|@echo off", re.I)

# Without one of these words there is nothing to look for.
_SPEAKS = re.compile(
    r"licen[cs]e|permission|redistribut|[al]?gpl|creativecommons|commercial|confidential"
    r"|proprietary|prohibited|purposes? only|use only",
    re.I,
)
_IDENTIFIER = re.compile(r"SPDX-License-Identifier:[ \t]*([\w.+:() \t/-]*)")
_VARIABLE = re.compile(r"^__licen[cs]e__\s*=\s*(['\"])(.+?)\1", re.M)


def header_licence(text: str) -> str | None:
    """The SPDX expression that a file's head states, or None where it states none.

    In this order: `SPDX-License-Identifier`; the notices of well-known licences, whole texts and
    plain sentences among them; Python's `__license__`. Several that are stated apply together. One
    that is stated and not understood is `LicenseRef-unrecognised`, and a claim of secrecy is
    `LicenseRef-proprietary`: neither leaves the file to its repository's licence. A pointer ("see
    the LICENSE file") and a vague name ("BSD license") state nothing.
    """
    head = head_comment(text)
    identifiers = [match[1] for match in _IDENTIFIER.finditer(head)]
    if identifiers:
        return joined(_spdx(one) for one in identifiers)
    stated = [*notices(head)] if _SPEAKS.search(head) else []
    if not stated and "__licen" in text:
        variable = _VARIABLE.search(text[:HEAD_CHARACTERS])
        stated = [normalise(variable[2]) or UNRECOGNISED] if variable else []
    return joined(stated)


def head_comment(text: str) -> str:
    """The comments before a file's first line of code, with their marks."""
    return "\n".join(_comment_lines(text[:HEAD_CHARACTERS].removeprefix("\ufeff")))


def _comment_lines(text: str) -> Iterator[str]:
    end = ""
    for line in text.splitlines():
        bare = line.strip()
        if end:
            yield line
            end = "" if end in bare else end
            continue
        opening = re.sub(r"^[rRbBuU]{1,2}(?=\"\"\"|''')", "", bare)
        start = next((mark for mark in _BLOCKS if opening.startswith(mark)), None)
        if start is not None:
            yield line
            end = "" if _BLOCKS[start] in opening[len(start) :] else _BLOCKS[start]
        elif _LINE_COMMENT.match(bare):
            yield line
        elif bare and not _BEFORE_COMMENTS.fullmatch(bare):
            return


def _spdx(written: str) -> str:
    """One identifier, without what closes its comment."""
    return normalise(written.strip(" \t-*/")) or UNRECOGNISED
