"""Go answers pass where the tests that Go itself would run pass, whatever is around them."""

import pytest

from tests.jail.conftest import verdict_on

HEAD = 'package squares_test\n\nimport (\n "testing"\n "fmt"\n)\n\n'
ANSWER = HEAD + "func square(x int) int { return x * x }\n"
TESTS = 'func TestSquare(t *testing.T) { if fmt.Sprint(square(3)) != "9" { t.Fatal("no") } }\n'
MAIN = 'package main\n\nimport (\n "testing"\n)\n\n'
MAIN_TESTS = 'func TestSquare(t *testing.T) { if Square(3) != 9 { t.Fatal("no") } }\n'


def verdict(backend, source, tests):
    return verdict_on(backend, "go", source, tests)


@pytest.mark.parametrize(
    "around",
    [
        "func Testify(t *testing.T) {}\n" + TESTS,
        "func Testable(t *testing.T) bool { return true }\n" + TESTS,
        TESTS + "func Testsame(t *testing.T, a, b int) { if a != b { t.Fatal(a) } }\n",
        "/*\nfunc TestOld(t *testing.T) {\n}\n*/\n" + TESTS,
        "var text = `\nfunc TestOld(t *testing.T) {\n`\n" + TESTS,
        TESTS + "func TestBoth(t *testing.T) { TestSquare(t) }\n",
        "  " + TESTS,
        "var text = `\n//go:build no\n`\n"
        + TESTS.replace("{ if", "{ if len(text) != 15 { t.Fatal(text) }; if"),
        TESTS.replace("(t *testing.T)", "(\n  t *testing.T,\n)"),
    ],
)
def test_what_go_runs_is_what_has_to_begin(backend, around):
    assert verdict(backend, ANSWER, around).outcome == "passed"
    assert verdict(backend, ANSWER.replace("x * x", "x"), around).outcome == "failed"


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        (
            'package main\nfunc main() { if Square(2) != 4 { panic("no") } }\n',
            "have no `func TestX",
        ),
        ('func testSquare(t *testing.T) { t.Fatal("no") }\n', "have no `func TestX"),
        ("func ExampleSquare() {\n fmt.Println(1)\n // Output: 9\n}\n", "have no `func TestX"),
        ("func TestMain(m *testing.M) {}\n" + TESTS, "define `TestMain`"),
    ],
)
def test_tests_that_would_fail_every_answer_are_not_run_with_a_reason(backend, tests, reason):
    found = verdict(backend, MAIN + "func Square(x int) int { return x * x }", tests)
    assert (found.outcome, found.reason.partition(reason)[0]) == ("broken", "not run: its tests ")


@pytest.mark.parametrize("word", ["type", "func", "var"])
def test_a_declaration_in_a_comment_hides_no_imports(backend, word):
    source = ANSWER.replace("import (", f"/*\n{word} of answer: int (a number)\n*/\nimport (")
    assert verdict(backend, source, TESTS).outcome == "passed"


def test_a_variable_that_is_called_like_a_package_imports_none(backend):
    source = (
        MAIN + "type point struct{ x int }\nfunc Square(x int) int {\n time := point{x}\n"
        " return time.x * x\n}\n"
    )
    assert verdict(backend, source, MAIN_TESTS).outcome == "passed"


@pytest.mark.parametrize("late", ["", '\nimport "os"\n'], ids=["right", "late import"])
def test_an_import_behind_a_declaration_is_go_s_own_error(backend, late):
    source = f"package squares_test\nfunc square(x int) int {{ return x * x }}\n{late}"
    tests = (
        'import "testing"\nfunc TestSquare(t *testing.T) { if square(3) != 9 { t.Fatal("no") } }\n'
    )
    assert verdict(backend, source, tests).outcome == ("failed" if late else "passed")
