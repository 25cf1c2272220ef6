"""Licence texts told by their words.

A permissive licence counts only where it stands whole: what is added, left out or reworded may be
the very condition that matters, so a modified text is no licence that anyone knows. Copyleft and
restricted licences are told by their titles; nobody is harmed where one of them is taken for whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from finetune.corpus.licensing.titles import TITLES

TEMPLATES = Path(__file__).parent / "templates.txt"
NAME_WORDS = 40
"""A name that a work fills into its licence has at most as many words."""
TITLE_WORDS = 40
"""A file that begins with a licence's title has it among its first words."""

# Long permissive texts that the `identify` package carries: first and last words of their body.
_LONG = {
    "Apache-2.0": ("terms and conditions for use", "any such warranty or additional liability "),
    "Artistic-2.0": ("everyone is permitted to copy", "the possibility of such damage "),
    "CC0-1.0": ("statement of purpose", "to this cc0 or use of the work "),
    "MS-PL": ("this license governs use", "fitness for particular purpose and non infringement "),
}
_END = r"(?:end of terms and conditions )?"

# A sentence with one of these may grant or forbid something.
_RULE = re.compile(
    r"\b(?:licen[cs]\w*|permi\w+|(?:hereby|we|to|not|may) grant|grant(?:s|ed|ing)|restrict\w*"
    r"|prohibit\w*|forbid\w*|commerc\w*|condition\w*|clauses?|terms|must|shall"
    r"|may (?:not|only|be)|not|cannot|only|unless|except\w*|provided|agree\w*|royalt\w*|patent\w*"
    r"|sell\w*|sold|distribut\w*|redistribut\w*|modif\w*|us(?:e|ed|es|ing|age)|allow\w*|requir\w*"
    r"|fees?|evil|ethic\w*|militar\w*|train\w*|govern\w*|subject|[al]?gpl\w*|copyleft|proprietary"
    r"|confidential|rights? to|eula|warrant\w*)\b"
)
_FAMILIES = {
    "mit": "mit x11", "expat": "mit", "x11": "mit x11", "bsd": "bsd", "isc": "isc", "iscl": "isc",
    "apache": "apache", "zlib": "zlib", "libpng": "zlib", "boost": "bsl", "unlicense": "unlicense",
    "psf": "psf python", "python": "psf python", "ncsa": "ncsa", "illinois": "ncsa",
    "wtfpl": "wtfpl", "postgresql": "postgresql", "cc0": "cc0", "artistic": "artistic",
    "blue": "blueoak", "oak": "blueoak", "curl": "curl", "upl": "upl", "universal": "upl cc0",
}  # fmt: skip
_PLAIN = (
    "the this new modified revised simplified original clear open source free standard style model"
    " license licenses licensing terms text clause file copyright copyrights notice notices"
    " permission permissive and software foundation university of agreement under version zero"
    " two three four is are licensed released distributed available project code for v2 v1 v1.1 v3"
    " january 2004 http https www.apache.org www org opensource.org apache.org general public"
    " historical disclaimer in see at with attribution no legal"
)
_HEADING = re.compile(
    rf"(?:\b(?:{'|'.join(sorted({*_PLAIN.split(), *_FAMILIES}, key=len, reverse=True))}) )+"
)


@dataclass(frozen=True)
class _Template:
    licence: str
    opening: str
    """Words that the text must hold before the expression is tried."""
    expression: re.Pattern[str]


def recognise(text: str) -> str | None:
    """The SPDX expression of a licence file, or None where it is not wholly accounted for.

    Several texts in one file all apply: `MIT AND Apache-2.0`. A GNU text alone says nothing of
    later versions and reads as `-only`. Headings, copyright lines and names may stand around the
    texts; any other sentence that could grant or forbid makes the whole file unknown.
    """
    plain = words(text)
    found: dict[int, str] = {}
    rest = [*_take_templates(plain, found)]
    unread = [piece for at, piece in rest if not _take_title(piece, at, found)]
    ids = list(dict.fromkeys(found[at] for at in sorted(found)))
    if not ids or not all(_harmless(piece, ids) for piece in unread):
        return None
    return " AND ".join(ids)


def words(text: str) -> str:
    """Lower-case words, each followed by a blank: what comparing licence texts goes by.

    Punctuation, list marks and single letters go; `Version 2.0` and `v2` become the same word.
    """
    plain = text.casefold().replace("licence", "license").replace("noninfring", "non infring")
    plain = re.sub(r"merchantibility|merchant-\W+ability", "merchantability", plain)
    plain = re.sub(r"\bdon['’]t\b", "do not", plain)
    plain = re.sub(r"\b(?:version|v)[\s.]*(\d+(?:\.\d+)*)", r" v\1 ", plain)
    plain = re.sub(r"\b(v\d+)\.0\b", r"\1", plain)
    found = re.findall(r"[a-z0-9]+(?:\.[a-z0-9]+)*", plain)
    return "".join(f"{word} " for word in found if len(word) > 1)


