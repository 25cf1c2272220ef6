"""What one rank finds out, known to all: they go on together or end together with one message."""

from collections.abc import Callable
from typing import Any, TypeVar

from finetune.errors import Failed, Refused, UserError

Value = TypeVar("Value")


def from_main(accelerator: Any, function: Callable[[], Value]) -> Value:
    """What `function` gives on rank 0, on every rank. Every rank must call it.

    Raises on every rank the UserError, Failed or Refused that it raises on rank 0.
    """
    if accelerator.num_processes == 1:
        return function()
    from accelerate.utils import broadcast_object_list

    told: list[Any] = [None, None]
    if accelerator.is_main_process:
        try:
            told = [function(), None]
        except (UserError, Failed, Refused) as error:
            told = [None, error]
    value, problem = broadcast_object_list(told)
    if problem is not None:
        raise problem
    found: Value = value
    return found


def refuse_any(accelerator: Any, problem: str | None) -> None:
    """Raise Failed on every rank where one has a problem. Every rank must call it."""
    problems = [problem]
    if accelerator.num_processes > 1:
        from accelerate.utils import gather_object

        problems = gather_object([problem])
    for rank, found in enumerate(problems):
        if found is not None:
            raise Failed(found if rank == 0 else f"rank {rank}: {found}")
