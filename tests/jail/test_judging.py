"""One verdict per program: what passes, what does not, and what is said of it."""

import os
import time

import pytest

from finetune.jail import Limits, Program, judge, program
from finetune.tasks import Problem
from tests.jail.on_trial import GOOD, good_or


def one(backend, source, tests, given="", entry="f", **limits):
    made = Program(source=source, tests=tests, given=given, entry=entry)
    return judge([made], backend, limits=Limits(**limits), workers=1)[0]


def problem(**fields):
    return Problem(task="t", id="t/1", origin="t/1", language="python", solution="", **fields)


def test_a_right_answer_passes(each_backend):
    assert (
        one(each_backend, "def f(x):\n    return x + 1\n", "assert f(1) == 2").outcome == "passed"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(x):\n    return x\n", "AssertionError"),
        ("def f(x:\n", "SyntaxError"),
        ("import nothing_like_it\n", "ModuleNotFoundError"),
        ("def g(x):\n    return 2\n", "NameError"),
        ("def f(x):\n    return [][1]\n", "IndexError"),
        ("class Own(Exception):\n    pass\ndef f(x):\n    raise Own('so')\n", "Own: so"),
        ("import os\nos._exit(0)\n", "ended before its tests did"),
    ],
)
def test_a_wrong_answer_fails_with_its_reason(backend, source, reason):
    verdict = one(backend, source, "assert f(1) == 2")
    assert verdict.outcome == "failed"
    assert reason in verdict.reason


def test_an_endless_answer_is_timed_out(backend):
    verdict = one(backend, "def f(x):\n    while True:\n        pass\n", "f(1)", seconds=1)
    assert verdict.outcome == "timed out"


def test_tests_without_an_end_are_timed_out(backend):
    tests = "while True:\n    f(1)\n"
    assert one(backend, "def f(x):\n    return x\n", tests, seconds=1).outcome == "timed out"


def test_tests_that_hang_without_asking_are_timed_out(backend):
    verdicts = judge(
        [Program(source=GOOD, tests="while True: pass", entry="f"), good_or(GOOD)],
        backend,
        limits=Limits(seconds=1),
        workers=1,
    )
    assert [one.outcome for one in verdicts] == ["timed out", "passed"]


def test_tests_that_cannot_be_read_are_broken(backend):
    assert one(backend, GOOD, "assert f(").outcome == "broken"


def test_a_list_that_the_answer_changes_is_changed_for_the_tests(backend):
    tests = "a = [[3], 1]\nassert f(a) is None\nassert a == [1, [3, 4]]"
    source = "def f(a):\n    a[0].append(4)\n    a.reverse()\n"
    assert one(backend, source, tests).outcome == "passed"


def test_an_exception_that_the_tests_expect_reaches_them(backend):
    tests = (
        "try:\n    f(1)\nexcept ValueError as e:\n    assert 'no' in str(e)\nelse:\n    assert 0"
    )
    assert one(backend, "def f(x):\n    raise ValueError('no')\n", tests).outcome == "passed"


def test_an_exit_ends_no_loop_of_the_tests(backend):
    """`map` would take StopIteration for its end, and the wrong answer would never be seen."""
    tests = "for found in map(f, [1, 2]):\n    assert found == 0"
    assert one(backend, "def f(x):\n    raise StopIteration\n", tests).outcome == "failed"


def test_classes_of_the_answer_serve_the_tests(backend):
    source = (
        "class Node:\n    def __init__(self, x):\n        self.x, self.next = x, None\n"
        "def f(node):\n    return node.x + (f(node.next) if node.next else 0)\n"
    )
    tests = "root = Node(1)\nroot.next = Node(2)\nroot.next.next = Node(3)\nassert f(root) == 6"
    assert one(backend, source, tests).outcome == "passed"


def test_a_generator_of_the_answer_serves_the_tests(backend):
    source = "def f(n):\n    for x in range(n):\n        yield x\n"
    tests = "assert list(f(3)) == [0, 1, 2]\nassert next(f(2)) == 0"
    assert one(backend, source, tests).outcome == "passed"


def test_helpers_of_the_problem_are_the_problems_own(backend):
    given = "def poly(x):\n    return x\n"
    tests = "assert poly(f(1)) == 0"
    cheat = given + "def f(x):\n    return 1\ndef poly(x):\n    return 0\n"
    assert one(backend, cheat, tests, given).outcome == "failed"
    assert one(backend, given + "def f(x):\n    return 0\n", tests, given).outcome == "passed"


def test_modules_of_the_tests_are_real(backend):
    tests = "assert math.isclose(f(1), 2)"
    cheat = "class math:\n    isclose = lambda *a: True\ndef f(x):\n    return 0\n"
    assert one(backend, cheat, tests).outcome == "failed"
    assert one(backend, "import math\ndef f(x):\n    return 2.0\n", tests).outcome == "passed"


def test_a_completion_stands_between_prompt_and_suffix(backend):
    gap = problem(
        prompt="import math\ndef g(x):\n    return x\ndef f(x):\n    y = g(x)\n",
        suffix="    return y\n",
        tests="assert f(2) == 4 and g(1) == 1",
        entry_point="f",
    )
    made = program(gap, "    y *= 2\n")
    assert made.source == gap.prompt + "    y *= 2\n    return y\n"
    assert "def g" in made.given
    assert judge([made], backend)[0].outcome == "passed"


def test_verdicts_stand_in_the_order_of_their_programs(backend):
    sources = [f"import time\ntime.sleep({9 - n} / 50)\nprint({n})\n" + GOOD for n in range(10)]
    told = []
    verdicts = judge([good_or(one) for one in sources], backend, workers=3, told=told.append)
    assert [one.output.split()[0] for one in verdicts] == [str(n) for n in range(10)]
    assert told == list(range(1, 11))


def test_no_verdicts_for_no_programs(backend):
    assert judge([], backend) == []


def test_the_evaluators_environment_does_not_reach_the_process_for_tests(backend, monkeypatch):
    monkeypatch.setenv("SECRET_OF_HOST", "x")
    tests = "import os\nassert 'SECRET_OF_HOST' not in os.environ\nassert f(1) == 1"
    assert one(backend, "def f(x):\n    return x\n", tests).outcome == "passed"


def test_a_jail_ends_with_its_evaluator(backend):
    """Killed without a chance to clean up, the evaluator leaves no program running."""
    reading, writing = os.pipe()
    evaluator = os.fork()
    if evaluator == 0:
        os.close(reading)
        judge([Program(source="while True: pass", tests="f()", entry="f")], backend, workers=1)
        os._exit(0)
    os.close(writing)
    time.sleep(1.5)
    os.kill(evaluator, 9)
    os.waitpid(evaluator, 0)
    started = time.monotonic()
    assert os.read(reading, 1) == b"", "the pipe is open as long as one process of it lives"
    os.close(reading)
    assert time.monotonic() - started < 60
