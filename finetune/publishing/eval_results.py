"""`.eval_results/*.yaml`: scores that the Hub lists on a benchmark's page.

The form is that of https://huggingface.co/docs/hub/eval-results. Only datasets that the Hub has
registered as benchmarks count, and the register is the Hub's: the recipe names them, we guess none.
"""

from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.licences import yaml_value
from finetune.publishing import task_tables
from finetune.publishing.card_check import in_brief, is_number
from finetune.publishing.evidence import Evidence
from finetune.publishing.facts import ReleaseFacts
from finetune.publishing.tables import at
from finetune.publishing.yaml_text import yaml_text
from finetune.run_folder import write_text

FOLDER = ".eval_results"


def write_eval_results(folder: Path, evidence: Evidence, facts: ReleaseFacts) -> None:
    """A file per benchmark that the recipe names.

    Raises UserError where it names a task that was not measured.
    """
    for task, benchmark in facts.benchmarks.items():
        measured = at(evidence.scores, "tasks", task)
        score = task_tables.measures_of(measured, "tuned")[task_tables.metric_of(measured)]
        if not is_number(score):
            raise UserError(
                f"publish.benchmarks.{task}: scores.json holds no score of it; add it to "
                "evaluate.tasks, or leave it out here"
            )
        value = round(100 * score, 2) if benchmark.percent else round(score, 4)
        entry = {
            "dataset": {"id": benchmark.dataset, "task_id": benchmark.task},
            "value": value,
            **_when(evidence),
            "notes": _notes(measured),
        }
        write_text(folder / FOLDER / f"{task}.yaml", yaml_text([entry]))


def _when(evidence: Evidence) -> dict[str, str]:
    finished = at(evidence.stages, "evaluate", "finished")
    return {"date": finished[:10]} if isinstance(finished, str) else {}


def _notes(measured: Any) -> str:
    """What the score means nothing without."""
    tuned = at(measured, "tuned")
    counts = [f"{at(tuned, key)} {key}" for key in ("problems", "samples") if at(tuned, key)]
    return ", ".join([task_tables.metric_of(measured), *counts])


def bad_eval_results(file: Path) -> list[str]:
    """One sentence per fault of such a file, by the Hub's specification."""
    name = f"{FOLDER}/{file.name}"
    try:
        entries = yaml_value(file.read_text(encoding="utf-8"))
    except ValueError as error:
        return [f"{name}: not valid YAML ({error})"]
    if not isinstance(entries, list) or not entries:
        return [f"{name}: must be a list of results"]
    return [f"{name}: {fault}" for entry in entries for fault in _faults(entry)]


def _faults(entry: Any) -> list[str]:
    value = at(entry, "value")
    dataset, task = at(entry, "dataset", "id"), at(entry, "dataset", "task_id")
    faults = []
    if not isinstance(dataset, str) or dataset.count("/") != 1:
        faults.append(f"`dataset.id` must be `owner/name`, not {in_brief(dataset)}")
    if not isinstance(task, str) or not task:
        faults.append("`dataset.task_id` is missing")
    if not is_number(value):
        faults.append(f"`value` must be a number, not {in_brief(value)}")
    return faults
