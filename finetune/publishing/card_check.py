"""Whether a card's metadata is what the Hub takes and the base demands.

huggingface_hub checks nothing before it sends: `license: nonsense` passes. So this does, for every
card: before release/ gets its name, and again before a push, for people edit cards by hand.
"""

import math
import re
import reprlib
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from finetune.errors import UserError
from finetune.families import FAMILY_LICENCES
from finetune.licences import (
    card_metadata,
    check_licence_id,
    derivative_licence,
    split_card_text,
)

LIBRARIES = ("transformers", "peft", "gguf", "llama.cpp")
RELATIONS = ("finetune", "adapter", "merge", "quantized")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def is_number(value: Any) -> bool:
    """A score that can be told: finite, and no truth value."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxother = 2, 120, 120


def in_brief(value: Any) -> str:
    """A value for a message. Aliases of YAML make gigabytes of a few lines, so depth is cut."""
    return _BRIEF.repr(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_Check = tuple[Callable[[Any], bool], str]
_TEXT: _Check = (_is_text, "must be a text")
_TEXTS: _Check = (_is_texts, "must be a list of texts")
_EITHER: _Check = (lambda value: _is_text(value) or _is_texts(value), "must be a text or texts")
_MAP: _Check = (lambda value: isinstance(value, dict), "must be a mapping")
_ANY: _Check = (lambda value: value is not None, "must not be empty")

SCHEMA: dict[str, _Check] = {
    "license": _TEXT,
    "license_name": _TEXT,
    "license_link": _TEXT,
    "base_model": _EITHER,
    "base_model_relation": (RELATIONS.__contains__, f"must be one of {', '.join(RELATIONS)}"),
    "library_name": (LIBRARIES.__contains__, f"must be one of {', '.join(LIBRARIES)}"),
    "pipeline_tag": (lambda value: value == "text-generation", "must be text-generation"),
    "language": _EITHER,
    "datasets": _TEXTS,
    "metrics": _TEXTS,
    "tags": _TEXTS,
    "model-index": (lambda value: isinstance(value, list), "must be a list"),
    "model_name": _TEXT,
    "new_version": _TEXT,
    "thumbnail": _TEXT,
    "quantized_by": _TEXT,
    "inference": _ANY,
    "widget": _ANY,
    "co2_eq_emissions": _ANY,
    "gated": _ANY,
    "extra_gated_prompt": _TEXT,
    "extra_gated_heading": _TEXT,
    "extra_gated_description": _TEXT,
    "extra_gated_button_content": _TEXT,
    "extra_gated_fields": _MAP,
}
"""The Hub's keys, each with what its value has to be:
https://huggingface.co/docs/hub/model-cards and https://huggingface.co/docs/hub/models-gated"""

REQUIRED = ("license", "library_name", "pipeline_tag")


def validate_card(text: str, base_licence: str | None = None) -> list[str]:
    """One sentence per fault of a card; empty where it may be published.

    `base_licence` is the Hub id of the base's licence, where the caller knows it; for a
    `base_model` that we know it is looked up.
    """
    block, body = split_card_text(text)
    try:
        card = card_metadata(block, "the card")
    except UserError as error:
        return [str(error)]
    if not card:
        return [
            "has no metadata between two lines of `---` at its top; `finetune release` writes it"
        ]
    return [
        *_bad_values(card),
        *_bad_licence(card, base_licence),
        *_bad_base(card),
        *_bad_results(card, text),
        *([] if body.strip() else ["has metadata and no text"]),
    ]


def _bad_values(card: dict[str, Any]) -> Iterator[str]:
    for key in REQUIRED:
        if key not in card:
            yield f"`{key}` is missing"
    for key, value in card.items():
        if key in SCHEMA:
            is_good, wanted = SCHEMA[key]
            if not is_good(value):
                yield f"`{key}` {wanted}, not {in_brief(value)}"
        elif near := get_close_matches(key, SCHEMA, n=1, cutoff=0.8):
            yield f"`{key}` is no key of the Hub's; did you mean `{near[0]}`?"
    language = card.get("language", "code")
    if _EITHER[0](language) and "code" not in (
        [language] if isinstance(language, str) else language
    ):
        yield "`language` must name `code`"


def _bad_licence(card: dict[str, Any], base_licence: str | None) -> Iterator[str]:
    """The licence is one of the Hub's, and what the base asks for."""
    licence = card.get("license")
    if not isinstance(licence, str):
        return  # reported by its type
    try:
        check_licence_id(licence)
        if licence == "other" and not ("license_name" in card and "license_link" in card):
            yield "`license: other` needs `license_name` and `license_link`"
        base = base_licence or FAMILY_LICENCES.get(str(card.get("base_model")))
        if base is not None:
            derivative_licence(base, licence)
    except UserError as error:
        yield str(error)


def _bad_base(card: dict[str, Any]) -> Iterator[str]:
    base, relation = card.get("base_model"), card.get("base_model_relation")
    if (base is None) != (relation is None):
        yield "`base_model` and `base_model_relation` come together"
    for one in base if isinstance(base, list) else [base] if base is not None else []:
        if not isinstance(one, str) or not HUB_ID.fullmatch(one) or ".." in one:
            yield (
                f"`base_model` must be a Hub id, `owner/name`, not {in_brief(one)}: a path or an "
                "address means nothing to others"
            )
    if relation is not None and (relation == "adapter") != (card.get("library_name") == "peft"):
        yield "`base_model_relation: adapter` and `library_name: peft` come together"


def _bad_results(card: dict[str, Any], text: str) -> Iterator[str]:
    """`model-index` as the Hub's own client reads it; it leaves out what it cannot read."""
    from huggingface_hub import ModelCard
    from yaml import YAMLError  # type: ignore[import-untyped]  # of its own parser

    try:
        results = getattr(ModelCard(text).data, "eval_results", None) or []
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, YAMLError) as error:
        yield f"`model-index` cannot be read by huggingface_hub: {error}"
        return
    for result in results:
        value = result.metric_value
        if not is_number(value):
            yield f"`model-index`: {result.metric_type} of {result.dataset_name} is no number"
