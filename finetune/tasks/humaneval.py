"""HumanEval (arXiv 2107.03374), its infilling variants (2207.14255) and HumanEval+ (2305.01210)."""

import re
from collections.abc import Sequence

from finetune.tasks.files import Row, Task
from finetune.tasks.problem import Problem

INFILLING_PARTS = ("single_line", "multi_line", "random_span")


def python_signature(code: str, name: str) -> str:
    """`def name(...) -> ...:` as `code` writes it, or empty where `code` does not define it."""
    head = re.search(rf"^[ \t]*(def {re.escape(name)}[ \t]*\(.*?\)[^:\n]*:)", code, re.M | re.S)
    return head[1] if head else ""


def _humaneval(files: Sequence[list[Row]]) -> list[Problem]:
    return [_problem("humaneval", row) for row in files[0]]


def _humaneval_plus(files: Sequence[list[Row]]) -> list[Problem]:
    return [_problem("humaneval_plus", row) for row in files[0]]


def _humaneval_infilling(files: Sequence[list[Row]]) -> list[Problem]:
    return [
        _problem("humaneval_infilling", row, part)
        for part, rows in zip(INFILLING_PARTS, files, strict=True)
        for row in rows
    ]


def _humaneval_infilling_light(files: Sequence[list[Row]]) -> list[Problem]:
    return [_problem("humaneval_infilling_light", row, "random_span") for row in files[0]]


def _problem(task: str, row: Row, part: str = "") -> Problem:
    prompt, solution, suffix = row["prompt"], row["canonical_solution"], row.get("suffix")
    entry = row["entry_point"]
    return Problem(
        task=task,
        id=row["task_id"],
        # `HumanEval/0`, and in the names of gaps `SingleLineInfilling/HumanEval/0/L0`.
        origin=re.findall(r"HumanEval/\d+", row["task_id"])[0],
        language="python",
        prompt=prompt,
        solution=solution,
        suffix=suffix,
        # The benchmark defines `check` and leaves the call to whoever runs it.
        tests=f"{row['test']}\ncheck({entry})\n",
        entry_point=entry,
        signature=python_signature(prompt + solution + (suffix or ""), entry),
        part=part,
    )


HUMANEVAL = Task(("humaneval/HumanEval.jsonl.gz",), _humaneval)

# The self-contained form of version 0.1.10: inputs and results stand in the code of the tests.
HUMANEVAL_PLUS = Task(("humaneval_plus/HumanEvalPlus-OriginFmt.jsonl.gz",), _humaneval_plus)

HUMANEVAL_INFILLING = Task(
    (
        "humaneval_infilling/HumanEval-SingleLineInfilling.jsonl.gz",
        "humaneval_infilling/HumanEval-MultiLineInfilling.jsonl.gz",
        "humaneval_infilling/HumanEval-RandomSpanInfilling.jsonl.gz",
    ),
    _humaneval_infilling,
)

# One random span of each problem, for those who cannot run all 8,488 gaps.
HUMANEVAL_INFILLING_LIGHT = Task(
    ("humaneval_infilling/HumanEval-RandomSpanInfillingLight.jsonl.gz",),
    _humaneval_infilling_light,
)
