"""Benchmarks as Markdown tables: a score never without its problem set, its count, its settings and
its interval, and an improvement never claimed within chance."""

import json
from collections.abc import Iterator
from typing import Any

from finetune.evaluation.chance import Contrast, contrast_of
from finetune.publishing.local_paths import mask
from finetune.publishing.tables import LAYOUTS, SIDES, at, shown, table

MODELS = dict(zip(SIDES, ("base", "this model"), strict=True))
_BESIDE = ("interval", "problems", "samples", "settings", "kinds", "not_run")
"""What stands beside a side's measures and is none."""
_UNITS = {
    "losses_by_language": "Loss in nats per token",
    "bits_per_byte_by_language": "Bits per byte",
}
_READINGS = {
    "better": "better, beyond chance",
    "worse": "worse, beyond chance",
    "within chance": "within chance",
    "chance not assessed": "chance not assessed",
}


def metric_of(task: Any) -> str:
    """What the interval and the comparison of a task are about."""
    return str(at(task, "metric") or "pass@1")


def measures_of(task: Any, side: str) -> dict[str, Any]:
    """Every measure of one model, the task's own first."""
    values = at(task, side)
    named = values if isinstance(values, dict) else {}
    own = metric_of(task)
    more = {
        key: value
        for key, value in named.items()
        if key not in (*_BESIDE, own) and isinstance(value, int | float)
    }
    return {own: named.get(own), **more}


def tasks(scores: dict[str, Any]) -> str:
    """Scores with their intervals."""
    rows = [
        (name, model, measure, value, *_beside(task, side, measure))
        for name, task in _tasks(scores)
        for side, model in MODELS.items()
        for measure, value in measures_of(task, side).items()
    ]
    header = ("Problem set", "Model", "Measure", "Score", "95% interval", "Problems", "Samples")
    return table(header, rows)


def _beside(task: Any, side: str, measure: str) -> tuple[Any, Any, Any]:
    """The interval is that of the task's own measure."""
    interval = at(task, side, "interval") if measure == metric_of(task) else None
    return interval, at(task, side, "problems"), at(task, side, "samples")


def comparisons(scores: dict[str, Any]) -> str:
    """This model against its base, problem by problem; empty where nothing was compared."""
    infilling = at(scores, "infilling")
    kinds = (at(infilling, "kinds") or {}).items()
    named = [
        ("infilling of held-out code", infilling),
        *((f"infilling, {kind.replace('_', ' ')}", own) for kind, own in kinds),
        *_tasks(scores),
    ]
    found = [(name, contrast_of(at(task, "comparison"))) for name, task in named]
    rows = [(name, *_compared(contrast)) for name, contrast in found if contrast]
    header = ("This model minus base", "Difference", "95% interval", "p", "Won", "Lost", "Reading")
    return table(header, rows) if rows else ""


def _compared(contrast: Contrast) -> tuple[Any, ...]:
    has_interval = contrast.low is not None and contrast.high is not None
    return (
        contrast.difference,
        [contrast.low, contrast.high] if has_interval else None,
        contrast.p_value,
        contrast.wins,
        contrast.losses,
        _READINGS[contrast.verdict],
    )


def settings(scores: dict[str, Any]) -> str:
    """A line per problem set; base and this model apart where they differ."""
    lines = []
    for name, task in _tasks(scores):
        known = {model: at(task, side, "settings") for side, model in MODELS.items()}
        base, tuned = known.values()
        same = base is None or tuned is None or base == tuned
        for model, values in {"both": tuned or base}.items() if same else known.items():
            words = f"`{_as_json(values)}`" if values else "settings not recorded"
            lines.append(f"- {shown(name)}, {model}: {words}")
    return "\n".join(lines)


def _as_json(value: Any) -> str:
    return json.dumps(mask(value), ensure_ascii=False).replace("`", "\\u0060")


def parts(scores: dict[str, Any]) -> str:
    """By language within a problem set; empty where there is none."""
    rows = [
        (name, language, *(at(sides, side) for side in SIDES), at(sides, "problems"))
        for name, task in _tasks(scores)
        for language, sides in (at(task, "by_language") or {}).items()
    ]
    header = ("Problem set", "Language", "Base", "This model", "Problems")
    return table(header, rows) if rows else ""


def infilling(scores: dict[str, Any]) -> str:
    """Held-out code that was filled in, in all and by the kind of gap."""
    measured = at(scores, "infilling")
    names = {
        "exact_match": "Share filled in exactly",
        "interval": "95% interval of that share",
        "edit_similarity": "Edit similarity",
        "problems": "Gaps",
    }
    rows = [
        (name, *_both(measured, key)) for key, name in names.items() if _is_known(measured, key)
    ]
    rows += [
        (f"{kind.replace('_', ' ')}: {name}", *_both(own, key))
        for kind, own in (at(measured, "kinds") or {}).items()
        for key, name in names.items()
        if _is_known(own, key)
    ]
    return table(("Infilling of held-out code", "Base", "This model"), rows)


def _both(measured: Any, *keys: str) -> tuple[Any, ...]:
    return tuple(at(measured, side, *keys) for side in SIDES)


def _is_known(measured: Any, *keys: str) -> bool:
    return any(value is not None for value in _both(measured, *keys))


def not_run(scores: dict[str, Any]) -> list[str]:
    """`swift of multipl_e: not run, no toolchain`."""
    whole = [*(at(scores, "infilling_not_run") or []), *(at(scores, "tasks_not_run") or [])]
    parts = [
        {**one, "what": f"{one.get('what')} of {name}"}
        for name, task in _tasks(scores)
        for one in at(task, "not_run") or []
    ]
    return [
        f"{shown(one.get('what'))}: not run, {shown(one.get('why') or 'no reason recorded')}"
        for one in [*whole, *parts]
    ]


def not_trained(scores: dict[str, Any]) -> list[str]:
    """Languages that were measured without being trained on; empty where that is not recorded."""
    trained = at(scores, "trained_languages")
    measured = at(scores, "losses_by_language") or {}
    return [shown(name) for name in measured if isinstance(trained, list) and name not in trained]


def forgetting(scores: dict[str, Any]) -> str:
    """Losses and bits per byte in those languages; empty where there is none."""
    measured = at(scores, "losses_by_language") or {}
    trained = at(scores, "trained_languages")
    rows = [
        (language, f"{unit}, {name}", *(at(scores, key, language, side, layout) for side in SIDES))
        for language in (measured if isinstance(trained, list) else ())
        if language not in trained
        for key, unit in _UNITS.items()
        for layout, name in LAYOUTS.items()
        if any(at(scores, key, language, side, layout) is not None for side in SIDES)
    ]
    return table(("Language", "Measure", "Base", "This model"), rows) if rows else ""


def forgetting_sources(scores: dict[str, Any]) -> list[str]:
    """What the recipe brought to measure them: files by language, and what was left out."""
    return [
        f"{shown(at(source, 'source'))}: {_counted(at(source, 'documents'))}; left out: "
        f"{_counted(_joined(source, 'drops', 'skipped', 'parts_left_out'))}; replaced: "
        f"{_counted(_joined(source, 'redacted'))}"
        for source in at(scores, "forgetting") or []
    ]


def _joined(source: Any, *keys: str) -> dict[str, Any]:
    return {name: count for key in keys for name, count in (at(source, key) or {}).items()}


def _counted(counts: Any) -> str:
    return ", ".join(f"{shown(name)} ({shown(count)})" for name, count in counts.items()) or "none"


def _tasks(scores: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from (at(scores, "tasks") or {}).items()
