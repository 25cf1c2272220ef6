"""A task as the recipe chooses it -> the problems that can be run here, and what cannot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.errors import UserError
from finetune.generation.sampling import Sampling
from finetune.generation.task_settings import settings_of
from finetune.jail.languages import not_run
from finetune.recipe.evaluation import TaskChoice
from finetune.tasks import Problem, load
from finetune.tasks.own import read_own

BY_TEXT = frozenset({"santacoder_fim"})
"""Tasks whose answers are compared with the benchmark's own, as stripped text; nothing is run."""

OVERRIDES = ("samples", "temperature", "top_p", "max_new_tokens")


@dataclass(frozen=True, kw_only=True)
class ChosenTask:
    """What a model is asked."""

    name: str
    problems: Sequence[Problem]
    sampling: Sampling
    not_run: Sequence[tuple[str, str]] = ()
    """What of it cannot be run here, and why."""

    @property
    def is_by_text(self) -> bool:
        return self.name in BY_TEXT


def chosen_task(choice: TaskChoice, benchmarks: Path | None) -> ChosenTask:
    """Raises UserError where the task is not known or not here, or nothing is left of it."""
    problems, left_out = _runnable(choice.name, _selected(choice, benchmarks))
    problems = problems[: choice.problems]
    if not problems:
        why = "; ".join(reason for _, reason in left_out) or "no problem has those parts, languages"
        raise UserError(f"{choice.name}: nothing is left to run: {why}")
    stated = {name: getattr(choice, name) for name in OVERRIDES}
    sampling = settings_of(choice.name).sampling
    sampling = replace(sampling, **{n: v for n, v in stated.items() if v is not None})
    if sampling.temperature == 0:
        sampling = replace(sampling, samples=1)  # all of them would be the same
    return ChosenTask(name=choice.name, problems=problems, sampling=sampling, not_run=left_out)


def _selected(choice: TaskChoice, benchmarks: Path | None) -> list[Problem]:
    if choice.file is not None:
        found = read_own(Path(choice.file), choice.name)
    else:
        found = load(settings_of(choice.name).problems or choice.name, benchmarks)
    for key, wanted in (("part", choice.parts), ("language", choice.languages)):
        known = {getattr(problem, key) for problem in found}
        for value in wanted or ():
            if value not in known:
                raise UserError(
                    f"{choice.name}: has no {key} `{value}`; it has {', '.join(sorted(known))}"
                )
        found = [one for one in found if wanted is None or getattr(one, key) in wanted]
    return found


def _runnable(
    name: str, problems: Sequence[Problem]
) -> tuple[list[Problem], list[tuple[str, str]]]:
    """The problems whose programs run here, and languages that do not, with the reason."""
    if name in BY_TEXT:
        return list(problems), []
    reasons = {
        problem.id: not_run(problem.language, problem.prompt + problem.tests)
        for problem in problems
    }
    left_out: dict[tuple[str, str], int] = {}
    for problem in problems:
        reason = reasons[problem.id]
        if reason is not None:
            key = (problem.language, reason)
            left_out[key] = left_out.get(key, 0) + 1
    told = [(f"{language}: {num} problems", why) for (language, why), num in left_out.items()]
    return [problem for problem in problems if reasons[problem.id] is None], told
