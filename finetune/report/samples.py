"""Infilling samples, cut to what fits on a page and split where the completion goes astray."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import Any

from finetune.report.inert import inert, inert_line

CONTEXT_LINES = 8
BEHIND_LINES = 3
CONTEXT_CHARACTERS = 700
COMPLETION_CHARACTERS = 1000
OPEN_SAMPLES = 4
MOST_SAMPLES = 40


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A gap that was filled in. `agreed` is where truth and completion are the same text."""

    path: str
    kind: str
    """Of gap; empty where scores do not say."""
    context: str
    behind: str
    """What stands after the gap."""
    agreed: str
    truth: str
    completion: str
    exact: bool


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The first samples in the order of the scores: not a selection of the good ones."""

    shown: tuple[Sample, ...]
    folded: tuple[Sample, ...]
    recorded: int


def samples_of(scores: Mapping[str, Any]) -> Samples:
    """Those of the tuned model, the kinds of gaps taking turns."""
    infilling = _dict(scores.get("infilling"))
    values = _dicts(_dict(infilling.get("tuned")).get("samples")) or _by_turns(infilling)
    samples = tuple(_sample(value) for value in values[:MOST_SAMPLES])
    return Samples(
        shown=samples[:OPEN_SAMPLES], folded=samples[OPEN_SAMPLES:], recorded=len(values)
    )


def _by_turns(infilling: Mapping[str, Any]) -> list[dict[str, Any]]:
    columns = [
        [_from_example(kind, one) for one in _dicts(_dict(own).get("examples"))]
        for kind, own in _dict(infilling.get("kinds")).items()
    ]
    return [one for row in zip_longest(*columns) for one in row if one is not None]


def _from_example(kind: str, example: Mapping[str, Any]) -> dict[str, Any]:
    tuned = _dict(example.get("tuned"))
    return {
        "kind": kind,
        "path": example.get("id", ""),
        "prefix": example.get("prompt", ""),
        "suffix": example.get("suffix", ""),
        "truth": example.get("truth", ""),
        "completion": tuned.get("completion", ""),
        "exact": tuned.get("verdict") == "exact",
    }


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _sample(values: Mapping[str, Any]) -> Sample:
    truth, completion = str(values.get("truth", "")), str(values.get("completion", ""))
    exact = values.get("exact") is True
    # Exact ones may still differ in what the metric forgives; there is nothing to point out.
    agreed = truth if exact else common_start(truth, completion)
    return Sample(
        path=inert_line(str(values.get("path", ""))),
        kind=inert_line(str(values.get("kind", "")).replace("_", " ")),
        behind=inert(first_lines(str(values.get("suffix", "")))),
        context=inert(last_lines(str(values.get("prefix", "")))),
        agreed=inert(shortened(agreed)),
        truth="" if exact else inert(visible(shortened(truth[len(agreed) :]))),
        completion="" if exact else inert(visible(shortened(completion[len(agreed) :]))),
        exact=exact,
    )


def common_start(one: str, other: str) -> str:
    """What both start with."""
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return "".join(character for character, _ in pairs)


def last_lines(prefix: str) -> str:
    """The end of a prefix, which is where the completion starts."""
    lines = prefix.split("\n")
    kept = "\n".join(lines[-CONTEXT_LINES:])
    if len(kept) > CONTEXT_CHARACTERS:
        return "…" + kept[-CONTEXT_CHARACTERS:]
    return ("…\n" if len(lines) > CONTEXT_LINES else "") + kept


def first_lines(suffix: str) -> str:
    """The beginning of a suffix."""
    lines = suffix.split("\n")
    kept = "\n".join(lines[:BEHIND_LINES])
    if len(kept) > CONTEXT_CHARACTERS:
        return kept[:CONTEXT_CHARACTERS] + "…"
    return kept + ("\n…" if len(lines) > BEHIND_LINES else "")


def shortened(text: str) -> str:
    """With a count of what was cut."""
    rest = len(text) - COMPLETION_CHARACTERS
    return f"{text[:COMPLETION_CHARACTERS]}… ({rest:,} more characters)" if rest > 0 else text


def visible(text: str) -> str:
    """White space that a reader would miss where it is the whole difference."""
    body = text.rstrip(" \t\n")
    marks = {" ": "·", "\t": "→", "\n": "↵\n"}
    return body + "".join(marks[character] for character in text[len(body) :])
