"""Evaluation tasks as data: the corpus is checked against the problems that evaluation runs.

`load` reads a task's problems from a folder of benchmark files; none is shipped, and a changed file
is refused. One file per family of benchmarks, `TASKS` in `catalogue.py` names them all. `read_own`
reads a person's own problems.
"""

from finetune.tasks.catalogue import (
    TASKS,
    available,
    benchmarks_folder,
    benchmarks_here,
    find_task,
    load,
)
from finetune.tasks.files import Task
from finetune.tasks.own import read_own
from finetune.tasks.problem import Problem

__all__ = [
    "TASKS",
    "Problem",
    "Task",
    "available",
    "benchmarks_folder",
    "benchmarks_here",
    "find_task",
    "load",
    "read_own",
]
