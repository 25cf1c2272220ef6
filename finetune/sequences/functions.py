"""Where the bodies of functions lie in a source text, doc strings left out."""

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from data_formats.python_syntax import parse_python
from finetune.sequences.syntax import LINE_END, Span, best_root, code_points

if TYPE_CHECKING:
    import tree_sitter

FUNCTIONS = {
    "function_definition",  # C, C++
    "function_declaration",  # Go, JavaScript, TypeScript
    "generator_function_declaration",
    "function_expression",
    "arrow_function",
    "method_definition",
    "method_declaration",  # Go, Java
    "constructor_declaration",
    "function_item",  # Rust
}
"""tree-sitter's names of nodes with a field `body`."""


def function_bodies(text: str, language: str) -> list[Span]:
    """The statements of each function, outer ones before those inside them.

    Without the brackets and blank space around them. None where a text has no parser here or does
    not parse; a function with a mistake in it is left out.
    """
    return _in_python(text) if language == "python" else _in_brackets(text, language)


def _in_python(text: str) -> list[Span]:
    # `ast` takes no byte order mark. A form feed is blank, and as many code points long.
    source = "\f" + text[1:] if text.startswith("\ufeff") else text
    try:
        module = parse_python(source)
        data = source.encode()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    points = code_points(source, data)
    lines = [0, *(match.end() for match in LINE_END.finditer(data))]
    found = []
    for node in ast.walk(module):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        if not body:
            continue
        first, last = body[0], body[-1]
        assert last.end_lineno is not None
        assert last.end_col_offset is not None
        start = lines[first.lineno - 1] + first.col_offset
        # A definition is said to begin with `def`; its decorators stand before.
        for decorator in getattr(first, "decorator_list", [])[:1]:
            start = data.rindex(b"@", 0, lines[decorator.lineno - 1] + decorator.col_offset)
        end = lines[last.end_lineno - 1] + last.end_col_offset
        found.append((points[start], points[end]))
    return sorted(found)


def _in_brackets(text: str, language: str) -> list[Span]:
    data = text.encode("utf-8", "surrogatepass")
    root = best_root(data, language)
    if root is None:
        return []
    points = code_points(text, data)
    found = []
    for node in _nodes(root):
        body = node.child_by_field_name("body") if node.type in FUNCTIONS else None
        if body is None or node.has_error:
            continue
        inner = data[body.start_byte : body.end_byte]
        if not (inner.startswith(b"{") and inner.endswith(b"}")):
            continue  # `x => x + 1`
        start = body.start_byte + 1 + len(inner[1:-1]) - len(inner[1:-1].lstrip())
        end = start + len(inner[1:-1].strip())
        found.append((points[start], points[end]))
    return sorted(found)


def _nodes(root: "tree_sitter.Node") -> Iterator["tree_sitter.Node"]:
    """Every node; a walk of our own, for a tree may be deeper than Python's stack."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.named_children
