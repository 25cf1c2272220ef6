"""The rule on HumanEval and MBPP themselves, and on code that has nothing to do with them."""

import json
import re
import sysconfig
from pathlib import Path

import pytest

from finetune.corpus.contamination import contamination_index, short_solutions
from finetune.tasks import load


@pytest.fixture(scope="module")
def benchmarks(shared):
    return shared / "data" / "benchmarks"


@pytest.fixture(scope="module")
def humaneval(benchmarks):
    return load("humaneval", benchmarks)


@pytest.fixture(scope="module")
def mbpp(benchmarks):
    return load("mbpp", benchmarks)


@pytest.fixture(scope="module")
def index(humaneval, mbpp):
    return contamination_index([*humaneval, *mbpp])


def test_as_many_answers_are_short_as_published(humaneval, mbpp):
    short = short_solutions([*humaneval, *mbpp])
    assert {task: len(ids) for task, ids in short.items()} == {"humaneval": 36, "mbpp": 160}


def reformatted(code):
    """Tabs, double quotes, blank lines, and a line break behind each comma and bracket."""
    code = code.replace("    ", "\t").replace("'", '"').replace("\n", "\r\n\r\n")
    return re.sub(r"([,(\[{]) ?", r"\1\n\t\t", code)


def test_every_long_answer_is_found_verbatim_and_reformatted(humaneval, mbpp, index):
    problems = [*humaneval, *mbpp]
    short = {id_ for ids in short_solutions(problems).values() for id_ in ids}
    long = [problem for problem in problems if problem.id not in short]
    assert len(long) == 164 - 36 + 974 - 160
    missed = [
        problem.id
        for problem in long
        for text in (problem.solution, reformatted(problem.solution), json.dumps(problem.solution))
        if index.hit(f"x = 1\n{text}\nx = 2\n") is None
    ]
    assert missed == []


def test_every_short_answer_is_found_behind_its_signature(humaneval, index):
    short = set(short_solutions(humaneval)["humaneval"])
    answers = [one for one in humaneval if one.id in short]
    assert [one.id for one in answers if index.hit(one.solution) is not None] == []
    assert [one.id for one in answers if index.hit(one.signature + one.solution) is None] == []


def test_every_prompt_and_all_tests_are_found_alone(humaneval, mbpp, index):
    texts = [text for one in (*humaneval, *mbpp) for text in (one.prompt, one.tests)]
    assert [text for text in texts if index.hit(text) is None] == []


@pytest.mark.parametrize("task", ["humanevalpack", "multipl_e"])
def test_other_languages_are_found(benchmarks, task):
    problems = load(task, benchmarks)
    own = contamination_index(problems)
    assert [one.id for one in problems if own.hit(one.tests) is None] == []
    assert [one.id for one in problems if own.hit(one.prompt) is None] == []


def test_no_file_of_the_standard_library_is_a_hit(index):
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [file for file in sorted(root.rglob("*.py")) if "site-packages" not in file.parts]
    texts = {file: file.read_bytes().decode("utf-8", "replace") for file in files[:800]}
    assert len(texts) > 500
    assert [str(file) for file, text in texts.items() if index.hit(text) is not None] == []
