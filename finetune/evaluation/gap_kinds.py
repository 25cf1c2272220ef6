"""Gaps of other kinds than a line: several lines, the body of a function, any span.

How long a gap is, is drawn by a hash of its place, so the same files give the same gaps.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from data_formats.document import Document, Span
from finetune.evaluation.line_problems import (
    Bounds,
    LineProblem,
    gap_problems,
    line_bounds,
    says_something,
)
from finetune.grammars import languages
from finetune.sequences.functions import function_bodies

MOST_LINES = 8
LONGEST_SPAN = 200
"""Characters: some sixty tokens."""
LONGEST_BODY = 2000
"""Characters of a function: about thirty lines."""


def several_lines(text: str, _: str) -> Iterator[Span]:
    """From each line that says something to one of the next seven that do, where these are eight
    lines at most with all between them; without outer blank space."""
    lines = line_bounds(text)
    for number, (start, _end) in enumerate(lines):
        last = number + 1 + _draw(text, start, MOST_LINES - 1)
        end = lines[last][1] if last < len(lines) else None
        if end is not None and text.count("\n", start, end) < MOST_LINES:
            yield start, end


def any_span(text: str, _: str) -> Iterator[Span]:
    """From a character of each line that says something, two hundred characters at most."""
    for start, end in line_bounds(text):
        first = start + _draw(text, start, end - start)
        behind = min(first + 1 + _draw(text, end, LONGEST_SPAN), len(text))
        if says_something(text[first:behind].strip()):
            yield first, behind


def bodies_of_functions(text: str, language: str) -> Iterator[Span]:
    """The statements of each function behind its head and doc string."""
    for start, end in function_bodies(text, language):
        if end - start <= LONGEST_BODY and says_something(text[start:end]):
            yield start, end


def _draw(text: str, place: int, bound: int) -> int:
    """Below `bound`, by the text around a place: it stays when the file grows elsewhere."""
    near = text[max(0, place - 100) : place + 100]
    digest = blake2b(near.encode("utf-8", "surrogatepass"), digest_size=8, person=b"gap").digest()
    return int.from_bytes(digest, "little") % bound


KINDS: dict[str, Bounds] = {
    "line": lambda text, _: line_bounds(text),
    "lines": several_lines,
    "function_body": bodies_of_functions,
    "span": any_span,
}
"""By the name that scores give them."""


def problems_of_kind(documents: Sequence[Document], kind: str, count: int) -> list[LineProblem]:
    """`count` gaps of a kind of `KINDS` (or all there are). Which ones depends on the files alone:
    fewer are the first of more, and the order of the files changes nothing."""
    return gap_problems(documents, count, KINDS[kind])


def without_parser(documents: Sequence[Document]) -> dict[str, int]:
    """Languages whose functions cannot be found here, and how many files are written in each."""
    known = {language for language, is_here in languages().items() if is_here}
    return dict(Counter(one.language for one in documents if one.language not in known))
