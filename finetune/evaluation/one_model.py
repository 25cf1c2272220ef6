"""Any causal model through any tasks, without a recipe: what a model is worth as it is."""

from pathlib import Path
from typing import Any

from finetune.base import base_facts, fetch
from finetune.errors import UserError
from finetune.evaluation.evaluation import folder_model, writer
from finetune.evaluation.site import site_for
from finetune.evaluation.tasks_of_run import chosen_tasks, score_tasks, write_tasks
from finetune.recipe.alone import as_mapping
from finetune.recipe.evaluation import Evaluate
from finetune.recipe.schema import Pretrained
from finetune.run_folder import RunFolder, locked, write_json
from finetune.versions import toolkit

NAME = "base"
"""What scores call a model that nobody tuned."""


def evaluate_model(model: str, section: Evaluate, runs: Path) -> tuple[Path, dict[str, Any]]:
    """Write and judge `section`'s tasks with the model of a folder or a Hub id.

    Returns scores.json in a folder of `runs` with the model's name, and what it says. Raises
    UserError, among others where that folder is a training run's.
    """
    if not section.tasks:
        raise UserError("evaluate.tasks: none is named; say --tasks humaneval,mbpp")
    base = Pretrained(model=str(Path(model).resolve()) if Path(model).is_dir() else model)
    run = RunFolder(runs.resolve() / _name_of(Path(base.model)))
    if run.stages.exists():
        raise UserError(f"{run.path}: holds a training run; keep this one elsewhere with --runs")
    tasks = chosen_tasks(section)
    site = site_for(tasks, section)
    folder = base_facts(base, run).folder or fetch(base)
    with locked(run):
        local = folder_model(folder, section, trust_remote_code=False)
        written = {NAME: write_tasks(run, NAME, writer(NAME, local, section), tasks, site)}
        results = score_tasks(tasks, written, site)
        scores = {
            "model": model,
            "tasks": results.tasks,
            "tasks_not_run": results.not_run,
            "jail": results.jail,
            "evaluate": as_mapping(section),
            "toolkit": toolkit(),
        }
        write_json(run.scores, scores)
    return run.scores, scores


def _name_of(model: Path) -> str:
    """`starcoderbase-1b`; `my-run-merged` of a folder within a run."""
    in_run = RunFolder(model.parent).stages.is_file()
    return f"{model.parent.name}-{model.name}" if in_run else model.name
