"""Go's answers and tests -> a module of files for `go test -c`, without network.

Tests stand in a file of their own, so that no open comment or string of an answer swallows them.
Where the answer's functions are exported they stand in a package of their own, too: what an answer
calls `true` or `int` is then nothing to them.

A file that imports what it does not use does not compile, and one file is cut in two here: each
half imports what it uses. As BigCode's harness does it for HumanEvalPack (`package main`), the
packages that it names are imported where the answer uses them without saying so.
"""

import re

from finetune.jail.stand_ins import stand_in
from finetune.tasks.runnable import GO_TEST, blanked

IMPORTS = re.compile(
    r'^import[ \t]*(?:\((?P<many>[^)]*)\)|(?P<one>(?:[\w.]+[ \t]+)?"[^"\n]+"))', re.M
)
ONE_IMPORT = re.compile(r'(?:^|;)[ \t]*(?P<name>[\w.]+[ \t]+)?"(?P<path>[^"\n]+)"', re.M)
BUILD = re.compile(r"^//(?:go:build| \+build)\b[^\n]*\n", re.M)
"""Where a file is compiled; the halves of one are, wherever they are judged."""
PACKAGE = re.compile(r"^package[ \t]+(\w+)[^\n]*\n", re.M)
DECLARED = re.compile(r"^(?:func|var|const|type)[ \t]+([a-z_]\w*)", re.M)
DECLARATION = re.compile(r"^(?:func|var|const|type)\b", re.M)
TESTIFY = "github.com/stretchr/testify"
KNOWN = (
    f"bytes crypto/md5 fmt math math/rand regexp sort strconv strings time testing {TESTIFY}/assert"
).split()
"""Packages that are imported unsaid in `package main`."""
MODULE = f"module jail\n\ngo 1.18\n\nrequire {TESTIFY} v0.0.0\n\nreplace {TESTIFY} => ./testify\n"
JUDGE = """package PACKAGE

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

var begun_MARK [NUMBER]bool

func TestMain(m *testing.M) {
	code, out, in := m.Run(), os.Stdout, os.Stdin
	all := NUMBER > 0
	for _, one := range begun_MARK {
		all = all && one
	}
	if code == 0 && all {
		number, _ := io.ReadAll(in)
		fmt.Fprintf(out, "\\n%s MARK\\n", strings.TrimSpace(string(number)))
	}
	os.Exit(code)
}
"""
"""Each test says that it began: where some were skipped `go test` calls it a success, too."""
OWN_TRUTH = "\nconst true = 0 == 0\nconst false = 0 != 0\n"
"""The same as ever, and an answer in the same package that has others does not compile."""


def whole(source: str, tests: str, mark: str) -> dict[str, str]:
    """Files by their paths."""
    source, package = _without_package(source)
    imports, code = _without_imports(source, at_head=package != "main")
    more, tests = _without_imports(_without_package(tests)[0], at_head=False)
    if package == "main":
        imports = {path: path.rpartition("/")[2] for path in KNOWN} | imports
    imports |= more
    plain, plain_tests = blanked(code, "go"), blanked(tests, "go")
    tests, number = _counted(tests, plain_tests, mark)
    apart = _apart(plain, tests)
    if apart:
        package, judging, name = "answer", "answer_test", "answer/answer.go"
    else:
        judging, name = package, f"answer/answer{'_test' * package.endswith('_test')}.go"
    head = f"package {judging}\n\n" + ('import . "jail/answer"\n' if apart else "")
    head += _used(imports, plain_tests)
    truth = "" if apart else OWN_TRUTH
    judge = JUDGE.replace("PACKAGE", judging).replace("MARK", mark)
    return {
        "go.mod": MODULE,
        "testify/go.mod": f"module {TESTIFY}\n\ngo 1.18\n",
        "testify/assert/assert.go": stand_in("assert.go"),
        name: f"package {package}\n\n{_used(imports, plain)}\n{code}\n",
        "answer/tests_test.go": f"{head}\n{tests}\n{truth}",
        "answer/judge_test.go": judge.replace("NUMBER", str(number)),
    }


def _without_package(text: str) -> tuple[str, str]:
    """The text without its package's line, and that package; `main` where it names none."""
    found = PACKAGE.search(blanked(text, "go"))
    if found is None:
        return text, "main"
    return BUILD.sub("", text[: found.start()]) + text[found.end() :], found[1]


def _without_imports(text: str, *, at_head: bool) -> tuple[dict[str, str], str]:
    """Paths with the names that they go by, and the rest; `at_head`: those that stand where Go
    takes them, before the first declaration."""
    plain, with_paths = blanked(text, "go"), blanked(text, "go", strings=False)
    declared = DECLARATION.search(plain) if at_head else None
    paths, rest, at = {}, "", 0
    for found in IMPORTS.finditer(with_paths, 0, declared.start() if declared else len(text)):
        if not plain.startswith("import", found.start()):
            continue  # a line of a string
        for one in ONE_IMPORT.finditer(found["many"] or found["one"]):
            path = one["path"]
            paths[path] = (one["name"] or path.rpartition("/")[2]).strip()
        rest, at = rest + text[at : found.start()], found.end()
    return paths, rest + text[at:]


def _counted(tests: str, plain: str, mark: str) -> tuple[str, int]:
    """Tests that say that they began, each by its number, and how many they are."""
    parts, at, number = [], 0, 0
    for number, found in enumerate(GO_TEST.finditer(plain), start=1):
        parts.append(f"{tests[at : found.end()]} begun_{mark}[{number - 1}] = true;")
        at = found.end()
    return "".join([*parts, tests[at:]]), number


def _used(imports: dict[str, str], plain: str) -> str:
    """Import lines for what is used in code without comments and strings: what a package gives
    has a capital."""
    lines = [
        f'import {name} "{path}"'
        for path, name in imports.items()
        if name in ("_", ".")
        or re.search(rf"(?<![\w.]){re.escape(name)}\s*\.\s*[^\W\da-z_]", plain)
    ]
    return "\n".join(lines)


def _apart(plain: str, tests: str) -> bool:
    """Whether tests can do without everything in the answer that is not exported."""
    return not any(re.search(rf"\b{name}\b", tests) for name in DECLARED.findall(plain))
