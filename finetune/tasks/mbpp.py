"""MBPP (arXiv 2108.07732), its hand-verified subset, and MBPP+ (2305.01210)."""

import re
from collections.abc import Sequence

from finetune.tasks.files import Row, Task
from finetune.tasks.humaneval import python_signature
from finetune.tasks.problem import Problem


def part_of(number: int) -> str:
    """The authors' split of the task ids 1 to 974; the subset and MBPP+ inherit it."""
    if number <= 10:
        return "prompt"
    if number <= 510:
        return "test"
    return "validation" if number <= 600 else "train"


def _mbpp(files: Sequence[list[Row]]) -> list[Problem]:
    return [_problem("mbpp", row, row["text"], row["test_setup_code"]) for row in files[0]]


def _mbpp_sanitized(files: Sequence[list[Row]]) -> list[Problem]:
    return [
        _problem("mbpp_sanitized", row, row["prompt"], "\n".join(row["test_imports"]))
        for row in files[0]
    ]


def _mbpp_plus(files: Sequence[list[Row]]) -> list[Problem]:
    # EvalPlus shows the model no links; 18 of its sentences have one.
    return [
        _problem(
            "mbpp_plus",
            row,
            re.sub(r"https?://\S+", "", row["prompt"]),
            "\n".join(row["test_imports"]),
            row["test"],
        )
        for row in files[0]
    ]


def _problem(task: str, row: Row, text: str, before: str, tests: str | None = None) -> Problem:
    """`before` stands between the answer and the tests: it may need the answer's classes."""
    first, code = row["test_list"][0], row["code"].replace("\r\n", "\n")
    entry = _entry_point(code, first)
    own = "\n".join(row["test_list"]) if tests is None else tests
    return Problem(
        task=task,
        id=f"Mbpp/{row['task_id']}",
        origin=f"Mbpp/{row['task_id']}",
        language="python",
        # As for InCoder and StarCoder: a doc string with the sentence and the first test.
        prompt=f'"""\n{text}\n{first}\n"""\n',
        solution=code,
        tests=f"{before}\n{own}\n".replace("\r\n", "\n").lstrip("\n"),
        entry_point=entry,
        signature=python_signature(code, entry),
        part=part_of(row["task_id"]),
        instruction=text,
    )


def _entry_point(code: str, test: str) -> str:
    """The function that the first test calls, among those that the answer defines."""
    defined = re.findall(r"^def (\w+)", code, re.M)
    called = re.findall(r"\w+", test)
    return next((name for name in reversed(defined) if name in called), "")


MBPP = Task(("mbpp/mbpp.jsonl",), _mbpp)
MBPP_SANITIZED = Task(("mbpp/sanitized-mbpp.json",), _mbpp_sanitized)

# The self-contained form of version 0.2.0: inputs and results stand in the code of the tests.
MBPP_PLUS = Task(("mbpp_plus/MbppPlus-OriginFmt.jsonl.gz",), _mbpp_plus)
