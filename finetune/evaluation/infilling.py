"""Gaps of several kinds in held-out files: what both models are asked, and what they write."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data_formats.document import Document
from finetune.evaluation.gap_kinds import problems_of_kind, without_parser
from finetune.evaluation.line_problems import LineProblem
from finetune.generation.engine import positions_of
from finetune.generation.infill import FAR_ENOUGH, infill
from finetune.recipe.evaluation import INFILLING, LONGEST_COMPLETION, Evaluate, GapKind
from finetune.tokenizer import CodeTokenizer

STOPS: dict[GapKind, tuple[str, ...]] = {"line": ("\n",)}
"""A line ends where a line ends; everything else where the model ends it."""


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """What both models fill in."""

    by_kind: dict[GapKind, list[LineProblem]]
    """Kinds of which there is a gap at least."""
    not_run: list[dict[str, str]]
    """`what` could not be measured and `why`."""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What one model wrote for the gaps of one kind, in their order."""

    completions: list[str]
    max_new_tokens: int


def gaps_of(documents: Sequence[Document], section: Evaluate, *, has_sentinels: bool) -> Gaps:
    """`section.infilling_problems` gaps of each kind. Which ones depends on the files alone."""
    if not section.infilling_problems:
        return Gaps(by_kind={}, not_run=[])
    if not has_sentinels:
        why = "the tokenizer has no fill-in-the-middle sentinels"
        return Gaps(by_kind={}, not_run=[{"what": INFILLING, "why": why}])
    documents = [one for one in documents if one.bodies != ()]  # others are no code of a language
    found = {
        kind: problems_of_kind(documents, kind, section.infilling_problems)
        for kind in dict.fromkeys(section.infilling_kinds)
    }
    not_run = [
        {"what": _named(kind), "why": "the held-out files have no gap of this kind"}
        for kind, problems in found.items()
        if not problems
    ]
    if "function_body" in found:
        not_run += [
            {
                "what": f"{_named('function_body')}, {language}: {_files(count)}",
                "why": f"no parser for {language} is here, so its functions are not found",
            }
            for language, count in sorted(without_parser(documents).items())
        ]
    return Gaps(by_kind={kind: own for kind, own in found.items() if own}, not_run=not_run)


def _named(kind: str) -> str:
    return f"{INFILLING}, {kind.replace('_', ' ')}"


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def fill(
    model: Any, tokenizer: CodeTokenizer, gaps: Gaps, section: Evaluate
) -> dict[GapKind, Filled]:
    """What a model in evaluation mode writes, greedily. Raises UserError where the recipe's
    `max_new_tokens` leave a prompt no room."""
    filled = {}
    for kind, problems in gaps.by_kind.items():
        limit = section.max_new_tokens.get(kind)
        if limit is None:
            limit = min(LONGEST_COMPLETION[kind], (positions_of(model.config) or FAR_ENOUGH) // 2)
        completions = infill(
            model,
            tokenizer,
            [problem.gap for problem in problems],
            stops=STOPS.get(kind, ()),
            max_new_tokens=limit,
            batch_size=section.batch_size,
        )
        filled[kind] = Filled(completions=completions, max_new_tokens=limit)
    return filled


def ids_of(problems: Sequence[LineProblem]) -> list[str]:
    """`repo/path:line` of each gap; the second in one place has `#2` behind it. Fewer gaps have the
    names that they have among more."""
    seen: Counter[str] = Counter()
    names = []
    for problem in problems:
        name = f"{problem.origin}:{problem.line}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names
