"""What the page says about the tasks of a run: scores, problems won and lost, completions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from finetune.report import task_bars, task_charts, wording
from finetune.report.inert import excerpt, inert, inert_line
from finetune.report.runs import RunView
from finetune.report.samples import first_lines
from finetune.report.tasks import (
    Omission,
    TaskView,
    Tried,
    infilling_kinds,
    infilling_of,
    not_run,
    tasks_of,
)

OPEN_EXAMPLES = 2
MOST_EXAMPLES = 20
MOST_MOVED = 10
"""Problems won, and as many lost, that are listed; those that moved furthest."""
_VERDICTS = {"passed": "better", "exact": "better"}


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What one model wrote for a problem, and what came of it."""

    model: str
    text: str
    verdict: str
    detail: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Example:
    """A problem with what both models wrote. `anchor` is ours, never the benchmark's text."""

    anchor: str
    id: str
    prompt: str
    truth: str
    """What stood in a gap; empty for a program."""
    behind: str
    completions: tuple[Completion, ...]


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A problem that one of the models solves more often."""

    id: str
    base: str
    tuned: str
    anchor: str
    """Of its example; empty where none was recorded."""


@dataclass(frozen=True, kw_only=True)
class TaskSection:
    """One task on the page."""

    task: TaskView
    sentence: str
    kind: str
    """A class of the style sheet, for what the sentence says."""
    more: tuple[tuple[str, str], ...]
    bars: Markup | None
    parts: Markup | None
    marks: Markup | None
    won: tuple[Moved, ...]
    num_won: int
    lost: tuple[Moved, ...]
    num_lost: int
    shown: tuple[Example, ...]
    folded: tuple[Example, ...]
    num_examples: int


def task_context(view: RunView, ident: str) -> dict[str, Any]:
    """For one run; `sections` is empty where nothing was run."""
    infilling = infilling_of(view.scores)
    tasks = [
        *([infilling] if infilling.measured else []),
        *infilling_kinds(view.scores).values(),
        *tasks_of(view.scores),
    ]
    reach = task_bars.highest(tasks)
    compared_ones = [task for task in tasks if task.contrast]
    return {
        "sections": [
            section(task, reach, f"{ident}-task{position}") for position, task in enumerate(tasks)
        ],
        "differences": task_charts.differences(tasks, f"{ident}-differences"),
        "num_compared": len(compared_ones),
        "not_run": omissions(view.scores),
        "jail": inert_line(str(view.scores.get("jail") or "not recorded")),
    }


def omissions(scores: Mapping[str, Any]) -> list[Omission]:
    """Tasks that were not run, and parts of those that were."""
    parts = [
        Omission(f"{task.name}, {one.what}", one.why)
        for task in tasks_of(scores)
        for one in task.not_run
    ]
    return [*not_run(scores), *parts]


def section(task: TaskView, reach: float, ident: str) -> TaskSection:
    """`ident` begins every id of the section."""
    examples = tuple(
        _example(values, f"{ident}-example{number}")
        for number, values in enumerate(task.examples[:MOST_EXAMPLES])
    )
    anchors = {
        str(values.get("id")): example.anchor
        for values, example in zip(task.examples, examples, strict=False)
    }
    won = [tried for tried in task.by_problem if tried.tuned > tried.base]
    lost = [tried for tried in task.by_problem if tried.tuned < tried.base]
    return TaskSection(
        task=task,
        sentence=_sentence(task),
        kind=_kind(task),
        more=tuple(_more(task)),
        bars=task_bars.task_bars(task, reach, f"{ident}-bars"),
        parts=task_bars.part_bars(task, f"{ident}-parts"),
        marks=task_charts.problem_marks(task, f"{ident}-problems"),
        won=_furthest(won, task.samples, anchors),
        num_won=len(won),
        lost=_furthest(lost, task.samples, anchors),
        num_lost=len(lost),
        shown=examples[:OPEN_EXAMPLES],
        folded=examples[OPEN_EXAMPLES:],
        num_examples=len(task.examples),
    )


def _sentence(task: TaskView) -> str:
    if task.contrast:
        words = f"Tuned against base: {task.contrast.sentence}."
        if task.contrast.wins is None or task.contrast.losses is None:
            return words
        return f"{words} {task.contrast.wins:,} problems won, {task.contrast.losses:,} lost."
    if task.base.score is None or task.tuned.score is None:
        return "One model alone was measured: nothing to compare."
    return "The two were not compared problem by problem: whether they differ was not assessed."


def _kind(task: TaskView) -> str:
    verdict = task.contrast.verdict if task.contrast else ""
    return verdict if verdict in ("better", "worse") else "plain"


def _more(task: TaskView) -> list[tuple[str, str]]:
    """Measures beside the score, which have no interval: `pass@10`, `30.0% → 33.0%`."""
    names = dict.fromkeys([*task.base.more, *task.tuned.more])
    pairs = [(name, task.base.more.get(name), task.tuned.more.get(name)) for name in names]
    return [
        (inert_line(name.replace("_", " ")), f"{wording.share(base)} → {wording.share(tuned)}")
        for name, base, tuned in pairs
    ]


def _furthest(
    moved: Sequence[Tried], samples: int, anchors: Mapping[str, str]
) -> tuple[Moved, ...]:
    ordered = sorted(
        moved, key=lambda tried: (-abs(tried.tuned - tried.base), tried.id not in anchors)
    )
    return tuple(
        Moved(
            id=inert_line(tried.id),
            base=f"{tried.base} of {samples}",
            tuned=f"{tried.tuned} of {samples}",
            anchor=anchors.get(tried.id, ""),
        )
        for tried in ordered[:MOST_MOVED]
    )


def _example(values: Mapping[str, Any], anchor: str) -> Example:
    return Example(
        anchor=anchor,
        id=inert_line(str(values.get("id", "without a name"))),
        prompt=excerpt(str(values.get("prompt", "")), end=True),
        truth=excerpt(str(values.get("truth", ""))),
        behind=inert(first_lines(str(values.get("suffix", "")))),
        completions=tuple(
            _completion(side, values[side]) for side in ("base", "tuned") if side in values
        ),
    )


def _completion(model: str, values: object) -> Completion:
    values = values if isinstance(values, dict) else {}
    verdict = inert_line(str(values.get("verdict") or "not judged"), 40)
    return Completion(
        model=model,
        text=excerpt(str(values.get("completion", ""))),
        verdict=verdict,
        detail=inert_line(str(values.get("detail") or "")),
        kind=_VERDICTS.get(verdict, "plain" if verdict == "not judged" else "worse"),
    )
