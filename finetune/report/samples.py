"""Infilling samples, cut to what fits on a page and split where the completion goes astray."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from finetune.report.inert import inert, inert_line

CONTEXT_LINES = 8
CONTEXT_CHARACTERS = 700
COMPLETION_CHARACTERS = 1000
OPEN_SAMPLES = 4
MOST_SAMPLES = 40


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A line that was filled in. `agreed` is where truth and completion are the same text."""

    path: str
    context: str
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
    """Those of the tuned model."""
    infilling = scores.get("infilling")
    tuned = infilling.get("tuned") if isinstance(infilling, dict) else None
    values: Sequence[dict[str, Any]] = (tuned or {}).get("samples") or ()
    samples = tuple(_sample(value) for value in values[:MOST_SAMPLES])
    return Samples(
        shown=samples[:OPEN_SAMPLES], folded=samples[OPEN_SAMPLES:], recorded=len(values)
    )


def _sample(values: Mapping[str, Any]) -> Sample:
    truth, completion = str(values.get("truth", "")), str(values.get("completion", ""))
    exact = values.get("exact") is True
    # Exact ones may still differ in what the metric forgives; there is nothing to point out.
    agreed = truth if exact else common_start(truth, completion)
    return Sample(
        path=inert_line(str(values.get("path", ""))),
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


def shortened(text: str) -> str:
    """With a count of what was cut."""
    rest = len(text) - COMPLETION_CHARACTERS
    return f"{text[:COMPLETION_CHARACTERS]}… ({rest:,} more characters)" if rest > 0 else text


def visible(text: str) -> str:
    """White space that a reader would miss where it is the whole difference."""
    body = text.rstrip(" \t\n")
    marks = {" ": "·", "\t": "→", "\n": "↵\n"}
    return body + "".join(marks[character] for character in text[len(body) :])
