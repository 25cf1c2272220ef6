"""Private keys in PEM, OpenPGP and PuTTY files, whole. Certificates and public keys stay."""

import re
from collections.abc import Iterator

from finetune.corpus.personal_data.finding import Finding, finding

_BEGIN = re.compile(r"BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-{4,5}")
_LONGEST = 20_000
_RUN = re.compile(r"[A-Za-z0-9+/=]{16,}")
_TAIL = re.compile(r"(?:[\s\"'+,;]|\\[nr]){1,200}+$")
# Without an END: lines of Base64 for as long as they go on.
_BETWEEN = r"(?:[\s\"'+,]|\\[nr]){0,40}+"
_LINES = re.compile(
    rf"{_BETWEEN}(?:[A-Za-z0-9+/=]{{16,}}+{_BETWEEN}){{1,400}}+(?:[A-Za-z0-9+/]{{1,14}}={{1,2}})?"
)
_PUTTY = re.compile(r"Private-Lines: \d{1,3}\r?\n((?:[A-Za-z0-9+/=]{1,80}\r?\n){1,400}+)")


def private_keys(text: str) -> Iterator[Finding]:
    """The bodies of private keys; the lines that say what they are stay.

    A key in a string literal, with `\\n` or one string a line, is one too. What is replaced begins
    with the first 16 characters of Base64.
    """
    if "PRIVATE KEY" in text:
        for begin in _BEGIN.finditer(text):
            yield from _body(text, begin.end())
    if "Private-Lines:" in text:
        for match in _PUTTY.finditer(text):
            yield finding((match.start(1), match.start(1) + len(match[1].rstrip())), "key")


def _body(text: str, start: int) -> Iterator[Finding]:
    end = text.find("-----", start, start + _LONGEST)
    if end < 0:
        lines = _LINES.match(text, start)
        end = lines.end() if lines else start
    first = _RUN.search(text, start, end)
    if first:
        last = start + len(_TAIL.sub("", text[start:end]))
        yield finding((_without_escape(text, first.start()), last), "key")


def _without_escape(text: str, start: int) -> int:
    """Behind the `n` of a line end that is written `\\n`."""
    return start + 1 if text[start - 1] == "\\" and text[start] in "nr" else start
