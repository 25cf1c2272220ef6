"""Names of repositories, by the Hub's own rule."""

import re

from finetune.errors import UserError

# No part begins or ends with `-` or `.`, so none can be `..` or hidden.
_PART = re.compile(r"[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?", re.ASCII)


def refuse_bad_name(repo: str) -> None:
    """Raise UserError where `repo` is not `owner/name` as the Hub takes it."""
    parts = repo.split("/")
    if len(parts) != 2 or not all(map(_PART.fullmatch, parts)) or ".." in repo or "--" in repo:
        raise UserError(
            f"`{repo}` is no repository name; write `owner/name` with letters, digits, `_`, and"
            " single `-` or `.` between them"
        )
