"""All that is found in a text, and the document without it."""

from collections import Counter

from data_formats.document import Document
from finetune.corpus.personal_data.addresses import emails, ips
from finetune.corpus.personal_data.assignments import assignments
from finetune.corpus.personal_data.finding import Finding, merged
from finetune.corpus.personal_data.keys import keys
from finetune.corpus.personal_data.names import names


def find(text: str) -> list[Finding]:
    """Personal data and secrets of a text, in order, none overlapping another."""
    kinds = (emails, ips, keys, assignments, names)
    return merged(one for kind in kinds for one in kind(text))


def redact(document: Document) -> tuple[Document, Counter[str]]:
    """The document with each finding replaced, and how many there were of each kind.

    A document without findings is returned as it is. Sentinels stay where they stand.
    """
    findings = find(document.text)
    if not findings:
        return document, Counter()
    edits = [(one.start, one.end, one.replacement) for one in findings]
    return document.edited(edits), Counter(one.kind for one in findings)
