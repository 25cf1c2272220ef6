"""A file of completions -> a file of verdicts beside it, on any machine that has a jail.

`finetune evaluate --generate-only` writes the one where models can run; a run that finds the other
beside it judges nothing again.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from finetune.errors import Refused, UserError
from finetune.evaluation.site import site_for
from finetune.evaluation.task_problems import ChosenTask, chosen_task, left_out
from finetune.evaluation.verdicts import ENDING, judge_into, verdicts_file
from finetune.generation.completion import Completion
from finetune.generation.record import read_completions
from finetune.recipe.alone import evaluate_section
from finetune.recipe.evaluation import Evaluate, TaskChoice
from finetune.tasks import benchmarks_folder

RECIPE = "recipe.yaml"
"""In the run's folder, where the file lies in evaluation/MODEL/: what it says of the task holds."""


@dataclass(frozen=True, kw_only=True)
class JudgedFile:
    """What came of it."""

    task: str
    verdicts: Path
    problems: int
    outcomes: dict[str, int]
    """Completions by outcome."""
    not_run: list[tuple[str, str]]

    def in_words(self) -> str:
        """A line for each file, and one for whatever was not run."""
        total = sum(self.outcomes.values())
        passed = self.outcomes.get("passed", 0)
        rest = ", ".join(f"{n} {name}" for name, n in self.outcomes.items() if name != "passed")
        judged = f"{passed} of {total} completions of {self.problems} problems passed"
        judged += f" ({rest})" if rest else ""
        lines = [f"{judged}; {self.verdicts}" if total else "nothing of it can be judged here"]
        lines += [f"not run: {what} ({why})" for what, why in self.not_run]
        return "\n".join(f"{self.task}: {line}" for line in lines)


def judge_file(file: Path, overrides: tuple[str, ...]) -> JudgedFile:
    """Judge what is not judged yet. Raises Refused where there is no jail, UserError where the file
    or its task is not what it should be."""
    if not file.name.endswith(ENDING):
        raise UserError(f"{file}: completions stand in files that end in {ENDING}")
    completions = read_completions(file)
    if not completions:
        raise UserError(f"{file}: holds no completion yet; let `--generate-only` go on")
    task, section = _task_of(file, completions, overrides)
    site = site_for([task], section)
    reasons = [(one, why) for one in task.problems if (why := task.why_not_run(one))]
    here = task.of({one.id for one in task.problems} - {one.id for one, _ in reasons})
    if site.why:
        raise Refused(f"{file}: cannot be judged here: {site.why}")
    order = {problem.id: place for place, problem in enumerate(here.problems)}
    wanted = sorted(
        (one for one in completions if one.id in order), key=lambda one: (order[one.id], one.sample)
    )
    found = judge_into(verdicts_file(file), here, wanted, site.jail, site.limits)
    outcomes: Counter[str] = Counter(one.verdict.outcome for one in found.values())
    return JudgedFile(
        task=task.name,
        verdicts=verdicts_file(file),
        problems=len(here.problems),
        outcomes=dict(outcomes),
        not_run=left_out(reasons),
    )


def _task_of(
    file: Path, completions: list[Completion], overrides: tuple[str, ...]
) -> tuple[ChosenTask, Evaluate]:
    """The task of the completions with those of its problems that they answer."""
    names = sorted({one.task for one in completions})
    if len(names) > 1:
        raise UserError(f"{file}: holds completions of several tasks: {', '.join(names)}")
    recipe = file.resolve().parent.parent.parent / RECIPE
    section = evaluate_section(overrides, recipe=recipe if recipe.is_file() else None)
    stated = next((one for one in section.tasks if one.name == names[0]), None)
    try:
        task = chosen_task(
            stated or TaskChoice(name=names[0]), benchmarks_folder(section.benchmarks)
        )
    except UserError as error:
        where = f"evaluate.tasks=[{{name: {names[0]}, file: ...}}]"
        raise UserError(f"{file}: {error}; a task of your own is named by `{where}`") from None
    answered = {one.id for one in completions}
    strange = answered - {problem.id for problem in task.problems}
    if strange:
        raise UserError(
            f"{file}: {len(strange)} of its problems, such as {sorted(strange)[0]}, are not among "
            f"those of {task.name} here; give the settings that they were written with"
        )
    return task.of(answered), section
