"""The tuned model's measures in the Hub's `model-index` form."""

import math
from collections.abc import Iterator
from typing import Any, TypeGuard

from finetune.publishing import tables, task_tables
from finetune.publishing.local_paths import mask

Metric = dict[str, Any]


def model_index_results(scores: dict[str, Any]) -> list[dict[str, Any]]:
    """One result for what was held out, and one per problem set that was run."""
    held_out = list(_held_out(scores))
    results = [_result("held-out", "held-out files of the training sources", held_out)]
    for name, task in (tables.at(scores, "tasks") or {}).items():
        problems = tables.at(task, "tuned", "problems")
        label = f"{name} ({problems} problems)" if problems is not None else name
        results.append(_result(name, label, list(_task(task))))
    return [result for result in results if result["metrics"]]


def _result(type_: str, name: str, metrics: list[Metric]) -> dict[str, Any]:
    dataset = {"type": type_, "name": name}
    return {"task": {"type": "text-generation"}, "dataset": dataset, "metrics": metrics}


def _held_out(scores: dict[str, Any]) -> Iterator[Metric]:
    for layout, name in tables.LAYOUTS.items():
        loss = tables.at(scores, "losses", "tuned", layout)
        yield from _metric("loss", f"Held-out loss in nats per token, {name}", loss)
        bits = tables.at(scores, "bits_per_byte", "tuned", layout)
        yield from _metric("bits_per_byte", f"Held-out bits per byte, {name}", bits)
    exact = tables.at(scores, "infilling", "tuned", "exact_match")
    how = _how(tables.at(scores, "infilling", "tuned"), has_interval=True)
    yield from _metric("exact_match", "Infilling of held-out code, exact match", exact, how)


def _task(task: dict[str, Any]) -> Iterator[Metric]:
    own = task_tables.metric_of(task)
    for measure, value in task_tables.measures_of(task, "tuned").items():
        how = _how(tables.at(task, "tuned"), has_interval=measure == own)
        yield from _metric(measure, measure.replace("_", " "), value, how)


def _metric(
    type_: str, name: str, value: object, how: dict[str, Any] | None = None
) -> Iterator[Metric]:
    """Nothing where nothing was measured."""
    if _is_number(value):
        args = {"args": how} if how else {}
        yield {"type": type_, "name": name, "value": round(value, 4), **args}


def _is_number(value: object) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _how(side: Any, *, has_interval: bool) -> dict[str, Any]:
    """What a score means nothing without, of what is known."""
    counts = {key: tables.at(side, key) for key in ("problems", "samples")}
    how: dict[str, Any] = {key: count for key, count in counts.items() if _is_number(count)}
    interval = tables.at(side, "interval")
    if interval and has_interval:
        how["interval_95"] = [round(bound, 4) for bound in interval]
    if settings := tables.at(side, "settings"):
        how["settings"] = mask(settings)
    return how
