"""Glob patterns over relative paths with forward slashes.

`*` and `?` stay within one folder, `**` spans folders, `[...]` is a set of characters. A pattern is
matched against the whole path: `*.py` means the top folder's files, `**/*.py` those of all folders.
"""

import re
from collections.abc import Callable, Iterable

WILDCARDS = frozenset("*?[")


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """A function that says whether a path matches at least one of `patterns`."""
    expressions = [translate(pattern) for pattern in patterns]
    whole = re.compile("|".join(f"(?:{one})" for one in expressions) if expressions else r"(?!)")
    return lambda path: whole.fullmatch(path) is not None


def may_match_below(patterns: Iterable[str], folder: str) -> bool:
    """Whether a file below `folder` can match: judged by the parts before the first wildcard."""
    return any(_agree(pattern.removeprefix("./"), folder) for pattern in patterns)


def _agree(pattern: str, folder: str) -> bool:
    *folders, last = pattern.split("/")
    for wanted, part in zip(folders, folder.split("/"), strict=False):
        if WILDCARDS & set(wanted):
            return True
        if wanted != part:
            return False
    return last in ("", "**") or len(folders) > folder.count("/")


def translate(pattern: str) -> str:
    """The regular expression of a pattern; one that ends in `/` means all that lies below."""
    if pattern.endswith("/"):
        pattern += "**"
    parts = pattern.removeprefix("./").split("/")
    last = len(parts) - 1
    return "(?s:" + "".join(_part(part, at == last) for at, part in enumerate(parts)) + ")"


def _part(part: str, is_last: bool) -> str:
    if part == "**":
        return ".+" if is_last else "(?:[^/]+/)*"
    return _within_folder(part) + ("" if is_last else "/")


def _within_folder(part: str) -> str:
    pieces = re.split(r"(\*+|\?|\[!?\]?[^\]]*\])", part)
    return "".join(_piece(piece) for piece in pieces)


def _piece(piece: str) -> str:
    if piece.startswith("*"):
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if len(piece) > 2 and piece.startswith("[") and piece.endswith("]"):
        inner = re.sub(r"([\\\[\]^&~|])", r"\\\1", piece[1:-1].removeprefix("!"))
        return f"[^/{inner}]" if piece.startswith("[!") else f"(?!/)[{inner}]"
    return re.escape(piece)
