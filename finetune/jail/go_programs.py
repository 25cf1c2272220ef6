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

IMPORTS = re.compile(
    r'^import[ \t]*(?:\((?P<many>[^)]*)\)|(?P<one>(?:[\w.]+[ \t]+)?"[^"\n]+"))', re.M
)
ONE_IMPORT = re.compile(r'(?:^|;)[ \t]*(?P<name>[\w.]+[ \t]+)?"(?P<path>[^"\n]+)"', re.M)
PACKAGE = re.compile(r"^package[ \t]+(\w+)[^\n]*\n", re.M)
NO_CODE = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])+'""", re.S
)
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

var begun_MARK int

func TestMain(m *testing.M) {
	code, out, in := m.Run(), os.Stdout, os.Stdin
	if code == 0 && begun_MARK == NUMBER && NUMBER > 0 {
		number, _ := io.ReadAll(in)
		fmt.Fprintf(out, "\\n%s MARK\\n", strings.TrimSpace(string(number)))
	}
	os.Exit(code)
}
"""
TEST = re.compile(r"^func[ \t]+Test\w*[ \t]*\([^)]*\)[ \t]*\{", re.M)
"""Each counts itself: `go test` calls it a success where it has found none, or was told to skip."""
OWN_TRUTH = "\nconst true = 0 == 0\nconst false = 0 != 0\n"
"""The same as ever, and an answer in the same package that has others does not compile."""


def whole(source: str, tests: str, mark: str) -> dict[str, str]:
    """Files by their paths."""
    found = PACKAGE.search(source)
    package = found.group(1) if found else "main"
    imports, code = _without_imports(PACKAGE.sub("", source, count=1), at_head=package != "main")
    more, tests = _without_imports(PACKAGE.sub("", tests, count=1), at_head=False)
    number = len(TEST.findall(tests))
    tests = TEST.sub(lambda found: f"{found[0]} begun_{mark}++;", tests)
    imports = {**imports, **more}
    if package == "main":
        imports = {**{path: path.rpartition("/")[2] for path in KNOWN}, **imports}
    plain = NO_CODE.sub(" ", code)
    apart = _apart(plain, tests)
    if apart:
        package, judging, name = "answer", "answer_test", "answer/answer.go"
    else:
        judging, name = package, f"answer/answer{'_test' * package.endswith('_test')}.go"
    head = f"package {judging}\n\n" + ('import . "jail/answer"\n' if apart else "")
    head += _used(imports, NO_CODE.sub(" ", tests))
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


def _without_imports(text: str, *, at_head: bool) -> tuple[dict[str, str], str]:
    """Paths with the names that they go by, and the rest; `at_head`: those that stand where Go
    takes them, before the first declaration."""
    declared = DECLARATION.search(text) if at_head else None
    end = declared.start() if declared else len(text)
    head, rest = text[:end], text[end:]
    paths = {}
    for found in IMPORTS.finditer(head):
        for one in ONE_IMPORT.finditer(found["many"] or found["one"]):
            path = one["path"]
            paths[path] = (one["name"] or path.rpartition("/")[2]).strip()
    return paths, IMPORTS.sub("", head) + rest


def _used(imports: dict[str, str], plain: str) -> str:
    """Import lines for what is used in code without comments and strings."""
    lines = [
        f'import {name} "{path}"'
        for path, name in imports.items()
        if name in ("_", ".") or re.search(rf"(?<![\w.]){re.escape(name)}\s*\.", plain)
    ]
    return "\n".join(lines)


def _apart(plain: str, tests: str) -> bool:
    """Whether tests can do without everything in the answer that is not exported."""
    return not any(re.search(rf"\b{name}\b", tests) for name in DECLARED.findall(plain))
