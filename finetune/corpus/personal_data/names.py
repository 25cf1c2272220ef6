"""Names of people in the fields that name an author or a commenter.

`Author: Jane Doe`, `@author Jane`, `__author__ = "Jane Doe"`, `Signed-off-by: Jane Doe <...>`,
`Written by Jane Doe`, `"author": {"name": "Jane Doe"`. A field counts whose value looks like a
name: capitalised words, two at least where the field alone is no proof. Names elsewhere in code or
prose cannot be told by a pattern, and stay; so do the names of organisations, and, because their
licences oblige to keep them, the names in copyright notices.
"""

import re
from collections.abc import Iterator

from data_formats.document import Span
from finetune.corpus.personal_data.finding import Finding, finding

_ROLE = r"(?:author|maintainer|contributor|committer|commenter|reviewer|reporter|creator)s?"
_VERBS = (
    *("written", "created", "contributed", "developed", "maintained", "authored", "implemented"),
    *("commented", "reported", "modified", "ported", "adapted"),
)
# These are followed by a person; one word is enough.
_SURE = re.compile(
    r"[@\\]authors?[ \t:{]{1,8}"
    r"|\b(?:Signed-off|Co-authored|Co-developed|Reviewed|Acked|Tested|Reported|Suggested|Helped)-by:"
    r"[ \t]{0,4}",
    re.IGNORECASE,
)
_LIKELY = re.compile(
    rf"(?<![\w.@\\])(?:module|section|code)?{_ROLE}[\"']?(?:\(s\))?"
    r"[ \t]{0,4}[:=]{1,2}[ \t]{0,8}"
    r"(?:[\[{(]{0,2}\s{0,20}(?:[\"']?name[\"']?[ \t]{0,4}[:=][ \t]{0,4})?[\"'])?"
    r"|(?<![\w.])__(?:author|maintainer|credits)s?__[ \t]{0,4}=[ \t]{0,4}[\[(]?[\"']{1,3}"
    rf"|\b(?:{'|'.join(_VERBS)}) by:?[ \t]{{1,4}}",
    re.IGNORECASE,
)
# In every field, small letters, and how far the field reaches on either side of it.
_HINTS = (
    *("author", "maintainer", "contributor", "committer", "commenter", "reviewer", "reporter"),
    *("creator", "credits__", "-by:", *(f"{verb} by" for verb in _VERBS)),
)
_BEFORE, _BEHIND = 20, 100
_LETTERS = r"[^\W\d_]"
_WORD = rf"{_LETTERS}(?:{_LETTERS}|['’.-](?={_LETTERS})){{0,30}}\.?"
_NAME = re.compile(rf"{_WORD}(?: {_WORD}){{0,4}}")
_NEXT = re.compile(
    r"[\"']?[ \t]{0,2}(?:<[^<>\n]{0,80}>|\([^()\n]{0,80}\))?[ \t]{0,2}[\"']?"
    r"(?:,[ \t]{0,2}(?:and )?|[ \t]?[&/;|][ \t]?| and )[\"']?"
)
_PARTICLES = frozenset(
    "van von de der den del della di da do dos du la le el al bin ibn ter ten zu y e".split()
)
_NO_NAME = frozenset(
    "a admin administrator ag all amazon an and anonymous any apache apple association at "
    "author authors board bot by canonical center centre cloud committee community company "
    "consortium contributors copyright corp corporation council date default department "
    "dependabot description developers email example facebook false field fields for foundation "
    "from github gmbh google group ibm in inc incorporated institute integer intel is java "
    "javascript lab laboratories laboratory labs licence license limited list llc ltd "
    "maintainers media meta microsoft mozilla my name names network new nil none not null "
    "nvidia of on open optional or oracle organisation organization our project projects python "
    "redhat renovate required research root sa see services society software solutions some "
    "source str string studio studios system systems tbd team teams technologies technology "
    "test text that the these this title to todo true twitter university unknown url user "
    "username value various version with your".split()
)


def names(text: str) -> Iterator[Finding]:
    """Names of authors and commenters, each by itself where a field lists several."""
    for start, end in _windows(text):
        for field in _SURE.finditer(text, start, end):
            yield from _people(text, field.end(), 1)
        for field in _LIKELY.finditer(text, start, end):
            yield from _people(text, field.end(), 2)


def _windows(text: str) -> list[Span]:
    """The parts of a text in which a field can stand, not overlapping.

    Where they are is looked up in small letters: an expression that ignores case is slow.
    """
    small = text.lower()
    if len(small) != len(text):  # a few letters become two
        return [(0, len(text))]
    windows: list[Span] = []
    for at in sorted(at for hint in _HINTS for at in _places(small, hint)):
        start, end = max(0, at - _BEFORE), at + _BEHIND
        if windows and start <= windows[-1][1]:
            windows[-1] = windows[-1][0], end
        else:
            windows.append((start, end))
    return windows


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _people(text: str, at: int, least_words: int) -> Iterator[Finding]:
    while (found := _NAME.match(text, at)) and (length := _length(found[0], least_words)):
        end = at + length
        if text[end : end + 1] in ("(", "[", "=", "_") or text[end : end + 2] in ("::", "->"):
            return
        yield finding((at, end), "name")
        following = _NEXT.match(text, end)
        if following is None:
            return
        at = following.end()


def _length(found: str, least_words: int) -> int:
    """Characters of the name with which a run of words begins; 0 where it begins with none."""
    taken: list[str] = []
    for word in found.split(" "):
        bare = word.rstrip(".")
        if bare.lower() in _NO_NAME:
            # "Jane Doe and others", but "The Linux Foundation" is nobody's name.
            if taken and bare.islower():
                break
            return 0
        if bare in _PARTICLES:
            taken.append(word)
            continue
        if word[0].islower():
            break
        taken.append(word)
        if word.endswith(".") and len(bare) > 2:
            break
    while taken and taken[-1].rstrip(".") in _PARTICLES:
        taken.pop()
    capitalised = [word for word in taken if word not in _PARTICLES]
    if len(capitalised) < least_words or not any(map(_has_small, capitalised)):
        return 0
    whole = " ".join(taken)
    last = taken[-1].rstrip(".")
    return len(whole) - (whole.endswith(".") and len(last) > 2)


def _has_small(word: str) -> bool:
    """Not an acronym; scripts without capitals have small letters only."""
    return not word.isupper() or len(word.rstrip(".")) == 1
