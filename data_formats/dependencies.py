"""An order of files in which each stands behind those that it imports, told by their text alone.

What is resolved, within the files given and never beyond them:

- Python: `import` and `from` at a module's top level (in `if` and `try` too, but not in functions
  and not under `TYPE_CHECKING`), relative or from a folder above that is no package, or its `src`
  or `lib`. A text that does not parse is searched line by line.
- C and C++: `#include "..."`, beside the file, then from a folder above, or its `include` or `src`.
- JavaScript and TypeScript: `import`, `export ... from`, `require` and `import()` of a path that
  begins with `.`, with or without suffix, and a folder's `index`. Comments count as code.

Nothing else is: no `#include <...>`, no path aliases, no build files, no other language. Of the
folders above a file the nearest `MOST_FOLDERS` are looked into and the topmost, and no more than
`MOST_LOOKUPS` times for one file: what is not found by then counts as imported from elsewhere.
"""

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from posixpath import dirname, join, normpath

from data_formats.python_syntax import parse_python
from data_formats.repository import RepositoryFile

MOST_FOLDERS = 32
MOST_NAME = 4096
"""Characters of what is imported; no path is longer."""
MOST_LOOKUPS = 50_000
"""A file that imports a thousand modules from below five folders needs half of it."""

_PYTHON_LINE = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<module>[.\w]+)[ \t]+import[ \t]+(?P<names>\(?[\w \t,*]+)"
    r"|import[ \t]+(?P<modules>[\w.][\w., \t]*))",
    re.MULTILINE,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)
_SCRIPT = re.compile(
    r"(?:\bfrom|\bimport|\bimport[ \t]*\(|\brequire[ \t]*\()[ \t]*"
    r"(['\"])(\.{1,2}(?:/[^'\"\n]*)?)\1"
)
_SCRIPT_SUFFIXES = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
_JS_SUFFIX = re.compile(r"\.([mc]?)jsx?$")
_INCLUDE_FOLDERS = ("", "include", "src")

Paths = Collection[str]


class Lookup:
    """Looks for the candidates of one file among the paths that there are, so many in all."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._left = MOST_LOOKUPS

    def first(self, candidates: Iterable[str]) -> list[str]:
        """The first of the candidates that there is, or none."""
        for path in islice(candidates, self._left):
            self._left -= 1
            if path in self._paths:
                return [path]
        return []

    def __contains__(self, path: str) -> bool:
        return path in self._paths


def by_path(files: Iterable[RepositoryFile]) -> list[RepositoryFile]:
    """The files sorted by path."""
    return sorted(files, key=lambda file: file.path)


def by_dependency(files: Iterable[RepositoryFile]) -> list[RepositoryFile]:
    """By path, but each file behind those that it imports, wherever that is possible.

    A cycle is cut where it is entered: of its files, the first by path comes last. Raises
    ValueError where two files have one path.
    """
    known: dict[str, RepositoryFile] = {}
    for file in by_path(files):
        if known.setdefault(file.path, file) is not file:
            raise ValueError(f"{file.path}: two files of one path; give each path once")
    return [known[path] for path in _depth_first(known, lambda path: imports(known[path], known))]


def imports(file: RepositoryFile, paths: Paths) -> list[str]:
    """Those of `paths` that the file imports, sorted, without itself."""
    find = _FINDERS.get(file.language)
    found = find(file.path, file.text, Lookup(paths)) if find else ()
    return sorted(set(found) - {file.path})


def _depth_first(paths: Iterable[str], imported: Callable[[str], Sequence[str]]) -> Iterator[str]:
    """Each path once, behind all that it leads to; a way back to a path that is open is not gone.

    With a stack of its own: chains of imports can be longer than Python's.
    """
    seen: set[str] = set()
    for first in paths:
        opened = [(first, iter(imported(first)))] if first not in seen else []
        seen.add(first)
        while opened:
            path, rest = opened[-1]
            following = next((one for one in rest if one not in seen), None)
            if following is None:
                opened.pop()
                yield path
            else:
                seen.add(following)
                opened.append((following, iter(imported(following))))


def _above(folder: str) -> list[str]:
    """The folder and those above it, to the repository's root, which is empty."""
    found: list[str] = []
    while folder and len(found) < MOST_FOLDERS:
        found.append(folder)
        folder = dirname(folder)
    return [*found, ""]


def _python(path: str, text: str, paths: Lookup) -> Iterator[str]:
    packages = _above(dirname(path))
    roots = [folder for folder in packages if join(folder, "__init__.py") not in paths]
    searched = [join(root, inner) for root in roots for inner in ("", "src", "lib")]
    for level, module, names in _python_imports(text):
        # Of a deeper folder, the last of `packages` is not the next one above.
        if level > MOST_FOLDERS or max(map(len, [module, *names])) > MOST_NAME:
            continue
        folders = packages[level - 1 : level] if level else searched
        inside = module.replace(".", "/")
        found = [paths.first(_modules(folders, join(inside, name))) for name in names]
        if not all(found) or not names:  # a name that is no module is defined in the package
            found.append(paths.first(_modules(folders, inside)))
        for one in found:
            yield from one


def _modules(folders: Iterable[str], inside: str) -> Iterator[str]:
    for folder in folders:
        base = join(folder, inside).removesuffix("/")
        if inside:
            yield f"{base}.py"
        yield join(base, "__init__.py")
        yield f"{base}.pyi"


def _python_imports(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Level (the number of leading dots), module and names of each import."""
    try:
        tree = parse_python(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield from _python_lines(text)
        return
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names]
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            pending += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr):
            pending += ast.iter_child_nodes(node)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _python_lines(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """The same for a text that Python does not parse."""
    for match in _PYTHON_LINE.finditer(text):
        if match["modules"]:
            yield from ((0, name, []) for name in _names(match["modules"]))
        else:
            module = match["module"].lstrip(".")
            yield len(match["module"]) - len(module), module, _names(match["names"])


def _names(listed: str) -> list[str]:
    """`a, b as c` -> a, b."""
    return [part.split()[0] for part in listed.strip("( \t").split(",") if part.strip()]


def _c(path: str, text: str, paths: Lookup) -> Iterator[str]:
    here = dirname(path)
    folders = [here, *(join(a, inner) for a in _above(here) for inner in _INCLUDE_FOLDERS)]
    for name in dict.fromkeys(_INCLUDE.findall(text)):
        if len(name) <= MOST_NAME:
            yield from paths.first(normpath(join(folder, name)) for folder in folders)


def _script(path: str, text: str, paths: Lookup) -> Iterator[str]:
    for name in dict.fromkeys(name for _, name in _SCRIPT.findall(text)):
        if len(name) <= MOST_NAME:
            yield from paths.first(_scripts(join(dirname(path), name)))


def _scripts(name: str) -> Iterator[str]:
    target = normpath(name)
    yield target
    # TypeScript names the file that will be compiled: `./a.js` is a.ts.
    yield _JS_SUFFIX.sub(r".\1ts", target)
    yield _JS_SUFFIX.sub(".tsx", target)
    yield from (f"{target}{suffix}" for suffix in _SCRIPT_SUFFIXES)
    yield from (normpath(join(target, f"index{suffix}")) for suffix in _SCRIPT_SUFFIXES)


_FINDERS: dict[str, Callable[[str, str, Lookup], Iterator[str]]] = {
    "python": _python,
    **dict.fromkeys(("c", "cpp", "objective-c", "objective-cpp", "cuda"), _c),
    **dict.fromkeys(("javascript", "typescript", "vue", "svelte"), _script),
}
