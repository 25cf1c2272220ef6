"""The tasks of scores.json, read once. What is missing is None or empty, never a guess."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from finetune.evaluation.chance import Contrast, contrast_of, interval_of
from finetune.report.inert import inert_line, short
from finetune.report.runs import number

INFILLING = "infilling of held-out code"
MOST_NAME = 40
"""Characters of a name that charts have room for."""
KINDS = "kinds"
_KNOWN = ("interval", "problems", "samples", "settings", KINDS, "not_run")


class Side(NamedTuple):
    """One model on one task."""

    score: float | None
    interval: tuple[float, float] | None
    more: dict[str, float]
    """What was measured beside the score: pass@10, edit_similarity."""
    problems: int | None
    samples: int | None
    settings: dict[str, Any]


class Tried(NamedTuple):
    """How many of the samples for one problem passed."""

    id: str
    base: int
    tuned: int


class Part(NamedTuple):
    """A language or a kind of gap within a task."""

    name: str
    base: float | None
    tuned: float | None
    problems: int | None


class Omission(NamedTuple):
    """What was not run, and why."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """One task: base and tuned on the same problems."""

    name: str
    metric: str
    base: Side
    tuned: Side
    contrast: Contrast | None = None
    by_problem: tuple[Tried, ...] = ()
    origins: dict[str, str] = field(default_factory=dict)
    """What each problem was made from; empty where scores do not say."""
    parts: tuple[Part, ...] = ()
    examples: tuple[dict[str, Any], ...] = ()
    not_run: tuple[Omission, ...] = ()

    @property
    def measured(self) -> bool:
        return self.base.score is not None or self.tuned.score is not None

    @property
    def samples(self) -> int:
        return self.tuned.samples or self.base.samples or 1

    @property
    def count_in_words(self) -> str:
        """`164 problems, 20 samples each`; never silent about a count that is not known."""
        sides = (self.tuned, self.base)
        problems = next((side.problems for side in sides if side.problems is not None), None)
        if problems is None:
            return "number of problems not recorded"
        words = f"{problems:,} problem{'' if problems == 1 else 's'}"
        return f"{words}, {self.samples:,} samples each" if self.samples > 1 else words

    @property
    def settings_in_words(self) -> str:
        """Once where both models ran under the same ones, which they should."""
        base, tuned = self.base.settings, self.tuned.settings
        if base and tuned and base != tuned:
            return f"base: {in_words(base)}; tuned: {in_words(tuned)}"
        return in_words(tuned or base) or "settings not recorded"

    @property
    def brief_settings(self) -> str:
        """The same without lists of stop strings and the like: for a cell of a table."""
        return replace(self, base=_brief(self.base), tuned=_brief(self.tuned)).settings_in_words


def tasks_of(scores: Mapping[str, Any]) -> list[TaskView]:
    """The tasks that were run, in the order of the scores."""
    tasks = scores.get("tasks")
    named = tasks.items() if isinstance(tasks, dict) else ()
    return [_task(name, values) for name, values in named if isinstance(values, dict)]


def infilling_of(scores: Mapping[str, Any]) -> TaskView:
    """Infilling of the run's own held-out code, as a task; `measured` is false where it was not."""
    kinds = infilling_kinds(scores)
    task = _task(INFILLING, {"metric": "exact_match", **_dict(scores.get("infilling"))})
    return replace(
        task,
        parts=tuple(
            Part(
                _kind_name(kind),
                own.base.score,
                own.tuned.score,
                own.base.problems if own.tuned.problems is None else own.tuned.problems,
            )
            for kind, own in kinds.items()
        ),
        # One line may begin a gap of each kind.
        by_problem=tuple(
            tried._replace(id=f"{_kind_name(kind)}: {tried.id}")
            for kind, own in kinds.items()
            for tried in own.by_problem
        ),
        origins={
            f"{_kind_name(kind)}: {id_}": origin
            for kind, own in kinds.items()
            for id_, origin in own.origins.items()
        },
    )


