"""All tasks of a run: written by its models, judged, scored.

`evaluation/MODEL/TASK-DIGEST.completions.jsonl` in the run's folder holds what a model wrote, and
`TASK-DIGEST.verdicts.jsonl` beside it what that is worth: nothing that stands there is done again,
wherever it was done. The digest is that of the settings: with others nothing is lost.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.evaluation.site import Site
from finetune.evaluation.task_problems import ChosenTask, chosen_task, left_out
from finetune.evaluation.task_scores import Judged, task_scores
from finetune.evaluation.verdicts import (
    BY_TEXT,
    ENDING,
    judge_into,
    judged_before,
    read_verdicts,
    verdicts_file,
)
from finetune.generation.complete_task import complete_task
from finetune.generation.completion import Backend, Completion
from finetune.recipe.evaluation import Evaluate
from finetune.run_folder import RunFolder, digest_of
from finetune.tasks import Problem, benchmarks_folder

NO_CODE = "not used: no generated code was executed"


@dataclass(frozen=True, kw_only=True)
class TaskResults:
    """What scores.json says of tasks."""

    tasks: dict[str, Any]
    not_run: list[dict[str, str]]
    jail: str

    @property
    def rates(self) -> dict[str, dict[str, float]]:
        """By model, then task: what the gate looks at."""
        return {
            model: {name: found[model][found["metric"]] for name, found in self.tasks.items()}
            for model in ("base", "tuned")
        }


NO_TASKS = TaskResults(tasks={}, not_run=[], jail=NO_CODE)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What one model wrote for one task."""

    file: Path
    completions: Sequence[Completion]
    written_by: dict[str, Any]
    """The back end's identity."""


def chosen_tasks(section: Evaluate) -> list[ChosenTask]:
    """Raises UserError with the first task that cannot be run."""
    folder = benchmarks_folder(section.benchmarks)
    return [chosen_task(choice, folder) for choice in section.tasks]


def write_tasks(
    run: RunFolder,
    name: str,
    backend: Backend,
    tasks: Sequence[ChosenTask],
    site: Site | None = None,
) -> dict[str, Written]:
    """One model's completions by task; `name` is what the run calls it, such as `base`.

    With `site` only for problems that can be judged there, or were judged before; a task that fills
    gaps is left out where the model has no sentinels for it.
    """
    return {
        task.name: _written(run.evaluation / name / _file_name(task), name, backend, task, site)
        for task in tasks
        if not has_no_sentinels(backend, task)
    }


def _written(
    file: Path, name: str, backend: Backend, task: ChosenTask, site: Site | None
) -> Written:
    worth = task if site is None else task.of(_worth_writing(file, task, site))
    completions = (
        complete_task(
            file,
            task.name,
            worth.problems,
            backend,
            task.sampling,
            label=f"{name}: {task.name}",
        )
        if worth.problems
        else []
    )
    return Written(file=file, completions=completions, written_by=backend.identity)


def _worth_writing(file: Path, task: ChosenTask, site: Site) -> set[str]:
    """Problems that can be judged here, and those whose verdicts came from elsewhere."""
    here = {one.id for one in task.problems if site.why_not_run(task, one) is None}
    return here | {id_ for _, id_, _ in read_verdicts(verdicts_file(file), site.limits)}


def has_no_sentinels(backend: Backend, task: ChosenTask) -> bool:
    """Whether a task has gaps and the model no tokens to show them with."""
    if all(problem.suffix is None for problem in task.problems):
        return False
    return backend.tokenizer is not None and backend.tokenizer.sentinels is None


def no_sentinels(models: Sequence[str]) -> str:
    """Why these models are asked no task with gaps."""
    return f"the tokenizer of {' and '.join(models)} has no fill-in-the-middle sentinels"


def score_tasks(
    tasks: Sequence[ChosenTask], written: Mapping[str, Mapping[str, Written]], site: Site
) -> TaskResults:
    """What the models' completions are worth; `written` by model, then task."""
    scores: dict[str, Any] = {}
    not_run: list[dict[str, str]] = []
    jails: set[str] = set()
    for task in tasks:
        own = {name: by_task.get(task.name) for name, by_task in written.items()}
        blind = [name for name, one in own.items() if one is None]
        if blind:
            not_run.append({"what": task.name, "why": no_sentinels(blind)})
            continue
        known = {name: one for name, one in own.items() if one is not None}
        reasons = [*_not_judged(task, known.values(), site)]
        rest = task.of({one.id for one in task.problems} - {one.id for one, _ in reasons})
        if not rest.problems:
            why = "; ".join(dict.fromkeys(reason for _, reason in reasons))
            not_run.append({"what": task.name, "why": why})
            continue
        judged = {name: _judged(rest, one, site) for name, one in known.items()}
        scores[task.name] = task_scores(rest, judged, left_out(reasons))
        jails |= {jail for one in judged.values() for jail in one.jails} - {BY_TEXT}
    jail = ", ".join(sorted(jails)) or (f"not run: {site.why}" if site.why else NO_CODE)
    return TaskResults(tasks=scores, not_run=not_run, jail=jail)


def _not_judged(
    task: ChosenTask, written: Collection[Written], site: Site
) -> Iterator[tuple[Problem, str]]:
    """Problems that cannot be judged here and were not judged before, and why."""
    waiting = set()
    for one in written:
        before = judged_before(verdicts_file(one.file), task, one.completions, site.limits)
        known = {id_ for _, id_, _ in before}
        waiting |= {problem.id for problem in task.problems if problem.id not in known}
        waiting |= {found.id for found in one.completions if found.key not in before}
    for problem in task.problems:
        why = site.why_not_run(task, problem)
        if why and problem.id in waiting:
            yield problem, why


def _judged(task: ChosenTask, written: Written, site: Site) -> Judged:
    ids = {problem.id for problem in task.problems}
    completions = [one for one in written.completions if one.id in ids]
    found = judge_into(verdicts_file(written.file), task, completions, site.jail, site.limits)
    return Judged(
        completions=completions,
        verdicts=[found[one.key].verdict for one in completions],
        jails=sorted({one.jail for one in found.values()}),
        written_by=written.written_by,
    )


def _file_name(task: ChosenTask) -> str:
    return f"{task.name}-{digest_of(task.sampling.settings)[:8]}{ENDING}"
