"""All tasks of a run, on base and tuned: written, judged, scored.

Completions and verdicts stay in the run's folder, `evaluation/completions/MODEL/TASK-DIGEST.jsonl`
and `evaluation/verdicts/...`: what was written or judged is not done again. The digest is that of
the settings: with others nothing is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.errors import Refused
from finetune.evaluation.task_problems import ChosenTask, chosen_task
from finetune.evaluation.task_scores import Judged, task_scores
from finetune.evaluation.verdicts import verdicts_in
from finetune.generation.complete_task import complete_task
from finetune.generation.completion import Completion
from finetune.generation.engine import LocalModel
from finetune.jail import Backend, Limits, find_backend
from finetune.models.load import best_device, load_model
from finetune.recipe.evaluation import Evaluate
from finetune.run_folder import RunFolder, digest_of, sha256_of
from finetune.tasks import benchmarks_folder
from finetune.tokenizer import CodeTokenizer

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


def chosen_tasks(section: Evaluate) -> list[ChosenTask]:
    """Raises UserError with the first task that cannot be run."""
    folder = benchmarks_folder(section.benchmarks)
    return [chosen_task(choice, folder) for choice in section.tasks]


def run_tasks(
    run: RunFolder,
    section: Evaluate,
    models: dict[str, Path],
    *,
    trust_remote_code: bool,
) -> TaskResults:
    """`models`: the folders of `base` and `tuned`. Raises UserError."""
    tasks = chosen_tasks(section)
    backend, why = _jail(tasks)
    not_run = [{"what": one.name, "why": why} for one in tasks if why and not one.is_by_text]
    tasks = [one for one in tasks if one.is_by_text or not why]
    written = {
        name: _written(run, name, folder, tasks, section, trust_remote_code)
        for name, folder in models.items()
    }
    limits = Limits(seconds=section.seconds)
    scores = {}
    for task in tasks:
        judged = {}
        for name in models:
            file = run.evaluation / "verdicts" / name / _file_name(task)
            completions = written[name][task.name]
            verdicts = verdicts_in(file, task, completions, backend, limits)
            judged[name] = Judged(completions=completions, verdicts=verdicts)
        scores[task.name] = task_scores(task, judged)
    jail = f"not run: {why}" if why else backend.name if backend else NO_CODE
    return TaskResults(tasks=scores, not_run=not_run, jail=jail)


def _jail(tasks: Sequence[ChosenTask]) -> tuple[Backend | None, str]:
    """The jail that programs need, or why there is none."""
    if all(task.is_by_text for task in tasks):
        return None, ""
    try:
        return find_backend(), ""
    except Refused as error:
        return None, str(error)


def _written(
    run: RunFolder,
    name: str,
    folder: Path,
    tasks: Sequence[ChosenTask],
    section: Evaluate,
    trust_remote_code: bool,
) -> dict[str, list[Completion]]:
    """One model's completions by task."""
    if not tasks:
        return {}
    loaded: Any = load_model(folder, trust_remote_code=trust_remote_code)
    model = LocalModel(
        model=loaded.to(best_device()).eval(),
        tokenizer=CodeTokenizer(folder),
        name=digest_of([sha256_of(path) for path in sorted(folder.glob("*.safetensors"))]),
        batch_size=section.batch_size,
    )
    return {
        task.name: complete_task(
            run.evaluation / "completions" / name / _file_name(task),
            task.name,
            task.problems,
            model,
            task.sampling,
            label=f"{name}: {task.name}",
        )
        for task in tasks
    }


def _file_name(task: ChosenTask) -> str:
    return f"{task.name}-{digest_of(task.sampling.settings)[:8]}.jsonl"
