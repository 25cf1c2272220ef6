"""Gaps in a text -> prompts that ask for what is missing, in the layouts that models are taught."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data_formats.fim import LAYOUTS
from finetune.errors import UserError
from finetune.generation.completion import Request, cut
from finetune.generation.engine import LocalModel, positions_of
from finetune.generation.sampling import Sampling
from finetune.tokenizer import CodeTokenizer

SHORTEST_PROMPT = 4
"""Ids: three sentinels and one of context."""


FAR_ENOUGH = 8192
"""Tokens around a gap that a model is shown which states no positions: as many as StarCoder has."""


@dataclass(frozen=True)
class Gap:
    """A place in a text where something is missing."""

    prefix: str
    suffix: str


def psm_prompt(gap: Gap, tokenizer: CodeTokenizer, budget: int) -> list[int]:
    """`PRE prefix SUF suffix MID` in at most `budget` ids, as `infill_prompt` shortens it."""
    return infill_prompt(gap, tokenizer, budget, "psm")


def infill_prompt(gap: Gap, tokenizer: CodeTokenizer, budget: int, layout: str) -> list[int]:
    """The prompt of a layout of `data_formats.fim` in at most `budget` ids.

    What is too long loses its far ends: the suffix may take a quarter of the room, or what the
    prefix leaves free. Raises UserError where the tokenizer has no sentinels.
    """
    sentinels = tokenizer.sentinels
    if sentinels is None:
        raise UserError(
            f"{tokenizer.folder}: its tokenizer has no fill-in-the-middle sentinels; "
            "leave out the tasks that fill gaps"
        )
    assert budget >= SHORTEST_PROMPT, "callers know how many positions there are"
    prefix, suffix = tokenizer.encode(gap.prefix), tokenizer.encode(gap.suffix)
    room = budget - 3
    kept_suffix = min(len(suffix), max(room // 4, room - len(prefix)))
    kept_prefix = min(len(prefix), room - kept_suffix)
    part = {
        "PREFIX": [sentinels.prefix],
        "SUFFIX": [sentinels.suffix],
        "MIDDLE": [sentinels.middle],
        "prefix": prefix[len(prefix) - kept_prefix :],
        "suffix": suffix[:kept_suffix],
    }
    return [id_ for role in LAYOUTS[layout] if role != "middle" for id_ in part[role]]


def prompt_budget(model: Any, max_new_tokens: int, setting: str) -> int:
    """How many tokens of a prompt leave room for an answer.

    Raises UserError, naming the `setting`, where too few are left.
    """
    positions = positions_of(model.config) or FAR_ENOUGH
    if positions - max_new_tokens < SHORTEST_PROMPT:
        raise UserError(
            f"{setting}: {max_new_tokens} leave no room for a prompt in the model's {positions} "
            "positions; make it smaller"
        )
    return positions - max_new_tokens


def infill(
    model: Any,
    tokenizer: CodeTokenizer,
    gaps: Sequence[Gap],
    *,
    stops: tuple[str, ...],
    max_new_tokens: int,
    batch_size: int,
) -> list[str]:
    """The most likely text for each gap, in the order of `gaps`: up to the first of `stops`, or to
    the end that the model itself sets.

    Raises UserError where `max_new_tokens` leaves a prompt no room.
    """
    budget = prompt_budget(model, max_new_tokens, "evaluate.max_new_tokens")
    requests = [
        Request(
            task="infilling",
            id=str(number),
            sample=0,
            prompt=tuple(psm_prompt(gap, tokenizer, budget)),
            stops=stops,
        )
        for number, gap in enumerate(gaps)
    ]
    local = LocalModel(model=model, tokenizer=tokenizer, name="", batch_size=batch_size)
    texts = [""] * len(gaps)
    for index, written in local.write(requests, Sampling(max_new_tokens=max_new_tokens)):
        texts[index] = cut(tokenizer.decode(written.ids), stops)[0]
    return texts
