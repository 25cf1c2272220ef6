"""Personal data and secrets in a text -> the same text without them."""

from finetune.corpus.personal_data.finding import Finding
from finetune.corpus.personal_data.redact import find, redact, redacted

__all__ = ["Finding", "find", "redact", "redacted"]
