"""Tests that could tell no right answer from a wrong one are known before anything runs."""

import pytest

from finetune.tasks import load
from finetune.tasks.runnable import blanked, unfit


@pytest.mark.parametrize(
    "tests",
    [
        "(async () => { assert.deepEqual(await f(2), 4); })();",
        "f(2).then((x) => assert.equal(x, 4));",
        "setTimeout(() => assert.equal(f(2), 4), 0);",
        "process.nextTick(() => assert.equal(f(2), 4));",
        "async function main() { assert.equal(f(2), 4) }\nmain();",
        "const go = async x => assert.equal(f(x), 4);\ngo(2);",
    ],
)
@pytest.mark.parametrize("language", ["javascript", "typescript"])
def test_tests_that_wait_are_unfit(language, tests):
    assert "wait for something" in unfit(language, tests)


@pytest.mark.parametrize("line", ["const { test } = require('node:test');", 'import "node:test";'])
def test_tests_that_run_when_the_program_is_over_are_unfit(line):
    assert "node:test" in unfit("javascript", line)


def test_words_in_comments_and_strings_are_no_waiting():
    tests = "// await\n/* async */ assert.equal(f('await'), `${async}`, \".then()\");\n"
    assert unfit("javascript", tests) == ""


@pytest.mark.parametrize(
    "code", ["{async: true}", "opts.async", "{ setTimeout: go }", "{await: 1}"]
)
def test_names_of_properties_are_no_waiting(code):
    assert unfit("javascript", f"assert.equal(f({code}), 4);\n") == ""


@pytest.mark.parametrize(
    ("language", "text", "left"),
    [
        ("rust", "a /* b /* c */ d */ e", "a                   e"),
        ("rust", "a r#\"b\"#; 'c'; '\\''; x::<'d>", "a       ;    ;     ; x::<'d>"),
        ("rust", 'a "\\"b" c // d', "a       c     "),
        ("go", "a `b\n` c /* d\n */ e", "a   \n  c     \n    e"),
    ],
)
def test_what_is_code_stays_where_it_was(language, text, left):
    assert blanked(text, language) == left


@pytest.mark.parametrize("task", ["humanevalpack", "multipl_e", "santacoder_fim"])
def test_every_benchmark_s_tests_are_fit(shared, task):
    problems = load(task, shared / "data" / "benchmarks")
    assert {one.id: why for one in problems if (why := unfit(one.language, one.tests))} == {}
