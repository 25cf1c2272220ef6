"""Comments that were sent by e-mail -> what their author wrote.

A tracker takes a mail as it is: with the message that it answers, the notification's footer and a
signature. StarCoder took these out (arXiv:2305.06161, appendix A; bigcode-dataset,
`preprocessing/utils/utils_issues.py`); the expressions here are narrower, for there a comment loses
all that stands above the last line of any quotation. A quotation in Markdown stays.

A text comes from anyone, so each expression looks at a line a few times at most: what reaches from
one to the other end of an answered message is found by its two ends.
"""

import re

_SEPARATOR = r"(?:^[> \t]*_{20,}[ \t]*\n)?"
# `On Tue, Mar 3, 2020 at 10:00 Ada <notifications@github.com> wrote:`, perhaps broken up, and the
# same without `On`; a date holds a digit.
_WROTE = r"^[> \t]*(?:On\b(?=[^\n]*\d)|\d+/\d+/\d)[^\n]*?(?:\n[^\n]*?){0,2}?\bwrote:?[ \t]*$"
_FROM = (
    r"^[> \t*]*From:[^\n]*\n"
    r"(?:[> \t*]*(?:Sent|Date|To|Cc|Reply-To|Subject):[^\n]*(?:\n|\Z)){2,}?"
)
# The sentence, and the lines of broken-up links that belong to it.
_LINKS = r"(?:\n[^\n]*(?:github\.com|unsubscribe|mute the thread)[^\n]*)*"
_PHRASE = "Reply to this email directly"
_FOOTER = rf"{_PHRASE}[^\n]*{_LINKS}"
_QUOTED = r"(?:\s*^>[^\n]*$)+"

_FLAGS = re.MULTILINE | re.DOTALL
_ANSWERED = re.compile(rf"{_SEPARATOR}(?:{_WROTE}|{_FROM})", _FLAGS)
_ENDING = re.compile(rf"{_FOOTER}(?:{_QUOTED})?", _FLAGS)
_FOOTER_ALONE = re.compile(
    r"^(?:[> \t]*(?:—|--+|_{2,})[ \t]*\n)?(?:[> \t]*You are receiving this[^\n]*\n)?[^\n]*"
    + _FOOTER,
    _FLAGS,
)
_WITH_QUOTATION = re.compile(rf"{_SEPARATOR}{_WROTE}{_QUOTED}", _FLAGS)
_NOTIFICATION = re.compile(rf"{_SEPARATOR}(?={_FROM})[^\n]*@[\w.]*github\.com.*", _FLAGS)
_SIGNATURES = re.compile(
    r"^-- \n(?:[^\n`]*(?:\n|\Z)){0,8}\Z|^[ \t]*Sent from (?:my|Mail|Outlook|Yahoo|AOL)\b[^\n]*$",
    re.MULTILINE,
)


def without_email(text: str) -> str:
    """The text without the automatic parts of a mail; the same text where there are none."""
    kept = text
    if _PHRASE in text:
        kept = _FOOTER_ALONE.sub("", _without_answered(kept))
    kept = _NOTIFICATION.sub("", _WITH_QUOTATION.sub("", kept))
    kept = _SIGNATURES.sub("", kept)
    return text if kept == text else kept.strip()


def _without_answered(text: str) -> str:
    """The text without the messages that it answers: each from its first line to its footer."""
    kept, at = [], 0
    while (first := _ANSWERED.search(text, at)) and (last := _ENDING.search(text, first.end())):
        kept.append(text[at : first.start()])
        at = last.end()
    return "".join([*kept, text[at:]])
