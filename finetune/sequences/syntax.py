"""Where the nodes of a source text lie, and which of them agree best with a span of it.

Python is parsed by the standard library's `ast`, other languages by tree-sitter, where the extra
`syntax` is installed. Nothing is ever executed. Positions are code points of the document's text.
"""

import ast
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from data_formats.python_syntax import parse_python
from finetune.grammars import GRAMMARS, is_installed

if TYPE_CHECKING:
    import tree_sitter

MAX_DEPTH = 500
"""Levels of a Python tree. `ast` gives up at about three thousand, sooner where its caller stands
deep in the stack; a limit far below keeps the answer a function of the text alone."""

MAX_STEPS_PER_BYTE = 6
"""Of tree-sitter's work, beyond a hundred thousand steps. Code takes less than one; text that is
none can take a thousand. Steps, unlike seconds, are the same on every machine."""

_AT = re.compile(rb"[ \t\f]*@")
LINE_END = re.compile(rb"\r\n|\r|\n")
"""What ends a line for `ast`; a form feed or U+2028 does not."""

_LEADS = bytes((byte & 0xC0) != 0x80 for byte in range(256))
"""1 for each byte that begins a character in UTF-8, 0 for those inside one."""

_TOGETHER = {"keywords": 1, "args": 1, "keys": 0, "values": 0}
"""Fields that alternate in the text: arguments of a call, and a dictionary's keys and values."""

_WITH_FORMAT = ("JoinedStr", "TemplateStr")

Span = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Tree:
    """The nodes of one text in level order: the children of each lie side by side, left to right.

    Node 0 is the whole text. Siblings do not overlap, none is empty, each lies in its parent.
    """

    starts: Sequence[int]
    ends: Sequence[int]
    firsts: Sequence[int]
    """The first child of each node, and one entry more: children end where the next one's begin."""
    groups: Sequence[int]
    """Neighbouring siblings of one number may be a middle together: `x` and `y` of `f(x, y)`, but
    not `f` and `x`, which would part the brackets."""

    def children(self, node: int) -> Span:
        return self.firsts[node], self.firsts[node + 1]

    def families(self, low: int, high: int) -> Iterable[Span]:
        """The siblings from `low` to `high` by groups."""
        while low < high:
            end = next((i for i in range(low, high) if self.groups[i] != self.groups[low]), high)
            yield low, end
            low = end

    def depth(self) -> int:
        """How many levels there are below the whole text."""
        depth = node = 0
        while (node := self.firsts[node]) < len(self.starts):
            depth += 1
        return depth


@lru_cache(maxsize=32)  # a long document gives many segments, one after the other
def tree_of(text: str, language: str) -> Tree | None:
    """The syntax of a whole document, or None where it has no parser here or does not parse.

    A text that tree-sitter could mend has a tree, with what it skipped as a node like any other;
    one of which it could make nothing (the root is an error) or that asks for too much work has
    none. Only named nodes count: punctuation and operators stand between nodes, as in `ast`.
    """
    return _parse_python(text) if language == "python" else _parse_other(text, language)


def aligned(tree: Tree, segment: Span, span: Span) -> Span | None:
    """The run of whole nodes inside `segment` that agrees best with `span`, or None without any.

    After AST-FIM's aligned span (arXiv 2506.00204): of the smallest node that contains `span`, the
    run of consecutive children of one group, or the node itself, with the largest intersection
    over union; the first of equals. A node that the segment cuts can be no middle, nor can the
    whole text: the largest nodes inside the segment stand for it.
    """
    node = _smallest(tree, span)
    itself = tree.starts[node], tree.ends[node]
    is_whole = node > 0 and _contains(segment, itself)
    siblings = [tree.children(node)] if is_whole else _siblings(tree, segment)
    families = [family for pair in siblings for family in tree.families(*pair)]
    runs = {run for family in families for run in _runs(tree, family, span)}
    runs |= {itself} if is_whole else set()
    return max(sorted(runs), key=lambda run: _agreement(run, span), default=None)


def _contains(outer: Span, inner: Span) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _agreement(run: Span, span: Span) -> float:
    """Intersection over union; a run is never empty."""
    shared = min(run[1], span[1]) - max(run[0], span[0])
    return max(shared, 0) / (max(run[1], span[1]) - min(run[0], span[0]))


def _smallest(tree: Tree, span: Span) -> int:
    """The deepest node that contains `span`."""
    node = 0
    while True:
        low, high = tree.children(node)
        child = bisect_right(tree.starts, span[0], low, high) - 1
        if child < low or tree.ends[child] < span[1]:
            return node
        node = child


def _siblings(tree: Tree, segment: Span) -> list[Span]:
    """Siblings inside `segment` whose parent is not: the parents are cut by its start or end."""
    found, cut = [], [0]
    for node in cut:  # grows while it is walked over
        low, high = tree.children(node)
        first = bisect_left(tree.starts, segment[0], low, high)
        behind = bisect_right(tree.ends, segment[1], low, high)
        if first < behind:
            found.append((first, behind))
        neighbours = {max(first - 1, low), min(behind, high - 1)} if low < high else ()
        cut += [child for child in neighbours if child < first or child >= behind]
    return found


