"""Personal data and secrets of a document -> placeholders, and how many of each kind.

No finding goes across a sentinel. A line with an SPDX tag stays as it is; a copyright notice keeps
its names, as licences oblige, and loses its e-mail addresses.
"""

from collections import Counter
from itertools import pairwise

from data_formats.document import Document
from finetune.corpus.personal_data.addresses import emails, ips
from finetune.corpus.personal_data.assigned import assigned
from finetune.corpus.personal_data.finding import Finding, merged
from finetune.corpus.personal_data.names import names
from finetune.corpus.personal_data.pem import private_keys
from finetune.corpus.personal_data.strings import strings
from finetune.corpus.personal_data.tokens import tokens

_DETECTORS = (private_keys, tokens, assigned, strings, emails, ips, names)
_NOTICE = ("copyright", "license", "licence", "(c)", "©")


def redact(document: Document) -> tuple[Document, Counter[str]]:
    """The document without what `find` finds, and the number of findings of each kind.

    Marks and spans move along. A document with nothing to redact is returned itself.
    """
    bounds = sorted({0, *(mark.at for mark in document.marks), len(document.text)})
    found = [
        (start + one.start, start + one.end, one)
        for start, end in pairwise(bounds)
        for one in find(document.text[start:end])
    ]
    if not found:
        return document, Counter()
    edits = [(start, end, one.replacement) for start, end, one in found]
    return document.edited(edits), Counter(one.kind for _, _, one in found)


def redacted(text: str) -> str:
    """A short text, such as a path, without what `find` finds."""
    for one in reversed(find(text)):
        text = text[: one.start] + one.replacement + text[one.end :]
    return text


def find(text: str) -> list[Finding]:
    """What is to be replaced in a text: sorted, not overlapping.

    `email`, `key`, `name` and `password` are replaced by `<EMAIL>` and so on, an `ip` by a private
    address that is the same for the same address.
    """
    found = merged(one for detect in _DETECTORS for one in detect(text))
    return [one for one in found if not _is_kept(text, one)]


def _is_kept(text: str, one: Finding) -> bool:
    """Whether a finding stands in a line that has to stay as it is."""
    # A line can be as long as a file; what is said of a value stands near it.
    start, end = max(0, one.start - 200), one.end + 200
    start = max(start, text.rfind("\n", start, one.start) + 1)
    end = text.find("\n", one.end, end) if "\n" in text[one.end : end] else end
    line = text[start:end]
    if "SPDX-" in line:
        return True
    return one.kind in ("name", "ip") and any(word in line.lower() for word in _NOTICE)
