"""Programs in other languages pass when their tests have ended, and only then."""

import pytest

from finetune.jail import Limits, Program, judge
from finetune.jail.languages import LANGUAGES, not_run
from tests.jail.conftest import verdict_on

CPP_TESTS = "#include <cassert>\nint main() {\n    assert(f(2) == 4);\n    assert(f(3) == 9);\n}\n"
JAVA_TESTS = (
    "class Main { public static void main(String[] args) {\n"
    "if (new Solution().f(2) != 4 || new Solution().f(3) != 9) throw new AssertionError(); } }\n"
)
GO_TESTS = (
    "func TestSquare(t *testing.T) {\n    assert := assert.New(t)\n"
    "    assert.Equal(4, Square(2))\n    assert.Equal(9, Square(3))\n}\n"
)
RUBY_TESTS = (
    "require 'test/unit'\nclass TestSquare < Test::Unit::TestCase\n  def test_square\n"
    "    assert_equal(4, f(2))\n    assert_equal(9, f(3))\n  end\nend\n"
)
LUA_TESTS = (
    "lu = require('luaunit')\nfunction test_square()\n    lu.assertEquals(f(2), 4)\n"
    "    lu.assertEquals(f(3), 9)\nend\nos.exit(lu.LuaUnit.run())"
)
TESTS = {
    "typescript": "console.assert(f(2) === 4)\nconsole.assert(f(3) === 9)\n",
    "javascript": "console.assert(f(2) === 4)\nconsole.assert(f(3) === 9)\n",
    "cpp": CPP_TESTS,
    "java": JAVA_TESTS,
    "rust": "fn main() {\n    assert_eq!(f(2), 4);\n    assert_eq!(f(3), 9);\n}\n",
    "go": GO_TESTS,
    "ruby": RUBY_TESTS,
    "lua": LUA_TESTS,
    "r": "test <- function() {\n    stopifnot(isTRUE(all.equal(f(2), 4)))\n"
    "    stopifnot(isTRUE(all.equal(f(3), 9)))\n}\ntest()",
    "php": "if (f(2) !== 4 || f(3) !== 9) { throw new Exception('no'); }\n",
    "perl": "if (f(2) != 4 || f(3) != 9) { exit 1; }\n",
    "shell": "set -e\n[[ $(f 2) = 4 ]]\n[[ $(f 3) = 9 ]]\n",
}
ANSWERS = {
    "typescript": "const f = (x: number): number => { BODY }",
    "javascript": "const f = (x) => { BODY }",
    "cpp": "#include <cstdlib>\n#include <cstdio>\n#include <unistd.h>\nint f(int x) { BODY }",
    "java": "class Solution { int f(int x) { BODY } }",
    "rust": "fn f(x: i32) -> i32 { BODY }",
    "go": 'package main\n\nimport (\n    "os"\n)\n\nfunc Square(x int) int { BODY }',
    "ruby": "def f(x)\n BODY\nend",
    "lua": "local function f(x)\n BODY\nend",
    "r": "f <- function(x) { BODY }",
    "php": "<?php\nfunction f($x) { BODY }",
    "perl": "sub f { my ($x) = @_; BODY }",
    "shell": "f() { local x=$1; BODY; }",
}
RIGHT = {
    "ruby": "return x * x",
    "lua": "return x * x",
    "r": "return(x * x)",
    "php": "return $x * $x;",
    "perl": "return $x * $x;",
    "shell": "echo $((x * x))",
}
WRONG = {
    "ruby": "0",
    "lua": "return 0",
    "r": "0",
    "php": "return 0;",
    "perl": "return 0;",
    "shell": "echo 0",
}
LEAVING = {
    "typescript": "(globalThis as any).process.exit(0);",
    "javascript": "process.exit(0);",
    "cpp": "_exit(0);",
    "java": "System.exit(0); return 0;",
    "rust": "std::process::exit(0)",
    "go": "os.Exit(0); return 0",
    "ruby": "exit!(0)",
    "lua": "os.exit(0)",
    "r": "quit(status = 0)",
    "php": "exit(0);",
    "perl": "exit 0;",
    "shell": "exit 0",
}
FORGING = {
    "typescript": "console.log('passed'); (globalThis as any).process.exit(0);",
    "javascript": "console.log('passed'); process.exit(0);",
    "cpp": 'puts("passed"); fflush(stdout); _exit(0);',
    "java": 'System.out.println("passed"); System.exit(0); return 0;',
    "rust": 'println!("passed"); std::process::exit(0)',
    "go": 'os.Stdout.WriteString("PASS\\n"); os.Exit(0); return 0',
    "ruby": "puts 'passed'; $stdout.flush; exit!(0)",
    "lua": "print('passed'); os.exit(0)",
    "r": "cat('passed'); quit(status = 0)",
    "php": "echo 'passed'; exit(0);",
    "perl": "print 'passed'; exit 0;",
    "shell": "echo passed >&2; exit 0",
}


@pytest.fixture(params=sorted(LANGUAGES))
def language(request, backend):
    if reason := not_run(request.param):
        pytest.skip(reason)
    return request.param


def judged(backend, language, body, before="", **limits):
    source = before + ANSWERS[language].replace("BODY", body)
    made = Program(source=source, tests=TESTS[language], language=language)
    return judge([made], backend, limits=Limits(**limits), workers=1)[0]


