"""What in a problem's tests would be run: Go's and Rust's test functions, found without a parser.

Comments and strings are blanked first: a `#[test]` that stands in one is no test.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

NO_CODE = {
    "go": re.compile(
        r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])+'""", re.S
    ),
    "rust": re.compile(
        r"""//[^\n]*|/\*|r(#*)".*?"\1|"(?:\\.|[^"\\])*"|'(?:\\.[^'\n]*|[^'\\\n])'""", re.S
    ),
    "javascript": re.compile(
        r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`""", re.S
    ),
}
"""Comments, strings and characters; of Rust's comments, which stand in each other, the beginning.
A quote of Rust's that nothing closes is a lifetime's."""
NOT_A_LINE = re.compile(r"[^\n]")


def blanked(text: str, language: str, *, strings: bool = True) -> str:
    """The text with blanks for its comments and strings, or for comments alone: what is left
    stands where it stood."""
    parts, at = [], 0
    while found := NO_CODE[language].search(text, at):
        end = found.end() if found[0] != "/*" else _end_of_comment(text, found.start())
        is_kept = not strings and not found[0].startswith(("//", "/*"))
        hidden = text[found.start() : end]
        parts += [text[at : found.start()], hidden if is_kept else NOT_A_LINE.sub(" ", hidden)]
        at = end
    return "".join([*parts, text[at:]])


def _end_of_comment(text: str, start: int) -> int:
    """Where a comment ends in which others may stand; it is open to the text's end elsewhere."""
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return found.end()
    return len(text)


GO_TEST = re.compile(
    r"^[ \t]*func[ \t]+(?P<name>Test(?![a-z])\w*)[ \t]*"
    r"\(\s*(?:\w+\s+)?\*\s*(?:\w+\.)?T\s*,?\s*\)[ \t]*\{",
    re.M,
)
"""In a blanked text: what `go test` takes for a test. `Testify` is none, nor what asks for more."""

ATTRIBUTE = r"#\s*\[(?:[^\[\]]|\[[^\[\]]*\])*\]\s*"
SEEN = r"(?:\bpub\b\s*(?:\([^)]*\)\s*)?)?"
RUST_TOKEN = re.compile(
    rf"(?P<attributes>(?:{ATTRIBUTE})*)(?P<head>{SEEN}\bfn\s+(?P<function>\w+))"
    rf"|{SEEN}\bmod\s+(?P<module>\w+)\s*\{{|#\s*\[\s*cfg\s*\(\s*test\s*\)\s*\]|[{{}}]"
)
RUST_MARK = re.compile(r"#\s*\[\s*test\s*\]")
NOT_COMPILED = re.compile(
    r"#\s*\[\s*(?:test|cfg\s*\(\s*test\s*\)|(?:ignore|should_panic)\b[^\]]*?)\s*\]"
)
PANIC = re.compile(r"#\s*\[\s*should_panic\b")
WORDS_OF_PANIC = re.compile(
    r"should_panic\s*(?:\(\s*expected)?\s*=\s*"
    r"""(?P<words>r(?P<hashes>#*)".*?"(?P=hashes)|"(?:\\.|[^"\\])*")""",
    re.S,
)


@dataclass(frozen=True, kw_only=True)
class RustTest:
    """A function to call."""

    path: str
    """From where the tests stand: `tests::adds`."""
    panics: bool = False
    """Whether it is to panic."""
    words: str = '""'
    """What it is to say then, as Rust writes it."""


@dataclass(frozen=True, kw_only=True)
class RustTests:
    """Tests that can be called from outside."""

    text: str
    """Modules and tests are public in it, and it is compiled where nothing is being tested."""
    marked: list[RustTest]
    """Functions marked `#[test]`, but for ignored ones."""
    num_lost: int
    """Marks that stand before something else."""
    has_main: bool


def rust_tests(tests: str) -> RustTests:
    """The functions of Rust's tests."""
    plain = blanked(tests, "rust")
    parts: list[str] = []
    marked, num_found, has_main, at = [], 0, False, 0
    inside: list[str] = []  # a module's name for each open brace, empty for other braces
    for token in RUST_TOKEN.finditer(plain):
        parts += [tests[at : token.start()], _public(token, tests)]
        at = token.end()
        if name := token["function"]:
            has_main |= name == "main" and not inside
            if RUST_MARK.search(token["attributes"]) and all(inside):
                num_found += 1
                if not re.search(r"#\s*\[\s*ignore\b", token["attributes"]):
                    marked.append(_rust_test("::".join([*inside, name]), token, tests))
        elif token["module"] or token[0] == "{":
            inside.append(token["module"] or "")
        elif token[0] == "}" and inside:
            inside.pop()
    return RustTests(
        text="".join([*parts, tests[at:]]),
        marked=marked,
        num_lost=len(RUST_MARK.findall(plain)) - num_found,
        has_main=has_main,
    )


def _public(token: re.Match[str], text: str) -> str:
    """What stands for a token in a text whose tests are called from outside."""
    if token["module"]:
        return f"pub mod {token['module']} {{"
    if not token["function"]:
        return token[0] if token[0] in "{}" else ""
    is_called = RUST_MARK.search(token["attributes"]) or token["function"] == "main"
    head = f"pub fn {token['function']}" if is_called else token["head"]
    kept, at = "", token.start()
    for one in NOT_COMPILED.finditer(token.string, at, token.end("attributes")):
        kept, at = kept + text[at : one.start()], one.end()
    return kept + text[at : token.end("attributes")] + head


def _rust_test(path: str, token: re.Match[str], text: str) -> RustTest:
    if not PANIC.search(token["attributes"]):
        return RustTest(path=path)
    said = WORDS_OF_PANIC.search(text, token.start(), token.end())
    return RustTest(path=path, panics=True, words=said["words"] if said else '""')


WAITING = re.compile(
    r"(?<![.\w$])(?:await\b(?!\s*[:=,)])|async\s*\(|async\s+function\b|async\s+\w+\s*=>"
    r"|(?:setTimeout|setImmediate|setInterval|queueMicrotask)\s*\()"
    r"|\.\s*(?:nextTick|then|catch|finally)\s*\("
)


def unfit(language: str, tests: str) -> str:
    """What is wrong with tests that would fail, or pass, any answer; empty where nothing is."""
    reasons: Iterator[str] = iter(())
    if language == "go":
        reasons = _unfit_go(blanked(tests, "go"))
    elif language == "rust":
        reasons = _unfit_rust(rust_tests(tests))
    elif language in ("javascript", "typescript"):
        reasons = _unfit_javascript(tests)
    return next(reasons, "")


def _unfit_go(plain: str) -> Iterator[str]:
    if re.search(r"^[ \t]*func[ \t]+TestMain\b", plain, re.M):
        yield "define `TestMain`, which the judge does"
    if not GO_TEST.search(plain):
        yield "have no `func TestX(t *testing.T)`, and nothing else is called"


def _unfit_rust(tests: RustTests) -> Iterator[str]:
    if tests.num_lost:
        yield "mark something with `#[test]` that is not a plain function of a module"
    if not tests.marked and not tests.has_main:
        yield "have no function that is marked `#[test]` and no `fn main`"


def _unfit_javascript(tests: str) -> Iterator[str]:
    if re.search(r"""["'`]node:test["'`/]""", tests):
        yield "use `node:test`, which runs them when the program is over"
    if found := WAITING.search(blanked(tests, "javascript")):
        yield f"wait for something (`{found[0]}`), and whether that has come nothing can tell"