def _runs(tree: Tree, family: Span, span: Span) -> Iterable[Span]:
    """The runs of a family that can agree best with `span`, and its first node.

    A run that overlaps `span` gains by every step of its start towards that of `span`, and of its
    end likewise, so only the nodes on either side of each have to be tried.
    """
    low, high = family
    start = bisect_right(tree.starts, span[0], low, high)
    end = bisect_left(tree.ends, span[1], low, high)
    for first in (low, start - 1, start):
        for last in (low, end - 1, end):
            if low <= first <= last < high:
                yield tree.starts[first], tree.ends[last]


def _level_order(
    root: Any, length: int, children: Callable[[Any], Iterable[tuple[int, int, int, Any]]]
) -> Tree:
    """`children`: start, end, group and node of each; empty and overlapping ones are left out."""
    starts, ends, firsts, groups = (
        array("q", [0]),
        array("q", [length]),
        array("q"),
        array("q", [0]),
    )
    nodes = [root]
    for index, parent in enumerate(nodes):  # grows while it is walked over, as deep as it may be
        firsts.append(len(starts))
        free = starts[index]
        for start, end, group, node in sorted(children(parent), key=itemgetter(0)):
            if free <= start < end <= ends[index]:
                starts.append(start)
                ends.append(end)
                groups.append(group)
                nodes.append(node)
                free = end
    firsts.append(len(starts))
    return Tree(starts, ends, firsts, groups)


def code_points(text: str, data: bytes) -> Sequence[int]:
    """For each place in `data`, the UTF-8 of `text`, how many characters begin before it."""
    if len(data) == len(text):
        return range(len(data) + 1)
    return list(accumulate(data.translate(_LEADS), initial=0))


def _parse_python(text: str) -> Tree | None:
    # `ast` takes no byte order mark. A form feed is blank, and as many code points long.
    source = "\f" + text[1:] if text.startswith("\ufeff") else text
    try:
        module = parse_python(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    data = source.encode()
    points = code_points(source, data)
    lines = [0, *(match.end() for match in LINE_END.finditer(data))]

    def place(line: int, column: int) -> int:
        return points[lines[line - 1] + column]

    def start_of(node: Any) -> int:
        decorators = getattr(node, "decorator_list", None)
        if not decorators:
            return place(node.lineno, node.col_offset)
        # A definition begins with its first "@", which is the first thing in some line before.
        line: int = decorators[0].lineno
        while not (match := _AT.match(data, lines[line - 1])):
            line -= 1
        return points[match.end() - 1]

    def children(parent: ast.AST) -> Iterable[tuple[int, int, int, ast.AST]]:
        for group, node in _positioned(parent):
            yield start_of(node), place(node.end_lineno, node.end_col_offset), group, node

    tree = _level_order(module, len(text), children)
    return tree if tree.depth() <= MAX_DEPTH else None


def _positioned(parent: ast.AST) -> list[tuple[int, Any]]:
    """The nearest nodes below `parent` that have a place, each with the field it stands in.

    `arguments`, operators, ... have none. What stands inside an f-string is left out: before
    Python 3.12 its places are wrong.
    """
    found: list[tuple[int, Any]] = []
    if type(parent).__name__ in _WITH_FORMAT:
        return found
    fields = enumerate(vars(parent).items())
    waiting = [(_TOGETHER.get(name, number), value) for number, (name, value) in fields]
    for group, value in waiting:  # grows while it is walked over
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.AST):
                if hasattr(child, "lineno"):
                    found.append((group, child))
                else:
                    waiting += [(group, inner) for inner in vars(child).values()]
    return found


@lru_cache
def _grammars(language: str) -> list["tree_sitter.Language"]:
    """The grammars of a language, or none where it has none or they are not installed."""
    if language not in GRAMMARS or not is_installed(language):
        return []
    from tree_sitter import Language

    names = [name.partition(".") for name in GRAMMARS[language]]
    return [Language(getattr(import_module(module), name)()) for module, _, name in names]


def _parse_other(text: str, language: str) -> Tree | None:
    data = text.encode("utf-8", "surrogatepass")
    best = best_root(data, language)
    if best is None:
        return None
    points = code_points(text, data)

    def children(parent: "tree_sitter.Node") -> Iterable[tuple[int, int, int, "tree_sitter.Node"]]:
        for node in parent.named_children:  # arguments and the like are nodes, brackets included
            yield points[node.start_byte], points[node.end_byte], 0, node

    return _level_order(best, len(text), children)


def best_root(data: bytes, language: str) -> "tree_sitter.Node | None":
    """The tree of UTF-8 by the first grammar of `language` that finds no mistake, else by the first
    that finds anything at all; None where none does, or is installed."""
    roots: list[tree_sitter.Node] = []
    for grammar in _grammars(language):
        if (root := _root(data, grammar)) is not None:
            roots.append(root)
            if not root.has_error:
                break
    return min(roots, key=lambda root: root.has_error) if roots else None


def _root(data: bytes, grammar: "tree_sitter.Language") -> "tree_sitter.Node | None":
    from tree_sitter import Parser

    calls = 0

    def enough(offset: int, has_error: bool) -> bool:
        """Called every hundred steps; True ends the work."""
        nonlocal calls
        calls += 1
        return 100 * calls > 100_000 + MAX_STEPS_PER_BYTE * len(data)

    def read(offset: int, _: object) -> bytes:
        return data[offset : offset + (1 << 16)]

    try:
        root = Parser(grammar).parse(read, progress_callback=enough).root_node
    except ValueError:  # ended by `enough`
        return None
    return None if root.is_error else root
