"""What this machine can judge."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune.errors import Refused
from finetune.evaluation.task_problems import ChosenTask
from finetune.jail import Backend, Limits, find_backend
from finetune.recipe.evaluation import Evaluate
from finetune.tasks import Problem


@dataclass(frozen=True, kw_only=True)
class Site:
    """A jail, or why there is none."""

    jail: Backend | None
    why: str
    """Why programs cannot be run here; empty where they can, and where none is to be run."""
    limits: Limits

    def why_not_run(self, task: ChosenTask, problem: Problem) -> str | None:
        """Why an answer to that problem cannot be judged here; None where it can."""
        if self.why and not task.is_by_text:
            return self.why
        return task.why_not_run(problem)


def site_for(tasks: Sequence[ChosenTask], section: Evaluate) -> Site:
    """This machine, its jail tried by a program that tries to get out, if one is needed."""
    limits = Limits(seconds=section.seconds)
    if all(task.is_by_text for task in tasks):
        return Site(jail=None, why="", limits=limits)
    try:
        return Site(jail=find_backend(), why="", limits=limits)
    except Refused as error:
        return Site(jail=None, why=str(error), limits=limits)
