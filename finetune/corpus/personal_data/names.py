"""Names of people in fields that are for them: authors, committers, reviewers.

Names elsewhere in code cannot be told from other words by their form alone, and stay. So do those
in copyright notices, which licences ask to be passed on.
"""

import re
from collections.abc import Iterator

from finetune.corpus.personal_data.finding import Finding, finding
from finetune.corpus.personal_data.occurrences import occurrences

# Each kind of field by the letters with which it is looked for, and what may stand around them.
_FIELDS = {
    "author": (
        r"(?:(?<=@)authors?|(?<![A-Za-z])authors?[\"']?[ \t]{0,4}[:=]"
        r"|author(?:s|ed)?__[ \t]{0,4}=)"
    ),
    "maintainer": r"maintainers?(?:__)?[\"']?[ \t]{0,4}[:=]",
    "committer": r"committer[\"']?[ \t]{0,4}[:=]",
    "contributor": r"contributors?[\"']?[ \t]{0,4}[:=]",
    "reviewer": r"reviewers?[\"']?[ \t]{0,4}[:=]",
    "credits__": r"credits__[ \t]{0,4}=",
    "created by": r"created by\b[ \t]{0,4}:?",
    "written by": r"written by\b[ \t]{0,4}:?",
    "contributed by": r"contributed by\b[ \t]{0,4}:?",
    "maintained by": r"maintained by\b[ \t]{0,4}:?",
    "-by:": r"-by:",
}
_MATCH = {
    word: re.compile(field + r"[ \t]{0,8}[\[(]?[\"']?", re.IGNORECASE)
    for word, field in _FIELDS.items()
}
_BY = re.compile(r"(?:signed-off|co-authored|reviewed|acked|reported|tested|suggested|cc)$", re.I)
_COPYRIGHT = re.compile(r"copyright|\(c\)|©", re.IGNORECASE)
_WORD = r"[^\W\d_a-z](?:\w|['’-](?=\w)){0,20}"
_PARTICLE = r"(?:van|von|der|den|de|del|di|da|dos|la|le|bin|al|ter|zu)"
_NAME = re.compile(rf"{_WORD}\.?(?:[ ](?:{_PARTICLE}[ ]){{0,2}}{_WORD}\.?){{1,3}}(?!\w)")
_NEXT = re.compile(
    r"(?:[ ]?<[^<>\n]{0,80}>)?[ ]?(?:[\"']?,[ ]?[\"']?|[ ]and[ ]|[ ]&[ ])(?:and[ ])?"
)
_NO_PERSON = re.compile(
    r"\b(?:Inc|Ltd|LLC|GmbH|Corp|Corporation|Company|Foundation|Project|Team|Group|Community"
    r"|Contributors|Developers|Authors|University|Institute|Software|Systems|Technologies|Labs?"
    r"|Python|The|This|See|All)\b"
)


def names(text: str) -> Iterator[Finding]:
    """Full names behind a field for people; several where they are listed."""
    for word, expression in _MATCH.items():
        for place in occurrences(text, [word]):
            field = expression.match(text, place)
            if field and _is_field(text, place, word):
                yield from _listed(text, field.end())


def _is_field(text: str, place: int, word: str) -> bool:
    line = text[max(text.rfind("\n", 0, place) + 1, place - 200) : place]
    return not _COPYRIGHT.search(line) and (word != "-by:" or _BY.search(line) is not None)


def _listed(text: str, at: int) -> Iterator[Finding]:
    while name := _NAME.match(text, at):
        if not _NO_PERSON.search(name[0]):
            yield finding(name.span(), "name")
        following = _NEXT.match(text, name.end())
        if following is None:
            return
        at = following.end()
