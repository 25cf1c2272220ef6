"""Comments that were sent by e-mail -> what their author wrote.

A tracker takes a mail as it is: with the message that it answers, the notification's footer and a
signature. StarCoder took these out (arXiv:2305.06161, appendix A; bigcode-dataset,
`preprocessing/utils/utils_issues.py`); the expressions here are narrower, for there a comment loses
all that stands above the last line of any quotation. A quotation in Markdown stays.
"""

import re

_SEPARATOR = r"(?:^[> \t]*_{20,}[ \t]*\n)?"
# `On Tue, Mar 3, 2020 at 10:00 Ada <notifications@github.com> wrote:`, perhaps broken up, and the
# same without `On`; a date holds a digit.
_WROTE = r"^[> \t]*(?:On\b(?=[^\n]*\d)|\d+/\d+/\d+)[^\n]*(?:\n[^\n]*){0,2}?\bwrote:?[ \t]*$"
_FROM = (
    r"^[> \t*]*From:[^\n]*\n"
    r"(?:[> \t*]*(?:Sent|Date|To|Cc|Reply-To|Subject):[^\n]*(?:\n|\Z)){2,}"
)
# The sentence, and the lines of broken-up links that belong to it.
_LINKS = r"(?:\n[^\n]*(?:github\.com|unsubscribe|mute the thread)[^\n]*)*"
_FOOTER = rf"Reply to this email directly[^\n]*{_LINKS}"
_QUOTED = r"(?:\s*^>[^\n]*$)+"

_FLAGS = re.MULTILINE | re.DOTALL
_WITH_FOOTER = re.compile(rf"{_SEPARATOR}(?:{_WROTE}|{_FROM}).*?{_FOOTER}(?:{_QUOTED})?", _FLAGS)
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
    if "Reply to this email directly" in text:
        kept = _FOOTER_ALONE.sub("", _WITH_FOOTER.sub("", kept))
    kept = _NOTIFICATION.sub("", _WITH_QUOTATION.sub("", kept))
    kept = _SIGNATURES.sub("", kept)
    return text if kept == text else kept.strip()