def texts_in(plain: str) -> list[str]:
    """The permissive licences whose whole text stands in `plain`, a text's `words`.

    What stands around them is not judged.
    """
    found: dict[int, str] = {}
    for _ in _take_templates(plain, found):
        pass
    return list(dict.fromkeys(found[at] for at in sorted(found)))


def _take_templates(plain: str, found: dict[int, str]) -> Iterator[tuple[int, str]]:
    """Enter each template's place in `found`; yield what is left over, names included."""
    taken: list[tuple[int, int]] = []
    for template in _templates():
        if template.opening not in plain:
            continue
        for match in template.expression.finditer(plain):
            start, end = match.span()
            if any(start < other_end and other < end for other, other_end in taken):
                continue
            taken.append((start, end))
            found[start] = template.licence
            for group in match.groups():
                if group:
                    yield start, group
    at = 0
    for start, end in [*sorted(taken), (len(plain), len(plain))]:
        yield at, plain[at:start]
        at = end


def _take_title(piece: str, at: int, found: dict[int, str]) -> bool:
    """Whether a left-over piece is a copyleft or restricted licence; it is entered in `found`."""
    head = " ".join(piece.split(" ", TITLE_WORDS)[:TITLE_WORDS])
    titles = [(hit.start(), name) for name, one in TITLES.items() if (hit := one.search(head))]
    if not titles:
        return False
    start, name = min(titles)
    found[at + start] = name
    return True


def _harmless(piece: str, ids: list[str]) -> bool:
    """Whether a piece is headings of the licences found, names, and words that rule nothing."""
    known = " ".join(ids).lower()

    def heading(match: re.Match[str]) -> str:
        run = match[0].split()
        named = [_FAMILIES[word] for word in run if word in _FAMILIES]
        fits = all(any(part in known for part in names.split()) for names in named)
        speaks = named or any(word.startswith(("licens", "notice")) for word in run)
        return " " if speaks and fits else match[0]

    return _RULE.search(_HEADING.sub(heading, piece)) is None


@cache
def _templates() -> tuple[_Template, ...]:
    """All templates, long ones first: `MIT` is the beginning of `X11`."""
    passages, entries = _written()
    made = [(name, _expression(body, passages)) for name, body in entries]
    made += [(name, re.escape(body).replace("\\ ", " ") + _END) for name, body in _long_bodies()]
    made.sort(key=lambda one: -len(one[1]))
    return tuple(
        _Template(name, _opening(expression), re.compile(rf"(?<!\S){expression}"))
        for name, expression in made
    )


def _written() -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Every entry of the file of templates by name, and those that are licences."""
    lines = TEMPLATES.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    entries = [part.partition("\n")[::2] for part in text.split("== ")[1:]]
    licences = [one for one in entries if not re.fullmatch("[A-Z]+_[A-Z]+", one[0])]
    return dict(entries), licences


def _expression(body: str, passages: dict[str, str]) -> str:
    """A template as a regular expression over `words`."""
    pieces = re.split(r"(\{[A-Za-z0-9_.*-]*\}|\[\[|\]\]|\(\(|\)\)|\|)", body)
    return "".join(_part(piece, passages) for piece in pieces)


def _part(piece: str, passages: dict[str, str]) -> str:
    marks = {
        "[[": "(?:", "]]": ")?", "((": "(?:", "))": ")", "|": "|",
        "{}": rf"((?:\S+ ){{0,{NAME_WORDS}}}?)", "{*}": r"(?:\S+ )*?",
    }  # fmt: skip
    if piece in marks:
        return marks[piece]
    if piece.startswith("{"):
        return _expression(passages[piece[1:-1]], passages)
    return re.escape(words(piece)).replace("\\ ", " ")


def _long_bodies() -> Iterator[tuple[str, str]]:
    from identify.vendor.licenses import LICENSES

    texts = dict(LICENSES)
    for name, (first, last) in _LONG.items():
        plain = words(texts[name])
        yield name, plain[plain.index(first) : plain.rindex(last) + len(last)]


def _opening(expression: str) -> str:
    """The longest run of words in an expression that stand in no group: no match without them."""
    group = re.compile(r"\((?:\?:)?[^()]*\)(?:\?|\*\?|\{0,\d+\}\?)?")
    while group.search(expression):
        expression = group.sub("\0", expression)
    return max(expression.replace("\\.", ".").split("\0"), key=len)
