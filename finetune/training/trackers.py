"""The log, sent on to TensorBoard, trackio or wandb by Accelerate's own trackers."""

import atexit
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.recipe import Recipe

SECTIONS = {"objective", "fim", "sequences", "tune", "train", "engine"}
"""Of the recipe: what a tracker is told. Where the data lies is nobody else's business."""


def refuse_missing_packages(names: tuple[str, ...]) -> None:
    """Raise UserError where a tracker's package is not installed."""
    for name in names:
        if find_spec(name) is None:
            raise UserError(f"train.trackers: {name} is not installed: pip install {name}")


def start_trackers(recipe: Recipe, folder: Path) -> Callable[[dict[str, Any]], None]:
    """A function that takes lines of the log; for rank 0 alone.

    TensorBoard's files go below `folder`; the others go where their own settings say.
    """
    if not recipe.train.trackers:
        return lambda line: None
    from accelerate.tracking import TensorBoardTracker, TrackioTracker, WandBTracker

    made = {
        "tensorboard": lambda: TensorBoardTracker(recipe.name, logging_dir=folder / "tensorboard"),
        "trackio": lambda: TrackioTracker(recipe.name),
        "wandb": lambda: WandBTracker(recipe.name),
    }
    refuse_missing_packages(recipe.train.trackers)
    trackers: list[Any] = [made[name]() for name in recipe.train.trackers]
    config = dict(flat(recipe.model_dump(mode="json", include=SECTIONS)))
    for tracker in trackers:
        tracker.start()
        tracker.store_init_configuration(config)
        atexit.register(tracker.finish)

    def send(line: dict[str, Any]) -> None:
        values = {
            key: value
            for key, value in flat(line)
            if key != "step" and isinstance(value, int | float)
        }
        for tracker in trackers:
            tracker.log(values, step=line["step"])

    return send


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`validation/psm` for nested values; lists as text, for trackers take plain values alone."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}/")
        elif isinstance(value, str | int | float | bool):
            yield f"{prefix}{name}", value
        elif value is not None:
            yield f"{prefix}{name}", str(value)
