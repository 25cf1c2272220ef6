"""Everything that scores.json says, measured on base and tuned with the same held-out inputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data_formats.document import Document
from finetune.corpus.untrained import Untrained
from finetune.evaluation.gate import gate
from finetune.evaluation.infilling import Filled, Gaps, fill, gaps_of
from finetune.evaluation.infilling_scores import infilling_rates, infilling_scores
from finetune.evaluation.losses import (
    Losses,
    Sets,
    loss_scores,
    measure_losses,
    measuring_sets,
)
from finetune.evaluation.tasks_of_run import NO_TASKS, TaskResults
from finetune.generation.folder_model import FolderModel
from finetune.recipe.evaluation import Evaluate, GapKind
from finetune.sequences import Encoder, TokenisedCorpus, tokenise


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """What both models are measured on."""

    sets: Sets
    gaps: Gaps
    others: Untrained
    """Files in other languages, and which languages were trained on."""


@dataclass(frozen=True)
class ModelScores:
    """One model's measurements."""

    losses: Losses
    filled: dict[GapKind, Filled]


def held_out(
    corpus: TokenisedCorpus,
    documents: Sequence[Document],
    section: Evaluate,
    length: int,
    others: Untrained,
) -> HeldOut:
    """Measuring sets per language and layout, and the gaps to fill in.

    `corpus` holds the same held-out files as `documents`; `others`, files of other languages.
    """
    sets = measuring_sets(corpus, length, section.loss_tokens)
    if others.documents:
        more = tokenise(others.documents, Encoder(corpus.tokenizer))
        sets |= measuring_sets(more, length, section.loss_tokens)
    gaps = gaps_of(documents, section, has_sentinels=corpus.tokenizer.sentinels is not None)
    return HeldOut(sets=sets, gaps=gaps, others=others)


def score_model(model: FolderModel, inputs: HeldOut, section: Evaluate) -> ModelScores:
    """One model's losses and completions."""
    losses = measure_losses(model.model, inputs.sets)
    return ModelScores(losses, fill(model.model, model.tokenizer, inputs.gaps, section))


def scores_json(
    base: ModelScores,
    tuned: ModelScores,
    inputs: HeldOut,
    section: Evaluate,
    results: TaskResults = NO_TASKS,
) -> dict[str, Any]:
    """The contents of scores.json. `infilling` at its top is over all kinds of gaps together."""
    losses = loss_scores(
        {"base": base.losses, "tuned": tuned.losses},
        inputs.others.trained,
        inputs.others.languages,
    )
    infilling = infilling_scores(inputs.gaps, {"base": base.filled, "tuned": tuned.filled})
    rates = {
        name: {**own, **infilling_rates(infilling, name)} for name, own in results.rates.items()
    }
    return {
        **losses,
        **({"forgetting": inputs.others.stated} if inputs.others.stated else {}),
        "infilling": infilling,
        **({"infilling_not_run": inputs.gaps.not_run} if inputs.gaps.not_run else {}),
        **({"tasks": results.tasks} if results.tasks else {}),
        **({"tasks_not_run": results.not_run} if results.not_run else {}),
        "gate": gate(section.gate, losses["losses"], rates),
        "jail": results.jail,
    }


def in_words(scores: dict[str, Any]) -> str:
    """What changed, in a line."""
    base, tuned = scores["losses"]["base"], scores["losses"]["tuned"]
    words = [f"{name} {base[name]:.3f} -> {tuned[name]:.3f}" for name in base]
    for kind, own in ((scores["infilling"] or {}).get("kinds") or {}).items():
        before, after = (100 * own[model]["exact_match"] for model in ("base", "tuned"))
        words.append(f"{kind} filled in {before:.1f} -> {after:.1f}")
    for name, task in scores.get("tasks", {}).items():
        before, after = (100 * task[model][task["metric"]] for model in ("base", "tuned"))
        words.append(f"{name} {before:.1f} -> {after:.1f}")
    missing = [*scores.get("infilling_not_run", []), *scores.get("tasks_not_run", [])]
    words += [f"{one['what']} not run" for one in missing]
    return ", ".join(words)
