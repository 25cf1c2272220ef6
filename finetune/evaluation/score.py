"""Everything that scores.json says, measured on base and tuned with the same held-out inputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_formats.document import Document
from finetune.evaluation.gate import gate
from finetune.evaluation.line_problems import LineProblem, line_problems
from finetune.evaluation.tasks_of_run import NO_TASKS, TaskResults
from finetune.generation.folder_model import FolderModel
from finetune.generation.infill import infill_lines
from finetune.models.measure import LAYOUTS, Measured, MeasuringSet, measure, measuring_set
from finetune.recipe.evaluation import INFILLING
from finetune.recipe.schema import Evaluate
from finetune.sequences import TokenisedCorpus

METRIC = Path(__file__).parent / "metrics" / "infilling_exact_match"
TOKENS_AT_ONCE = 4096
"""Per forward pass; its logits are 4096 x 49152 x 4 bytes, 0.8 GB, for StarCoder."""
SAMPLES = 12
"""Completions that the report shows."""

ByLayout = dict[str, Measured]


@dataclass(frozen=True)
class HeldOut:
    """What both models are measured on."""

    sets: dict[str, dict[str, MeasuringSet]]
    """By language, then layout."""
    problems: list[LineProblem]


@dataclass(frozen=True)
class ModelScores:
    """One model's measurements."""

    losses: dict[str, ByLayout]
    completions: list[str]


def held_out(
    corpus: TokenisedCorpus, documents: Sequence[Document], section: Evaluate, length: int
) -> HeldOut:
    """Measuring sets per language and layout, and the lines to fill in.

    `corpus` holds the same held-out files as `documents`.
    """
    has_sentinels = corpus.tokenizer.sentinels is not None
    layouts = list(LAYOUTS) if has_sentinels else ["left_to_right"]
    sets = {}
    for language in corpus.languages:
        own = corpus.in_language(language)
        sets[language] = {
            layout: measuring_set(own, layout, length, section.loss_tokens) for layout in layouts
        }
    count = section.infilling_problems if has_sentinels else 0
    return HeldOut(sets, line_problems(documents, count))


def score_model(model: FolderModel, inputs: HeldOut, section: Evaluate) -> ModelScores:
    """One model's losses and completions."""
    losses = {
        language: {
            layout: measure(model.model, one, _blocks_at_once(one)) for layout, one in sets.items()
        }
        for language, sets in inputs.sets.items()
    }
    completions = infill_lines(
        model.model,
        model.tokenizer,
        [problem.gap for problem in inputs.problems],
        max_new_tokens=section.max_new_tokens,
    )
    return ModelScores(losses, completions)


def _blocks_at_once(measured: MeasuringSet) -> int:
    length = len(measured.blocks[0].input_ids) if measured.blocks else 1
    return max(1, TOKENS_AT_ONCE // length)


def scores_json(
    base: ModelScores,
    tuned: ModelScores,
    inputs: HeldOut,
    section: Evaluate,
    results: TaskResults = NO_TASKS,
) -> dict[str, Any]:
    """The contents of scores.json."""
    models = {"base": base, "tuned": tuned}
    totals = {name: _total(scores.losses) for name, scores in models.items()}
    losses = {name: _round(total, "loss") for name, total in totals.items()}
    infilling = None
    rates = results.rates
    if inputs.problems:
        infilling = {name: _infilling(own, inputs, section) for name, own in models.items()}
        for name, own in infilling.items():
            rates[name][INFILLING] = own["exact_match"]
    return {
        "losses": losses,
        "bits_per_byte": {name: _round(total, "bits_per_byte") for name, total in totals.items()},
        "losses_by_language": {
            language: {name: _round(s.losses[language], "loss") for name, s in models.items()}
            for language in inputs.sets
        },
        "measured_tokens": {
            language: {layout: one.tokens for layout, one in by_layout.items()}
            for language, by_layout in base.losses.items()
        },
        "infilling": infilling,
        **({"tasks": results.tasks} if results.tasks else {}),
        **({"tasks_not_run": results.not_run} if results.not_run else {}),
        "gate": gate(section.gate, losses, rates),
        "jail": results.jail,
    }


def _total(losses: dict[str, ByLayout]) -> ByLayout:
    """Sums over languages; each language weighs as many tokens as it has."""
    layouts = next(iter(losses.values()))
    return {
        layout: sum((by[layout] for by in losses.values()), start=Measured(0.0, 0, 0))
        for layout in layouts
    }


def _round(measured: ByLayout, name: str) -> dict[str, float]:
    return {layout: round(getattr(one, name), 6) for layout, one in measured.items() if one.tokens}


def _infilling(scores: ModelScores, inputs: HeldOut, section: Evaluate) -> dict[str, Any]:
    import evaluate

    truths = [problem.truth for problem in inputs.problems]
    exact = evaluate.load(str(METRIC)).compute(predictions=scores.completions, references=truths)
    shown = list(zip(inputs.problems, scores.completions, strict=True))[:SAMPLES]
    return {
        "exact_match": round(exact["exact_match"], 6),
        "problems": len(truths),
        "settings": {
            "task": "one line of a held-out file, by exact match of stripped text",
            "layout": "psm",
            "decoding": "greedy",
            "max_new_tokens": section.max_new_tokens,
        },
        "samples": [
            {
                "path": problem.path,
                "prefix": problem.gap.prefix[-200:],
                "truth": problem.truth,
                "completion": completion,
                "exact": completion.strip() == problem.truth.strip(),
            }
            for problem, completion in shown
        ],
    }


def in_words(scores: dict[str, Any]) -> str:
    """What changed, in a line."""
    base, tuned = scores["losses"]["base"], scores["losses"]["tuned"]
    words = [f"{name} {base[name]:.3f} -> {tuned[name]:.3f}" for name in base]
    for name, task in scores.get("tasks", {}).items():
        before, after = (100 * task[model][task["metric"]] for model in ("base", "tuned"))
        words.append(f"{name} {before:.1f} -> {after:.1f}")
    words += [f"{one['what']} not run" for one in scores.get("tasks_not_run", [])]
    return ", ".join(words)
