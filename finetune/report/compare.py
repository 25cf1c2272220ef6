"""Two runs side by side, on the tasks that both were evaluated on.

Only like is compared: the same problems under the same settings. Anything else is refused by name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.evaluation.chance import Contrast
from finetune.evaluation.statistics import compare
from finetune.report.inert import inert_line
from finetune.report.row import Better
from finetune.report.runs import RunView, number, read_run
from finetune.report.tasks import Side, TaskView, infilling_kinds, infilling_of, tasks_of
from finetune.report.wording import LAYOUTS
from finetune.run_folder import RunFolder

ALIKE = 1e-4
"""Nats by which two measurements of one base on the same files may differ."""
MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number, with its interval where it has one."""

    value: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What both runs were measured by, under the same settings."""

    name: str
    note: str
    better: Better
    bases: tuple[Score, Score]
    tuned: tuple[Score, Score]
    contrast: Contrast | None = None
    """B against A; None where no file says how each problem went."""
    same_base: bool


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """Two runs, A and B."""

    names: tuple[str, str]
    measures: tuple[Measure, ...]
    notes: tuple[str, ...]
    """What was left out, and why."""

    @property
    def same_base(self) -> bool:
        """Whether one column of base scores stands for both."""
        return all(measure.same_base for measure in self.measures)


def compare_runs(a: Path, b: Path) -> RunComparison:
    """What the scores of two run folders say of each other.

    Raises UserError where a run has no scores, where settings or problems of a task differ, and
    where the two have nothing in common.
    """
    views = (_evaluated(a), _evaluated(b))
    same_name = views[0].name == views[1].name
    names = (str(a), str(b)) if same_name else (views[0].name, views[1].name)
    tasks = [{task.name: task for task in tasks_of(view.scores)} for view in views]
    both = [name for name in tasks[0] if name in tasks[1]]
    found = [line for name in both for line in unlike(tasks[0][name], tasks[1][name], names)]
    if found:
        raise UserError(
            "\n  ".join([f"{names[0]} and {names[1]} were not evaluated alike:", *found])
            + "\nEvaluate one of them again with the other's settings"
        )
    held_out, notes = _held_out(*views, names)
    for own, others, name in ((*tasks, names[0]), (*tasks[::-1], names[1])):
        notes += [f"{task}: {name} alone was evaluated on it" for task in own if task not in others]
    measures = [*held_out, *(_task_measure(tasks[0][name], tasks[1][name]) for name in both)]
    if not measures:
        raise UserError(f"{names[0]} and {names[1]} have no measure in common: {'; '.join(notes)}")
    return RunComparison(names=names, measures=tuple(measures), notes=tuple(notes))


def _evaluated(path: Path) -> RunView:
    view = read_run(RunFolder(path))
    if not view.present:
        raise UserError(f"{path}: there is no such run folder")
    if not view.scores:
        raise UserError(f"{path}: no scores.json; run `finetune evaluate` on its recipe first")
    if "model" in view.scores:
        raise UserError(f"{path}: holds scores of one model as it is; two tuned runs are compared")
    return view


def unlike(a: TaskView, b: TaskView, names: tuple[str, str]) -> Iterator[str]:
    """What makes a task of two runs two different tasks, a line for each difference."""
    if a.metric != b.metric:
        yield f"{a.name}: {a.metric} in {names[0]}, {b.metric} in {names[1]}"
    for key, one, other in _different({**_stated(a.tuned)}, {**_stated(b.tuned)}):
        yield f"{a.name}: {key} is {one} in {names[0]} and {other} in {names[1]}"
    mine, theirs = ({tried.id for tried in task.by_problem} for task in (a, b))
    if mine and theirs:
        for only, name in ((mine - theirs, names[0]), (theirs - mine, names[1])):
            if only:
                some = ", ".join(map(inert_line, sorted(only)[:MOST_NAMED]))
                more = f" and {len(only) - MOST_NAMED:,} more" if len(only) > MOST_NAMED else ""
                yield f"{a.name}: problems of {name} alone: {some}{more}"


def _stated(side: Side) -> dict[str, Any]:
    counts = {"number of problems": side.problems, "samples per problem": side.samples}
    return {**counts, **side.settings}


def _different(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in dict.fromkeys([*a, *b]):
        one, other = (values.get(key, "not stated") for values in (a, b))
        if one != other:
            yield key, str(one), str(other)


def _task_measure(a: TaskView, b: TaskView) -> Measure:
    """Per problem where both runs recorded it."""
    before, after = ({tried.id: tried for tried in task.by_problem} for task in (a, b))
    contrast, same_base = None, a.base.score == b.base.score
    if before and after:
        ids = list(before)
        found = compare(
            [before[id_].tuned for id_ in ids],
            [after[id_].tuned for id_ in ids],
            a.samples,
            [origin_of(id_, a, b) for id_ in ids],
        )
        contrast = Contrast(
            difference=found.difference,
            low=found.interval.low,
            high=found.interval.high,
            p_value=found.p_value,
            wins=found.wins,
            losses=found.losses,
        )
        same_base = all(before[id_].base == after[id_].base for id_ in ids)
    return _measure(a, b, contrast, same_base)


def _measure(a: TaskView, b: TaskView, contrast: Contrast | None, same_base: bool) -> Measure:
    return Measure(
        name=f"{a.name}, {a.metric}",
        note=f"{a.count_in_words}; {a.brief_settings}",
        better="higher",
        bases=(_score(a.base), _score(b.base)),
        tuned=(_score(a.tuned), _score(b.tuned)),
        contrast=contrast,
        same_base=same_base,
    )


def _score(side: Side) -> Score:
    return Score(value=side.score, interval=side.interval)


def origin_of(problem: str, a: TaskView, b: TaskView) -> str:
    """What a problem was made from: as the scores say, else by its name."""
    return a.origins.get(problem) or b.origins.get(problem) or origin(problem)


def origin(problem: str) -> str:
    """The problem that this one was made from, by its name: `HumanEval/0` of
    `SingleLineInfilling/HumanEval/0/L0` and of `cpp/HumanEval_0_has_close_elements`."""
    found = re.search(r"HumanEval[/_](\d+)", problem)
    return f"HumanEval/{found[1]}" if found else problem


def _held_out(a: RunView, b: RunView, names: tuple[str, str]) -> tuple[list[Measure], list[str]]:
    """Losses and infilling of held-out code, where both runs held out the same; and what is left
    out, with the reason."""
    if not _same_files(a, b):
        why = "the bases' own losses differ, so the bases or the held-out files do"
        return [], [f"held-out losses and infilling: {why}"]
    one, other = infilling_of(a.scores), infilling_of(b.scores)
    if not one.measured or not other.measured:
        return list(_losses(a, b)), [f"{one.name}: not measured in both"]
    kinds = [infilling_kinds(view.scores) for view in (a, b)]
    both = [(kinds[0][kind], kinds[1][kind]) for kind in kinds[0] if kind in kinds[1]]
    notes, measures = [], list(_losses(a, b))
    for pair in ((one, other), *both):
        found = list(unlike(*pair, names))
        notes += found
        measures += [] if found else [_task_measure(*pair)]
    return measures, notes


def _same_files(a: RunView, b: RunView) -> bool:
    """Whether both were measured on the same held-out files: their bases then lose alike there."""
    pairs = [
        [number(view.scores, "losses", "base", layout) for view in (a, b)] for layout in LAYOUTS
    ]
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    return bool(known) and all(abs(one - other) <= ALIKE for one, other in known)


def _losses(a: RunView, b: RunView) -> Iterator[Measure]:
    for layout, name in LAYOUTS.items():
        base, tuned = (
            [Score(value=number(view.scores, "losses", side, layout)) for view in (a, b)]
            for side in ("base", "tuned")
        )
        if all(score.value is not None for score in tuned):
            yield Measure(
                name=f"loss, {name}",
                note="",
                better="lower",
                bases=(base[0], base[1]),
                tuned=(tuned[0], tuned[1]),
                same_base=True,
            )
