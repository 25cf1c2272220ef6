"""What a judged program printed, made fit for people, files and terminals."""

import re

ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\Z)"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]?",
    re.S,
)
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad"  # controls but tab and new line
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction, no width
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
MOST = 2000
"""Characters."""


def harmless(text: str) -> str:
    """`text` without escape sequences and characters that hide or reorder others, cut short."""
    clean = UNSEEN.sub("\N{REPLACEMENT CHARACTER}", ESCAPES.sub("", text))
    return clean if len(clean) <= MOST else clean[:MOST] + " ..."
