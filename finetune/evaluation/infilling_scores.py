"""What base and tuned wrote into the same gaps -> the `infilling` of scores.json.

In all and by kind, each with the keys of a task: the exact match of both models with its interval,
their comparison gap by gap, and `by_problem` with the file of each gap as its origin, because the
gaps of one file are not independent. What stands at the top is over the gaps of all kinds together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from finetune.evaluation.infilling import STOPS, Filled, Gaps, ids_of
from finetune.evaluation.line_problems import LineProblem
from finetune.evaluation.statistics import compare, mean_interval
from finetune.evaluation.task_scores import MODELS
from finetune.recipe.evaluation import INFILLING, GapKind

METRICS = Path(__file__).parent / "metrics"
SAMPLES = 12
"""Gaps of a kind that the report shows."""
CONTEXT = 400
"""Characters before and behind a gap that are kept for the report."""
LONGEST = 4000
"""Characters of a completion that are kept."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Gaps, and what each model wrote into them."""

    problems: Sequence[LineProblem]
    completions: Mapping[str, Sequence[str]]
    """By model."""

    @property
    def origins(self) -> list[str]:
        return [problem.origin for problem in self.problems]

    def exact(self, model: str) -> list[int]:
        """1 where the stripped texts are equal. (P,)"""
        pairs = zip(self.completions[model], self.problems, strict=True)
        return [int(text.strip() == problem.truth.strip()) for text, problem in pairs]


def infilling_scores(
    gaps: Gaps, filled: Mapping[str, Mapping[GapKind, Filled]]
) -> dict[str, Any] | None:
    """`filled` by model; None where there was no gap."""
    if not gaps.by_kind:
        return None
    kinds = {
        kind: Compared(
            problems=problems,
            completions={name: filled[name][kind].completions for name in MODELS},
        )
        for kind, problems in gaps.by_kind.items()
    }
    every = Compared(
        problems=[problem for one in kinds.values() for problem in one.problems],
        completions={
            name: [text for one in kinds.values() for text in one.completions[name]]
            for name in MODELS
        },
    )
    limits = {kind: {name: filled[name][kind].max_new_tokens for name in MODELS} for kind in kinds}
    settings = {
        name: _settings(list(kinds), {kind: own[name] for kind, own in limits.items()})
        for name in MODELS
    }
    return {
        **_scores(every, settings),
        "kinds": {kind: _of_kind(kind, own, limits[kind]) for kind, own in kinds.items()},
    }


def infilling_rates(infilling: Mapping[str, Any] | None, model: str) -> dict[str, float]:
    """What the gate looks at: exact match in all and by kind."""
    if infilling is None:
        return {}
    return {
        INFILLING: infilling[model]["exact_match"],
        **{
            f"{INFILLING}_{kind}": own[model]["exact_match"]
            for kind, own in infilling["kinds"].items()
        },
    }


def _of_kind(kind: GapKind, own: Compared, limits: Mapping[str, int]) -> dict[str, Any]:
    names = ids_of(own.problems)
    exact = {name: own.exact(name) for name in MODELS}
    return {
        **_scores(own, {name: _settings([kind], limits[name]) for name in MODELS}),
        "by_problem": {
            name: list(pair)
            for name, pair in zip(
                names, zip(exact["base"], exact["tuned"], strict=True), strict=True
            )
        },
        "origins": dict(zip(names, own.origins, strict=True)),
        "examples": _examples(own, names),
    }


def _scores(own: Compared, settings: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    exact = {name: own.exact(name) for name in MODELS}
    return {
        "metric": "exact_match",
        **{name: {**_of_model(own, name), "settings": settings[name]} for name in MODELS},
        "comparison": compare(exact["base"], exact["tuned"], 1, own.origins).as_json(),
    }


def _of_model(own: Compared, model: str) -> dict[str, Any]:
    truths = [problem.truth for problem in own.problems]
    interval = mean_interval(np.array(own.exact(model), dtype=np.float64), own.origins)
    texts = list(own.completions[model])
    return {
        "exact_match": _metric("infilling_exact_match", "exact_match", texts, truths),
        "interval": [round(interval.low, 6), round(interval.high, 6)],
        "edit_similarity": _metric("edit_similarity", "edit_similarity", texts, truths),
        "problems": len(truths),
    }


def _metric(folder: str, key: str, texts: list[str], truths: list[str]) -> float:
    found = _loaded(folder).compute(predictions=texts, references=truths)
    return round(float(found[key]), 6)


@cache
def _loaded(folder: str) -> Any:
    import evaluate

    return evaluate.load(str(METRICS / folder))


def _settings(kinds: Sequence[GapKind], max_new_tokens: int | dict[GapKind, int]) -> dict[str, Any]:
    return {
        "task": f"{_listed(kinds)} of held-out files, by exact match of stripped text",
        "layout": "psm",
        "decoding": "greedy",
        "max_new_tokens": max_new_tokens,
        "end": ", ".join(sorted({_end(kind) for kind in kinds})),
    }


def _listed(kinds: Sequence[GapKind]) -> str:
    return ", ".join(kind.replace("_", " ") for kind in kinds)


def _end(kind: GapKind) -> str:
    return "of a line at its end" if kind in STOPS else "where the model sets it"


def _examples(own: Compared, names: Sequence[str]) -> list[dict[str, Any]]:
    """The first gaps, in the order in which they were drawn: no selection of good ones."""
    exact = {name: own.exact(name) for name in MODELS}
    return [
        {
            "id": names[at],
            "prompt": problem.gap.prefix[-CONTEXT:],
            "suffix": problem.gap.suffix[:CONTEXT],
            "truth": problem.truth[:LONGEST],
            **{
                name: {
                    "completion": own.completions[name][at][:LONGEST],
                    "verdict": "exact" if exact[name][at] else "different",
                    "detail": "",
                }
                for name in MODELS
            },
        }
        for at, problem in list(enumerate(own.problems))[:SAMPLES]
    ]
