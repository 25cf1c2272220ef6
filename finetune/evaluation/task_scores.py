"""Verdicts on one task, of base and tuned or of one model alone -> what scores.json says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from finetune.evaluation.statistics import compare, mean_interval, pass_at_k
from finetune.evaluation.task_problems import ChosenTask
from finetune.generation.completion import Completion
from finetune.jail import Verdict

TOLD = (1, 10, 100)
"""Values of k for which pass@k is told, where as many samples were drawn."""
EXAMPLES = 12
"""Problems whose completions the report shows."""
LONGEST = 4000
"""Characters of a prompt or completion that are kept for the report."""

MODELS = ("base", "tuned")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One model's completions of a task and what they are worth, in the same order."""

    completions: Sequence[Completion]
    verdicts: Sequence[Verdict]
    jails: Sequence[str] = ()
    """Names of the back ends that judged."""
    written_by: Mapping[str, Any] = field(default_factory=dict)
    """Identity of the back end that wrote."""

    def passed(self, task: ChosenTask) -> list[int]:
        """How many samples of each problem passed. (P,)"""
        counts = dict.fromkeys((problem.id for problem in task.problems), 0)
        for completion, verdict in zip(self.completions, self.verdicts, strict=True):
            counts[completion.id] += verdict.outcome == "passed"
        return list(counts.values())


def task_scores(
    task: ChosenTask, judged: Mapping[str, Judged], not_run: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """A task's entry; `judged` by model. Base and tuned are compared where both are there.

    `not_run`: what of the task was left out, and why.
    """
    metric = "exact_match" if task.is_by_text else "pass@1"
    passed = {name: one.passed(task) for name, one in judged.items()}
    return {
        "metric": metric,
        **{name: _of_model(task, metric, passed[name], one) for name, one in judged.items()},
        **(_comparison(task, passed) if len(judged) == len(MODELS) else {}),
        "by_problem": {
            problem.id: list(counts)
            for problem, counts in zip(
                task.problems, zip(*passed.values(), strict=True), strict=True
            )
        },
        "origins": {problem.id: problem.origin for problem in task.problems},
        **_by_language(task, passed),
        "examples": _examples(task, judged),
        "not_run": [{"what": what, "why": why} for what, why in not_run],
    }


def _comparison(task: ChosenTask, passed: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    origins = [problem.origin for problem in task.problems]
    before, after = (passed[name] for name in MODELS)
    found = compare(before, after, task.sampling.samples, origins)
    return {"comparison": found.as_json()}


def _of_model(
    task: ChosenTask, metric: str, passed: Sequence[int], judged: Judged
) -> dict[str, Any]:
    samples, origins = task.sampling.samples, [problem.origin for problem in task.problems]
    first = pass_at_k(samples, passed, 1)  # (P,)
    interval = mean_interval(first, origins)
    told = {f"pass@{k}": pass_at_k(samples, passed, k) for k in TOLD[1:] if k <= samples}
    outcomes = [verdict.outcome for verdict in judged.verdicts]
    return {
        metric: round(float(first.mean()), 6),
        **{name: round(float(values.mean()), 6) for name, values in told.items()},
        "interval": [round(interval.low, 6), round(interval.high, 6)],
        "problems": len(task.problems),
        "samples": samples,
        "settings": task.sampling.settings,
        "outcomes": {name: outcomes.count(name) for name in sorted(set(outcomes))},
        "written_by": dict(judged.written_by),
        "judged_by": list(judged.jails),
    }


def _by_language(task: ChosenTask, passed: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Left out where all problems are in one language."""
    languages = np.array([problem.language for problem in task.problems])  # (P,)
    names = sorted(set(languages.tolist()))
    if len(names) == 1:
        return {}
    shares = {name: pass_at_k(task.sampling.samples, own, 1) for name, own in passed.items()}
    return {
        "by_language": {
            language: {
                **{
                    n: round(float(own[languages == language].mean()), 6)
                    for n, own in shares.items()
                },
                "problems": int((languages == language).sum()),
            }
            for language in names
        }
    }


def _examples(task: ChosenTask, judged: Mapping[str, Judged]) -> list[dict[str, Any]]:
    """The first sample of problems on which the models differ, then of the others."""
    first = {
        name: {
            completion.id: (completion, verdict)
            for completion, verdict in zip(one.completions, one.verdicts, strict=True)
            if completion.sample == 0
        }
        for name, one in judged.items()
    }

    def is_same(id_: str) -> bool:
        return len({first[name][id_][1].outcome for name in judged}) == 1

    chosen = sorted(task.problems, key=lambda problem: is_same(problem.id))[:EXAMPLES]
    return [
        {
            "id": problem.id,
            "prompt": problem.prompt[-LONGEST:],
            **{name: _example(*first[name][problem.id]) for name in judged},
        }
        for problem in chosen
    ]


def _example(completion: Completion, verdict: Verdict) -> dict[str, str]:
    return {
        "completion": completion.text[:LONGEST],
        "verdict": verdict.outcome,
        "detail": verdict.reason,
    }
