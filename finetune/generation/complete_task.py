"""A task's problems -> completions in a file, with a bar to look at: what evaluation calls."""

from collections.abc import Sequence
from pathlib import Path

from finetune.generation.completion import Backend, Completion
from finetune.generation.progress import make_progress
from finetune.generation.prompts import requests_for
from finetune.generation.record import complete_into, num_written
from finetune.generation.sampling import Sampling
from finetune.generation.task_settings import settings_of
from finetune.tasks import Problem


def complete_task(
    file: Path,
    task: str,
    problems: Sequence[Problem],
    backend: Backend,
    sampling: Sampling | None = None,
    layout: str = "psm",
    label: str | None = None,
) -> list[Completion]:
    """Every sample of every problem, problem by problem; `file` keeps them and is gone on from.

    `task` is a name of `TASK_SETTINGS` or one of a person's own; `sampling` None: as published;
    `label`: what the bar is called, the task's name when left out.
    Raises UserError where a gap cannot be shown to the model, or the file holds other completions.
    """
    sampling = sampling or settings_of(task).sampling
    requests = requests_for(task, problems, sampling, backend.tokenizer, backend.positions, layout)
    show = make_progress(label or task, len(requests), num_written(file, requests))
    return complete_into(file, backend, requests, sampling, show)
