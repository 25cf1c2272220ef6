"""Python's own parser on texts of which nothing is known."""

import ast
import re
import warnings

MOST_DOTS = 100
"""In one line of imports. The parser's memory for a dotted name there grows with the square of its
dots: 445 MB for a line of 40 kB, and more than any machine's for one of 1 MB."""

# To the end of the line, with the lines that backslashes join to it.
_IMPORT = re.compile(
    r"(?:^|[;:\r\n])[ \t\f]*+(?:import|from)\b(?P<names>(?:[^\\\r\n]|\\\r?\n|\\\r)*+)"
)


def parse_python(text: str) -> ast.Module:
    """The tree of a text; what it makes the parser warn about is kept quiet.

    Raises SyntaxError, ValueError, RecursionError or MemoryError where there is none.
    """
    if any(found["names"].count(".") > MOST_DOTS for found in _IMPORT.finditer(text)):
        raise SyntaxError(f"imports of more than {MOST_DOTS} dots in a line")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)
