"""Completions -> which of them are right: judged in a jail, or compared as text.

Verdicts stand in a file beside the completions, one a line, each with the digest of the problem
and the answer that it is about: what was judged, here or on another machine, is not judged again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from finetune.bars import Bar, make_bar
from finetune.errors import UserError
from finetune.evaluation.task_problems import ChosenTask
from finetune.generation.completion import Completion, Key
from finetune.generation.prompts import answer_of
from finetune.jail import Backend, Limits, Program, Verdict, judge, program
from finetune.run_folder import digest_of, whole_file

ENDING = ".completions.jsonl"
BY_TEXT = "compared as text"
KEPT_AFTER = 1000
"""Verdicts that a kill may cost."""
FIELDS = ("outcome", "reason", "output", "seconds")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict, and who gave it."""

    verdict: Verdict
    jail: str
    """Name of the back end, or `compared as text`."""
    stands_on: str
    """Digest of the problem and the answer."""


def verdicts_file(completions: Path) -> Path:
    """Where the verdicts on a file of completions stand: beside it."""
    return completions.with_name(completions.name.removesuffix(ENDING) + ".verdicts.jsonl")


def judged_before(
    file: Path, task: ChosenTask, completions: Sequence[Completion], limits: Limits
) -> dict[Key, Judgement]:
    """The verdicts of `file` that hold for these completions under these limits; a jail that broke
    has said nothing."""
    kept = read_verdicts(file, limits)
    digests = _digests(task, completions)
    return {
        key: one
        for key, one in kept.items()
        if one.stands_on == digests.get(key) and one.verdict.outcome != "broken"
    }


def judge_into(
    file: Path,
    task: ChosenTask,
    completions: Sequence[Completion],
    backend: Backend | None,
    limits: Limits,
) -> dict[Key, Judgement]:
    """A judgement per completion; `file` keeps them, and those that it holds are not made again.

    `backend` may be None where nothing is left to run.
    """
    known = judged_before(file, task, completions, limits)
    missing = [one for one in completions if one.key not in known]
    digests = _digests(task, missing)
    jail = BY_TEXT if task.is_by_text else backend.name if backend else ""
    bar = make_bar(f"{file.parent.name}: {task.name}: verdict", len(missing))
    for start in range(0, len(missing), KEPT_AFTER):
        some = missing[start : start + KEPT_AFTER]
        if task.is_by_text:
            found = _compared(task, some)
        else:
            assert backend is not None, "found before a task that needs one is judged"
            programs = _programs(task, some)
            tell = partial(_tell, bar, start, jail)
            found = judge(programs, backend, limits=limits, told=tell)
        for one, verdict in zip(some, found, strict=True):
            known[one.key] = Judgement(verdict=verdict, jail=jail, stands_on=digests[one.key])
        _write(file, {**read_verdicts(file, limits), **known}, limits)
    return {one.key: known[one.key] for one in completions}


def _tell(bar: Bar, before: int, jail: str, done: int) -> None:
    bar.at(before + done, jail)


def read_verdicts(file: Path, limits: Limits) -> dict[Key, Judgement]:
    """All verdicts of a file that were given under these limits, whatever they stand on.

    Raises UserError where the file is damaged.
    """
    if not file.is_file():
        return {}
    try:
        head, *lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
        if head["limits"] != asdict(limits):
            return {}
        return {
            (line["task"], line["id"], line["sample"]): Judgement(
                verdict=Verdict(**{name: line[name] for name in FIELDS}),
                jail=line["jail"],
                stands_on=line["stands_on"],
            )
            for line in lines
        }
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{file}: holds no verdicts ({error!r}); delete it to judge anew") from None


def _write(file: Path, judgements: Mapping[Key, Judgement], limits: Limits) -> None:
    with whole_file(file) as stream:
        stream.write(json.dumps({"limits": asdict(limits)}) + "\n")
        for (task, id_, sample), one in judgements.items():
            line = {
                "task": task,
                "id": id_,
                "sample": sample,
                **asdict(one.verdict),
                "jail": one.jail,
                "stands_on": one.stands_on,
            }
            stream.write(json.dumps(line) + "\n")


def _digests(task: ChosenTask, completions: Sequence[Completion]) -> dict[Key, str]:
    problems = {problem.id: digest_of(asdict(problem)) for problem in task.problems}
    return {one.key: digest_of([task.name, problems[one.id], one.text]) for one in completions}


def _compared(task: ChosenTask, completions: Sequence[Completion]) -> list[Verdict]:
    truths = {problem.id: problem.solution.strip() for problem in task.problems}
    return [
        Verdict(outcome="passed" if one.text.strip() == truths[one.id] else "failed")
        for one in completions
    ]


def _programs(task: ChosenTask, completions: Sequence[Completion]) -> list[Program]:
    problems = {problem.id: problem for problem in task.problems}
    programs = []
    for one in completions:
        head, answer = answer_of(task.name, problems[one.id], one.text)
        programs.append(program(problems[one.id], answer, head))
    return programs
