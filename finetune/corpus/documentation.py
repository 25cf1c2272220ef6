"""How well a text is documented: what decides which of several near-duplicates is kept."""

import re

# Comments that begin their line, and blocks and docstrings that begin on a line of their own. A
# marker behind code is not counted: without a grammar it may as well stand in a string. What is
# never closed runs to the end, so that no text is searched twice.
_DOCUMENTATION = re.compile(
    r"^(?:[ \t]*+(?:"
    r"(?:#|//|--|%|;)[^\n]*"
    r"|/\*.*?(?:\*/|\Z)"
    r"|<!--.*?(?:-->|\Z)"
    r"|\(\*.*?(?:\*\)|\Z)"
    r"|\{-.*?(?:-\}|\Z)"
    r"|[bBfFrRuU]{0,2}(?P<quotes>\"{3}|'{3}).*?(?:(?P=quotes)|\Z)"
    r")"
    # A long string that is a value is passed over whole, lest its end be taken for a beginning.
    r"|(?P<value>[^\n\"']*+(?:(?!\"{3}|'{3})[\"'][^\n\"']*+)*+"
    r"(?P<others>\"{3}|'{3}).*?(?:(?P=others)|\Z)))",
    re.MULTILINE | re.DOTALL,
)
_NOT_LETTERS = re.compile(r"[\W\d_]+")


def documentation(text: str) -> int:
    """The number of letters in the comments and docstrings of `text`, whatever its language.

    A number for comparing near-duplicates with one another: where a marker means something else
    in their language (`#include`), it does so in each of them.
    """
    return sum(
        len(_NOT_LETTERS.sub("", found[0]))
        for found in _DOCUMENTATION.finditer(text)
        if found["value"] is None
    )
