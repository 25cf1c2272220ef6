"""HumanEvalPack (arXiv 2308.07124): HumanEval in six languages, each with a buggy answer too."""

from collections.abc import Sequence

from finetune.tasks.files import Row, Task
from finetune.tasks.problem import Problem

FILES = {
    "python": "humanevalpack/python.jsonl",
    "javascript": "humanevalpack/js.jsonl",
    "java": "humanevalpack/java.jsonl",
    "go": "humanevalpack/go.jsonl",
    "cpp": "humanevalpack/cpp.jsonl",
    "rust": "humanevalpack/rust.jsonl",
}


def _humanevalpack(files: Sequence[list[Row]]) -> list[Problem]:
    return [
        _problem(language, row) for language, rows in zip(FILES, files, strict=True) for row in rows
    ]


def _problem(language: str, row: Row) -> Problem:
    return Problem(
        task="humanevalpack",
        id=row["task_id"],
        origin=f"HumanEval/{row['task_id'].partition('/')[2]}",
        language=language,
        prompt=row["prompt"],
        solution=row["canonical_solution"],
        tests=row["test"],
        entry_point=row["entry_point"],
        signature=row["signature"],
        declaration=row["declaration"],
        part=language,
        instruction=row["instruction"],
        buggy=row["buggy_solution"],
        setup=row.get("test_setup", ""),
    )


HUMANEVALPACK = Task(tuple(FILES.values()), _humanevalpack)
