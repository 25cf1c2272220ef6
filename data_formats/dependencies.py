"""An order of files in which each stands behind those that it imports, told by their text alone.

What is resolved, within the files given and never beyond them:

- Python: `import` and `from` at a module's top level (in `if` and `try` too, but not in functions
  and not under `TYPE_CHECKING`), relative or from a folder above that is no package, or its `src`
  or `lib`. A text that does not parse is searched line by line.
- C and C++: `#include "..."`, beside the file, then from a folder above, or its `include` or `src`.
- JavaScript and TypeScript: `import`, `export ... from`, `require` and `import()` of a path that
  begins with `.`, with or without suffix, and a folder's `index`. Comments count as code.

Nothing else is: no `#include <...>`, no path aliases, no build files, no other language.
"""

import ast
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from posixpath import dirname, join, normpath

from data_formats.repository import RepositoryFile

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
    found = find(file.path, file.text, paths) if find else ()
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


def _above(folder: str) -> Iterator[str]:
    """The folder and those above it, to the repository's root, which is empty."""
    while folder:
        yield folder
        folder = dirname(folder)
    yield ""


def _first(candidates: Iterable[str], paths: Paths) -> list[str]:
    """The first of the candidates that there is, or none."""
    return [path for path in candidates if path in paths][:1]


def _python(path: str, text: str, paths: Paths) -> Iterator[str]:
    packages = list(_above(dirname(path)))
    roots = [folder for folder in packages if join(folder, "__init__.py") not in paths]
    searched = [join(root, inner) for root in roots for inner in ("", "src", "lib")]
    for level, module, names in _python_imports(text):
        folders = packages[level - 1 : level] if level else searched
        inside = module.replace(".", "/")
        found = [_first(_modules(folders, join(inside, name)), paths) for name in names]
        if not all(found) or not names:  # a name that is no module is defined in the package
            found.append(_first(_modules(folders, inside), paths))
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the text's own escapes
            tree = ast.parse(text.removeprefix("\ufeff"))
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


def _c(path: str, text: str, paths: Paths) -> Iterator[str]:
    here = dirname(path)
    for name in _INCLUDE.findall(text):
        folders = [here, *(join(a, inner) for a in _above(here) for inner in _INCLUDE_FOLDERS)]
        yield from _first((normpath(join(folder, name)) for folder in folders), paths)


def _script(path: str, text: str, paths: Paths) -> Iterator[str]:
    for _, name in _SCRIPT.findall(text):
        target = normpath(join(dirname(path), name))
        # TypeScript names the file that will be compiled: `./a.js` is a.ts.
        bare = [target, _JS_SUFFIX.sub(r".\1ts", target), _JS_SUFFIX.sub(".tsx", target)]
        longer = [f"{target}{suffix}" for suffix in _SCRIPT_SUFFIXES]
        index = [normpath(join(target, f"index{suffix}")) for suffix in _SCRIPT_SUFFIXES]
        yield from _first([*bare, *longer, *index], paths)


_FINDERS: dict[str, Callable[[str, str, Paths], Iterator[str]]] = {
    "python": _python,
    **dict.fromkeys(("c", "cpp", "objective-c", "objective-cpp", "cuda"), _c),
    **dict.fromkeys(("javascript", "typescript", "vue", "svelte"), _script),
}
