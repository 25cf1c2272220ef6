"""Source files: which language a name stands for, and bytes -> Document.

The Stack's view of what counts as source: programming and markup languages, not data (JSON, YAML,
CSV, ...) and not prose without markup.
"""

from bisect import bisect_left
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from posixpath import splitext

from data_formats.document import Document, Mark, Piece, Sentinel, compose

# Names that need no translation.
_SAME_NAME = """
    aspectj astro batch clojure cmake crystal css cuda cue cython dart dockerfile elixir elm
    erlang fish fortran gdscript gherkin gleam go graphql groovy haskell hcl hlsl html idl idris
    java javascript jsonnet julia kotlin lean less lua luau m4 magik makefile markdown mdx meson
    metal nim nix nushell objective-c ocaml pascal perl php plantuml powershell prisma pug
    puppet purescript python qml r robot rst ruby rust sas sass scala scheme scss shell solidity
    sql stylus svelte swift tex thrift vala verilog vhdl vim vue xquery zig
"""

# `identify`'s tag -> our name. Dialects that share a grammar share a name (`tsx`, `pyi`, `zsh`).
# Order is preference where a name has several tags: a `.h` file is `c` before it is `cpp`.
LANGUAGE_OF_TAG = {
    "objective-c++": "objective-cpp",
    "c": "c",
    "c++": "cpp",
    "c#": "csharp",
    "f#": "fsharp",
    "ts": "typescript",
    "tsx": "typescript",
    "jsx": "javascript",
    "pyi": "python",
    "asm": "assembly",
    "vb": "visual-basic",
    "coffee": "coffeescript",
    "proto": "protobuf",
    "literate-haskell": "haskell",
    "c2hs": "haskell",
    "jade": "pug",
    "system-verilog": "systemverilog",
    "terraform": "hcl",
    "xsl": "xslt",
    "scons": "python",
    "tiltfile": "starlark",
    "bazel": "starlark",
    "nimble": "nim",
    **{name: name for name in _SAME_NAME.split()},
}

# Suffixes of The Stack's languages that `identify` does not know, or knows only as another one's
# (`m`, `pl`): there they are second choice, taken where a recipe asks for that language.
LANGUAGE_OF_SUFFIX = {
    "ada": "ada",
    "adb": "ada",
    "ads": "ada",
    "agda": "agda",
    "awk": "awk",
    "cts": "typescript",
    "mts": "typescript",
    "d": "d",
    "el": "emacs-lisp",
    "f": "fortran",
    "for": "fortran",
    "f77": "fortran",
    "glsl": "glsl",
    "frag": "glsl",
    "vert": "glsl",
    "lisp": "common-lisp",
    "cl": "common-lisp",
    "m": "matlab",
    "pl": "prolog",
    "pro": "prolog",
    "rkt": "racket",
    "rq": "sparql",
    "sparql": "sparql",
    "sml": "standard-ml",
    "stan": "stan",
    "tcl": "tcl",
    "thy": "isabelle",
    "vhdl": "vhdl",
}

LANGUAGES = tuple(sorted({*LANGUAGE_OF_TAG.values(), *LANGUAGE_OF_SUFFIX.values()}))
"""Every language name that a recipe can ask for."""


def languages_of(path: str) -> tuple[str, ...]:
    """The languages that a file of this name may hold, likeliest first; none where unknown.

    Only the name is looked at. More than one is left where the name cannot tell: `.h` is `c` or
    `cpp`, `.m` is `objective-c` or `matlab`, `.pl` is `perl` or `prolog`.
    """
    name = path.rpartition("/")[2]
    suffix = splitext(name)[1]
    # The suffix comes first: `BUILD.py` is Python, though `BUILD` alone is a Bazel file.
    return (_languages_of_suffix(suffix) if suffix else ()) or _tagged(name)


@lru_cache(maxsize=4096)
def _languages_of_suffix(suffix: str) -> tuple[str, ...]:
    second = LANGUAGE_OF_SUFFIX.get(suffix[1:].lower())
    found = _tagged(f"_{suffix}")
    return (*found, second) if second and second not in found else found


def _tagged(name: str) -> tuple[str, ...]:
    from identify.identify import tags_from_filename

    tags = tags_from_filename(name)
    if "objective-c++" in tags:
        tags.discard("c++")  # its files do not compile as C++
    found = (language for tag, language in LANGUAGE_OF_TAG.items() if tag in tags)
    return tuple(dict.fromkeys(found))


def language_of(path: str, wanted: str | None = None) -> str | None:
    """The language that a file counts as: `wanted` where its name allows that, else the likeliest.

    None where the name stands for no language that we know.
    """
    candidates = languages_of(path)
    if wanted in candidates:
        return wanted
    return candidates[0] if candidates else None


def decode_source(content: bytes) -> str:
    """UTF-8 as it stands: newlines are not translated and a byte order mark stays a character.

    Raises UnicodeDecodeError.
    """
    return content.decode("utf-8")


def read_source_file(
    file: Path,
    *,
    path: str,
    repo: str,
    language: str,
    licence: str | None = None,
    source: int = 0,
) -> Document:
    """`file` as a Document that is known as `path` inside `repo`.

    Raises OSError where it cannot be read and UnicodeDecodeError where it is not UTF-8.
    """
    return Document(
        text=decode_source(file.read_bytes()),
        path=path,
        repo=repo,
        language=language,
        licence=licence,
        source=source,
    )


STAR_BUCKETS = (0, 10, 100, 1000)
"""Largest number of stars of each bucket; more is the last one."""
STAR_NAMES = ("0", "1-10", "10-100", "100-1000", "1000+")


def with_header(document: Document, share: float) -> Document:
    """The document with what StarCoder saw before some files: repository, path and stars.

    `<reponame>R<filename>F<gh_stars>B`, a newline, the code. Each field is there with probability
    `share`, drawn from the document's id, and the newline where any is (StarCoder, arXiv
    2305.06161, section 5.1). Fill-in-the-middle leaves the header alone.
    """
    header: list[Piece] = []
    fields = (("<reponame>", document.repo), ("<filename>", document.path), _stars(document))
    digest = blake2b(document.id.encode(), digest_size=12, person=b"header").digest()
    for number, (token, value) in enumerate(fields):
        draw = int.from_bytes(digest[4 * number : 4 * number + 4], "little")
        if value and draw < share * 2**32:
            header += [Sentinel(token), value]
    if not header:
        return document
    text, marks = compose([*header, "\n"])
    size = len(text)
    bodies = ((0, len(document.text)),) if document.bodies is None else document.bodies
    return replace(
        document,
        text=text + document.text,
        marks=(*marks, *(Mark(mark.at + size, mark.token) for mark in document.marks)),
        bodies=tuple((start + size, end + size) for start, end in bodies),
    )


def without_header(document: Document) -> str:
    """The code alone: the inverse of `with_header`."""
    return document.text if document.bodies is None else document.text[document.bodies[0][0] :]


def _stars(document: Document) -> tuple[str, str]:
    if document.stars is None:
        return "<gh_stars>", ""
    return "<gh_stars>", STAR_NAMES[bisect_left(STAR_BUCKETS, document.stars)]
