"""Completions -> which of them are right: judged in a jail, or compared as text."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from finetune.evaluation.task_problems import ChosenTask
from finetune.generation.completion import Completion
from finetune.generation.prompts import answer_of
from finetune.jail import Backend, Limits, Verdict, judge, program
from finetune.run_folder import digest_of, whole_file


def verdicts_in(
    file: Path,
    task: ChosenTask,
    completions: Sequence[Completion],
    backend: Backend | None,
    limits: Limits,
) -> list[Verdict]:
    """A verdict per completion, in their order; `file` keeps them, and is read where it already
    holds those of the same completions.

    `backend` may be None for a task whose answers are compared as text.
    """
    stands_on: dict[str, object] = {
        "completions": digest_of([[*one.key, one.text] for one in completions]),
        "problems": digest_of([asdict(problem) for problem in task.problems]),
        "limits": asdict(limits),
        "jail": "" if backend is None or task.is_by_text else backend.name,
    }
    kept = _kept(file, stands_on)
    if kept is not None:
        return kept
    found = (
        _compared(task, completions)
        if task.is_by_text
        else _judged(task, completions, backend, limits)
    )
    with whole_file(file) as stream:
        stream.write(json.dumps(stands_on) + "\n")
        for completion, verdict in zip(completions, found, strict=True):
            line = {"id": completion.id, "sample": completion.sample, **asdict(verdict)}
            stream.write(json.dumps(line) + "\n")
    return found


def _kept(file: Path, stands_on: dict[str, object]) -> list[Verdict] | None:
    if not file.is_file():
        return None
    head, *lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    if head != stands_on:
        return None
    names = ("outcome", "reason", "output", "seconds")
    return [Verdict(**{name: line[name] for name in names}) for line in lines]


def _compared(task: ChosenTask, completions: Sequence[Completion]) -> list[Verdict]:
    truths = {problem.id: problem.solution.strip() for problem in task.problems}
    return [
        Verdict(outcome="passed" if one.text.strip() == truths[one.id] else "failed")
        for one in completions
    ]


def _judged(
    task: ChosenTask, completions: Sequence[Completion], backend: Backend | None, limits: Limits
) -> list[Verdict]:
    assert backend is not None, "found before a task that needs one is begun"
    problems = {problem.id: problem for problem in task.problems}
    programs = []
    for one in completions:
        head, answer = answer_of(task.name, problems[one.id], one.text)
        programs.append(program(problems[one.id], answer, head))
    return judge(programs, backend, limits=limits)
