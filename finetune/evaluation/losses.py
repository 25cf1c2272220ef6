"""Held-out losses by language and layout, and what scores.json says of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from finetune.models.measure import LAYOUTS, Measured, MeasuringSet, measure, measuring_set
from finetune.sequences import TokenisedCorpus

TOKENS_AT_ONCE = 4096
"""Per forward pass; its logits are 4096 x 49152 x 4 bytes, 0.8 GB, for StarCoder."""

Sets = dict[str, dict[str, MeasuringSet]]
"""By language, then layout."""
Losses = dict[str, dict[str, Measured]]
"""One model's, by language, then layout."""


def measuring_sets(corpus: TokenisedCorpus, length: int, max_tokens: int) -> Sets:
    """What is measured in each language of `corpus`: left to right alone where the tokenizer has
    no sentinels."""
    layouts = list(LAYOUTS) if corpus.tokenizer.sentinels is not None else ["left_to_right"]
    return {
        language: {layout: measuring_set(own, layout, length, max_tokens) for layout in layouts}
        for language, own in ((name, corpus.in_language(name)) for name in corpus.languages)
    }


def measure_losses(model: Any, sets: Sets) -> Losses:
    """The losses of a model in evaluation mode."""
    return {
        language: {
            layout: measure(model, one, _blocks_at_once(one)) for layout, one in by_layout.items()
        }
        for language, by_layout in sets.items()
    }


def _blocks_at_once(measured: MeasuringSet) -> int:
    length = len(measured.blocks[0].input_ids) if measured.blocks else 1
    return max(1, TOKENS_AT_ONCE // length)


def loss_scores(
    models: Mapping[str, Losses], trained: Collection[str], untrained: Collection[str]
) -> dict[str, Any]:
    """The keys of scores.json that are about losses; `models` are `base` and `tuned`.

    The totals are over the held-out files of languages that were `trained` (where none of them is
    held out, of all that are not among `untrained`, which were brought for measuring alone).
    """
    languages = list(models["base"])
    own = [language for language in languages if language not in untrained]
    total_of = [language for language in own if language in trained] or own
    totals = {name: _total(losses[one] for one in total_of) for name, losses in models.items()}
    return {
        "losses": {name: _rounded(total, "loss") for name, total in totals.items()},
        "bits_per_byte": {name: _rounded(one, "bits_per_byte") for name, one in totals.items()},
        "losses_by_language": _by_language(models, languages, "loss"),
        "bits_per_byte_by_language": _by_language(models, languages, "bits_per_byte"),
        "measured_tokens": {
            language: {layout: one.tokens for layout, one in by_layout.items()}
            for language, by_layout in models["base"].items()
        },
        "trained_languages": sorted(trained),
    }


def _by_language(
    models: Mapping[str, Losses], languages: Sequence[str], name: str
) -> dict[str, dict[str, dict[str, float]]]:
    return {
        language: {side: _rounded(losses[language], name) for side, losses in models.items()}
        for language in languages
    }


def _total(losses: Iterable[Mapping[str, Measured]]) -> dict[str, Measured]:
    """Sums over languages; each language weighs as many tokens as it has."""
    total: dict[str, Measured] = {}
    for by_layout in losses:
        for layout, one in by_layout.items():
            total[layout] = total.get(layout, Measured(0.0, 0, 0)) + one
    return total


def _rounded(measured: Mapping[str, Measured], name: str) -> dict[str, float]:
    return {layout: round(getattr(one, name), 6) for layout, one in measured.items() if one.tokens}
