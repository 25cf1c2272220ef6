"""The benchmarks themselves: counts, and what they give for every problem."""

import ast
from collections import Counter

import pytest

from finetune.tasks import TASKS, available, load

COUNTS = {
    "humaneval": 164,
    "humaneval_plus": 164,
    "humaneval_infilling": 1033 + 5815 + 1640,
    "humaneval_infilling_light": 164,
    "mbpp": 974,
    "mbpp_sanitized": 427,
    "mbpp_plus": 378,
    "humanevalpack": 6 * 164,
    "multipl_e": 2864,
    "santacoder_fim": 1043 + 1969 + 1780,
}


@pytest.fixture(scope="session")
def benchmarks(shared):
    return shared / "data" / "benchmarks"


def test_every_task_is_available(benchmarks):
    assert available(benchmarks) == list(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_every_problem_is_read_under_a_name_of_its_own(benchmarks, name):
    problems = load(name, benchmarks)
    assert len(problems) == len({problem.id for problem in problems}) == COUNTS[name]
    assert {problem.task for problem in problems} == {name}
    assert all(problem.prompt and problem.tests for problem in problems)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("mbpp", {"prompt": 10, "test": 500, "validation": 90, "train": 374}),
        ("mbpp_sanitized", {"prompt": 7, "test": 257, "validation": 43, "train": 120}),
        ("humaneval_infilling", {"single_line": 1033, "multi_line": 5815, "random_span": 1640}),
        ("santacoder_fim", {"python": 1043, "javascript": 1969, "java": 1780}),
    ],
)
def test_parts_have_the_published_sizes(benchmarks, name, parts):
    assert Counter(problem.part for problem in load(name, benchmarks)) == parts


# Some answers of MBPP write `'\w'` where they mean `r'\w'`.
@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
@pytest.mark.parametrize("name", ["humaneval", "mbpp", "mbpp_sanitized"])
def test_the_entry_point_is_a_function_of_the_whole_program(benchmarks, name):
    for problem in load(name, benchmarks):
        tree = ast.parse(f"{problem.setup}{problem.whole}\n{problem.tests}")
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert problem.entry_point in functions, problem.id
        assert problem.signature.startswith("def "), problem.id


def test_every_gap_restores_its_problem_but_for_blank_space(benchmarks):
    wholes = {problem.id: problem.whole.split() for problem in load("humaneval", benchmarks)}
    gaps = load("humaneval_infilling", benchmarks)
    assert {gap.origin for gap in gaps} == wholes.keys()
    assert [gap.id for gap in gaps if gap.whole.split() != wholes[gap.origin]] == []


def test_evalplus_prompts_hold_no_links(benchmarks):
    assert any("http" in problem.prompt for problem in load("mbpp_sanitized", benchmarks))
    assert not any("http" in problem.prompt for problem in load("mbpp_plus", benchmarks))
