"""Glob patterns over relative paths with forward slashes.

`*` and `?` stay within one folder, `**` spans folders, `[...]` is a set of characters. A pattern is
matched against the whole path: `*.py` means the top folder's files, `**/*.py` those of all folders.
"""

import re
from collections.abc import Callable, Iterable
from itertools import groupby

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
    """The regular expression of a pattern; one that ends in `/` means all that lies below.

    What stands between two `**`, or between two `*` of a folder's name, is taken where it first
    fits and nowhere else: if the rest does not match from there, it does from no later place.
    Without that the time grows with a power of the path's length.
    """
    if pattern.endswith("/"):
        pattern += "**"
    parts = pattern.removeprefix("./").split("/")
    runs = [list(run) for is_span, run in groupby(parts, key="**".__eq__) if not is_span]
    begins, ends = parts[0] == "**", parts[-1] == "**"
    expression = ""
    for at, run in enumerate(runs):
        is_last = at == len(runs) - 1
        names = "/".join(map(_within_folder, run)) + ("" if is_last and not ends else "/")
        if at == 0 and not begins:
            expression += names
        elif is_last and not ends:
            expression += f"(?:[^/]+/)*{names}"
        else:
            expression += f"(?>(?:[^/]+/)*?{names})"
    return f"(?s:{expression}{'.+' if ends else ''})"


def _within_folder(part: str) -> str:
    pieces = [piece for piece in re.split(r"(\*+|\?|\[!?\]?[^\]]*\])", part) if piece]
    runs = [list(run) for is_star, run in groupby(pieces, key=_is_star) if not is_star]
    begins, ends = _is_star(part[:1]), _is_star(part[-1:])
    expression = ""
    for at, run in enumerate(runs):
        fixed, is_last = "".join(map(_piece, run)), at == len(runs) - 1
        if at == 0 and not begins:
            expression += fixed
        elif is_last and not ends:
            expression += f"[^/]*{fixed}"
        else:
            expression += f"(?>[^/]*?{fixed})"
    return expression + ("[^/]*" if ends else "")


def _is_star(piece: str) -> bool:
    return piece.startswith("*")


def _piece(piece: str) -> str:
    if piece == "?":
        return "[^/]"
    if len(piece) > 2 and piece.startswith("[") and piece.endswith("]"):
        inner = re.sub(r"([\\\[\]^&~|])", r"\\\1", piece[1:-1].removeprefix("!"))
        expression = f"[^/{inner}]" if piece.startswith("[!") else f"(?!/)[{inner}]"
        if _is_valid(expression):
            return expression
    return re.escape(piece)


def _is_valid(expression: str) -> bool:
    """A range that ends before it begins is none: the shell takes it for plain characters too."""
    try:
        re.compile(expression)
    except re.error:
        return False
    return True
