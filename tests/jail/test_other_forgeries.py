"""No wrong answer passes by what it does to its tests, in any language."""

import pytest

from finetune.jail import Limits, Program, judge
from finetune.jail.languages import not_run
from tests.jail.conftest import verdict_on
from tests.jail.other_forgeries import FORGERIES
from tests.jail.test_languages import LUA_TESTS, RUBY_TESTS, TESTS

PERL_TESTS = (
    "use Test::Deep;\nsub testall {\n    if (eq_deeply(f(2), 4)) { print 'ok!' } else { exit 1; }\n"
    "    if (eq_deeply(f(3), 9)) { print 'ok!' } else { exit 1; }\n}\ntestall();\n"
)
CPP_TESTS = (
    "#include <cassert>\n#include <vector>\nint main() {\n"
    "    auto candidate = f;\n    assert(candidate(2) == 4);\n    assert(candidate(3) == 9);\n"
    "    assert(std::vector<int>(1, candidate(2)) == std::vector<int>(1, 4));\n}\n"
)
RESOURCES = {"endless", "memory", "flood", "orphan"}
ASKED = {**TESTS, "perl": PERL_TESTS, "ruby": RUBY_TESTS, "lua": LUA_TESTS, "cpp": CPP_TESTS}


@pytest.mark.parametrize(
    ("language", "forgery"),
    [
        pytest.param(language, name, marks=[pytest.mark.slow] * (name in RESOURCES))
        for language, all_of_it in FORGERIES.items()
        for name in all_of_it
    ],
)
def test_no_forgery_passes(backend, language, forgery):
    if reason := not_run(language):
        pytest.skip(reason)
    made = Program(source=FORGERIES[language][forgery], tests=ASKED[language], language=language)
    verdict = judge([made], backend, limits=Limits(seconds=3), workers=1)[0]
    assert verdict.outcome in ("failed", "timed out"), verdict


@pytest.mark.parametrize(
    ("language", "source", "tests"),
    [
        (
            "rust",
            "fn Some(_: i32) -> Option<i32> { None }\nfn f(x: i32) -> Option<i32> { None }",
            "fn main() { assert_eq!(f(2), Some(4)); }\n",
        ),
        (
            "javascript",
            "JSON.stringify = () => '';\nfunction f(x) { return 0; }",
            "console.assert(JSON.stringify(f(2)) === JSON.stringify([4]));\n",
        ),
        (
            "shell",
            "candidate() { echo 4; }\nreadonly -f candidate\nf() { echo 0; }",
            "candidate() { f $1; }\n[[ $(candidate 2) = 4 ]]\n",
        ),
        (
            "shell",
            "run_test() { :; }\nreadonly -f run_test\nf() { echo 0; }",
            "set -e\nfunction run_test {\n    [[ $(f 2) = 4 ]]\n}\nrun_test\n",
        ),
    ],
)
def test_words_of_the_tests_are_not_the_answer_s(backend, language, source, tests):
    assert verdict_on(backend, language, source, tests).outcome == "failed"