def test_every_language_is_tried():
    assert set(LANGUAGES) == set(TESTS) == set(ANSWERS) == set(LEAVING) == set(FORGING)


def test_a_right_answer_passes(backend, language):
    verdict = judged(backend, language, RIGHT.get(language, "return x * x;"))
    assert (verdict.outcome, verdict.reason) == ("passed", "")


SQUARE = "f() { echo $(($1 * $1)); }"


@pytest.mark.parametrize(
    ("source", "tests"),
    [
        ("f() { local n=0; for i in 1 2; do ((n++)); done; echo $(($1 * $1)); }", "set -e\n"),
        ("f() { grep -c x </dev/null >/dev/null; echo $(($1 * $1)); }", "set -e\n"),
        (SQUARE, "if ! declare -F f >/dev/null; then\n  f() { echo none; }\nfi\nset -e\n"),
        (SQUARE, "set -e\n(\n  f() { echo 5; }\n  [ $(f 1) = 5 ]\n)\n"),
        (SQUARE, "set -e\n: <<EOF\nf() { echo no; }\nEOF\n"),
    ],
    ids=["a step of no success", "nothing found", "guarded", "in a subshell", "in a text"],
)
def test_a_right_function_of_the_shell_passes(backend, source, tests):
    verdict = verdict_on(backend, "shell", source, f"{tests}[ $(f 3) = 9 ]\n")
    assert verdict.outcome == "passed"


@pytest.mark.parametrize("before", ["", "#!/usr/bin/env php\n"])
@pytest.mark.parametrize(
    "first",
    [
        "declare(strict_types=1);",
        "/* A\n   square. */\n// Of x.\ndeclare( strict_types = 1 ); namespace Squares;",
        "namespace Squares;",
    ],
)
def test_what_php_wants_first_in_a_file_stays_first(backend, first, before):
    if reason := not_run("php"):
        pytest.skip(reason)
    source = f"{before}<?php\n\n{first}\nfunction f($x) {{ return $x * $x; }}\n"
    tests = "if (f(3) !== 9) { throw new \\Exception('no'); }\n"
    made = [Program(source=one, tests=tests, language="php") for one in (source, source + "exit;")]
    assert [one.outcome for one in judge(made, backend, workers=1)] == ["passed", "failed"]


BEFORE = {
    "rust": "//! Squares.\n#![allow(\n    dead_code,\n)]\n// More.\n#![allow(unused)]\n",
    "go": "//go:build linux\n\n",
}


@pytest.mark.parametrize("name", BEFORE)
def test_what_stands_before_all_else_in_a_file_stays_there(backend, name):
    if reason := not_run(name):
        pytest.skip(reason)
    assert judged(backend, name, "return x * x;", before=BEFORE[name]).outcome == "passed"


@pytest.mark.parametrize(("body", "outcome"), [("$x * $x", "passed"), ("0", "failed")])
def test_php_that_is_closed_is_judged(backend, body, outcome):
    source = f"<?php\nfunction f($x) {{ return {body}; }}\n?>\n"
    assert verdict_on(backend, "php", source, TESTS["php"]).outcome == outcome


def test_a_wrong_answer_fails(backend, language):
    assert judged(backend, language, WRONG.get(language, "return 0;")).outcome == "failed"


def test_leaving_with_success_before_the_tests_end_fails(backend, language):
    if language == "shell":  # `$(f 2)` is a process of its own: outside it, before the tests
        made = Program(source="exit 0\n", tests=TESTS["shell"], language="shell")
        assert judge([made], backend, workers=1)[0].outcome == "failed"
    assert judged(backend, language, LEAVING[language]).outcome == "failed"


def test_printing_what_looks_like_success_fails(backend, language):
    assert judged(backend, language, FORGING[language]).outcome == "failed"


def test_what_does_not_compile_fails_with_the_compilers_words(backend):
    if reason := not_run("cpp"):
        pytest.skip(reason)
    verdict = judged(backend, "cpp", "return y;")
    assert verdict.outcome == "failed"
    assert "was not declared" in verdict.output


def test_an_endless_program_is_timed_out(backend):
    if reason := not_run("javascript"):
        pytest.skip(reason)
    verdict = judged(backend, "javascript", "while (true) {}", seconds=1)
    assert verdict.outcome == "timed out"


def test_an_assertion_of_the_console_that_the_answer_replaces_still_counts(backend):
    if reason := not_run("javascript"):
        pytest.skip(reason)
    cheat = "console.assert = () => {}; globalThis.console = {assert() {}};\n"
    assert judged(backend, "javascript", "return 0;", cheat).outcome == "failed"


def test_assertions_of_node_cannot_be_replaced(backend):
    if reason := not_run("javascript"):
        pytest.skip(reason)
    cheat = "require('node:assert').deepEqual = () => {};\nconst f = (x) => 0;\n"
    tests = "const assert = require('node:assert');\nassert.deepEqual(f(2), 4);\n"
    made = Program(source=cheat, tests=tests, language="javascript")
    assert judge([made], backend, workers=1)[0].outcome == "failed"


def test_a_language_without_toolchain_is_named(backend):
    made = Program(source="", tests="", language="racket")
    (verdict,) = judge([made], backend, workers=1)
    assert verdict.outcome == "broken"
    assert verdict.reason == "not run: racket: there is no runner for it"
