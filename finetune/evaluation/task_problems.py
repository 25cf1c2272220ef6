"""A task as the recipe chooses it -> its problems, and why some of them cannot be run here."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
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

    @property
    def is_by_text(self) -> bool:
        return self.name in BY_TEXT

    def why_not_run(self, problem: Problem) -> str | None:
        """Why programs of that problem are not run here; None where they are."""
        if self.is_by_text:
            return None
        return not_run(problem.language, problem.prompt + problem.tests)

    def of(self, ids: Collection[str]) -> "ChosenTask":
        """The task with these problems alone."""
        return replace(self, problems=[one for one in self.problems if one.id in ids])


def chosen_task(choice: TaskChoice, benchmarks: Path | None) -> ChosenTask:
    """Raises UserError where the task is not known or not here, or nothing is left of it."""
    problems = _selected(choice, benchmarks)
    if not problems:
        raise UserError(f"{choice.name}: no problem has those parts and languages")
    problems = problems[: choice.problems]
    stated = {name: getattr(choice, name) for name in OVERRIDES}
    sampling = settings_of(choice.name).sampling
    sampling = replace(sampling, **{n: v for n, v in stated.items() if v is not None})
    if sampling.temperature == 0:
        sampling = replace(sampling, samples=1)  # all of them would be the same
    return ChosenTask(name=choice.name, problems=problems, sampling=sampling)


def left_out(reasons: Iterable[tuple[Problem, str]]) -> list[tuple[str, str]]:
    """What is not run, by language and reason: (`rust: 164 problems`, why)."""
    counts = Counter((one.language, why.removeprefix(f"{one.language}: ")) for one, why in reasons)
    return [(f"{language}: {num} problems", why) for (language, why), num in counts.items()]


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