def infilling_kinds(scores: Mapping[str, Any]) -> dict[str, TaskView]:
    """The kinds of gaps, each as a task; empty where scores know of none."""
    kinds = _dict(_dict(scores.get("infilling")).get(KINDS))
    return {
        str(kind): _task(
            f"infilling, {_kind_name(kind)}", {"metric": "exact_match", **_dict(values)}
        )
        for kind, values in kinds.items()
    }


def _kind_name(kind: object) -> str:
    return short(inert_line(str(kind).replace("_", " ")), MOST_NAME)


def not_run(scores: Mapping[str, Any]) -> tuple[Omission, ...]:
    """Kinds of gaps and whole tasks that were not run."""
    return (
        *_omissions(scores.get("infilling_not_run")),
        *_omissions(scores.get("tasks_not_run")),
    )


def in_words(settings: Mapping[str, Any]) -> str:
    """`temperature 0.2, top_p 0.95`, without what is not set."""
    stated = {key: value for key, value in settings.items() if value is not None}
    return ", ".join(f"{inert_line(str(key))} {_value(value)}" for key, value in stated.items())


def _brief(side: Side) -> Side:
    short = {k: value for k, value in side.settings.items() if not isinstance(value, list | dict)}
    return side._replace(settings=short)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return f"({in_words(value)})"
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return inert_line(str(value) if plain else json.dumps(value, ensure_ascii=False, default=str))


def _task(name: str, values: Mapping[str, Any]) -> TaskView:
    metric = str(values.get("metric") or "pass@1")
    return TaskView(
        name=short(str(name), MOST_NAME),
        metric=short(metric, MOST_NAME),
        base=_side(values.get("base"), metric),
        tuned=_side(values.get("tuned"), metric),
        contrast=contrast_of(values.get("comparison")),
        by_problem=tuple(_tried(values.get("by_problem"))),
        origins={str(k): str(v) for k, v in _dict(values.get("origins")).items()},
        parts=tuple(_languages(values.get("by_language"), metric)),
        examples=tuple(e for e in _list(values.get("examples")) if isinstance(e, dict)),
        not_run=_omissions(values.get("not_run")),
    )


def _side(values: object, metric: str) -> Side:
    values = values if isinstance(values, dict) else {}
    settings = values.get("settings")
    more = {
        str(key): value
        for key in values
        if key not in (*_KNOWN, metric) and (value := number(values, key)) is not None
    }
    return Side(
        score=number(values, metric),
        interval=interval_of(values.get("interval")),
        more=more,
        problems=_count(values, "problems"),
        samples=_count(values, "samples"),
        settings=settings if isinstance(settings, dict) else {},
    )


def _tried(values: object) -> Iterator[Tried]:
    for id_, pair in values.items() if isinstance(values, dict) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair):
            yield Tried(str(id_), *pair)


def _languages(values: object, metric: str) -> Iterator[Part]:
    for name, sides in values.items() if isinstance(values, dict) else ():
        yield _part(name, sides, metric)


def _part(name: object, sides: object, metric: str) -> Part:
    """A side is its score, or an object that holds it."""
    sides = _dict(sides)
    base, tuned = (
        number(sides, side, metric) if isinstance(sides.get(side), dict) else number(sides, side)
        for side in ("base", "tuned")
    )
    counts = (_count(where, "problems") for where in (sides, sides.get("tuned"), sides.get("base")))
    problems = next((count for count in counts if count is not None), None)
    return Part(short(str(name).replace("_", " "), MOST_NAME), base, tuned, problems)


def _omissions(values: object) -> tuple[Omission, ...]:
    pairs = [(one.get("what"), one.get("why")) for one in _list(values) if isinstance(one, dict)]
    return tuple(
        Omission(inert_line(str(what)), inert_line(str(why or "no reason recorded")))
        for what, why in pairs
    )


def _count(values: object, key: str) -> int | None:
    count = number(values, key)
    return None if count is None else int(count)


def _dict(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
