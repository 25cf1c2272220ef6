"""Problems -> requests, and completions -> programs."""

from collections.abc import Sequence

from finetune.errors import UserError
from finetune.generation.completion import Request
from finetune.generation.infill import SHORTEST_PROMPT, Gap, infill_prompt
from finetune.generation.sampling import Sampling
from finetune.generation.spelling import opening_ids
from finetune.generation.task_settings import settings_of, stops_of
from finetune.tasks import Problem
from finetune.tokenizer import CodeTokenizer


def requests_for(
    task: str,
    problems: Sequence[Problem],
    sampling: Sampling,
    tokenizer: CodeTokenizer | None,
    positions: int | None,
    layout: str = "psm",
) -> list[Request]:
    """Every sample of every problem, in order.

    Gaps need the sentinels of `tokenizer`, and their contexts are cut to what `positions` hold.
    Raises UserError where that cannot be.
    """
    made: list[Request] = []
    for problem in problems:
        prompt: str | tuple[int, ...] = settings_of(task).shown(problem)
        if problem.suffix is not None:
            prompt = _gap_prompt(problem, sampling, tokenizer, positions, layout)
        made += [
            Request(
                task=task,
                id=problem.id,
                sample=sample,
                prompt=prompt,
                stops=stops_of(task, problem),
            )
            for sample in range(sampling.samples)
        ]
    return made


def _gap_prompt(
    problem: Problem,
    sampling: Sampling,
    tokenizer: CodeTokenizer | None,
    positions: int | None,
    layout: str,
) -> tuple[int, ...]:
    if tokenizer is None:
        raise UserError(
            f"{problem.task}: {problem.id} has a gap to fill, which takes ids of sentinels: name "
            "the model's own tokenizer"
        )
    if sampling.max_new_tokens is None:
        raise UserError(
            f"max_new_tokens: {problem.task} fills gaps, whose context takes what the answer "
            "leaves free; set it"
        )
    limits = [limit for limit in (positions, sampling.max_length) if limit is not None]
    if not limits:
        raise UserError(
            f"positions: {problem.task} fills gaps, whose context takes what the model has room "
            "for; state the model's positions"
        )
    opening, limit = opening_ids(tokenizer), min(limits)
    budget = limit - sampling.max_new_tokens - len(opening)
    if budget < SHORTEST_PROMPT:
        raise UserError(
            f"max_new_tokens: {sampling.max_new_tokens} leave no room for a prompt in {limit} "
            "tokens; make it smaller"
        )
    gap = Gap(problem.prompt, problem.suffix or "")
    return (*opening, *infill_prompt(gap, tokenizer, budget, layout))


def answer_of(task: str, problem: Problem, completion: str) -> tuple[str, str]:
    """What stands before the answer in its program, and the answer alone."""
    settings = settings_of(task)
    head = problem.prompt
    if problem.suffix is None:
        head = (settings.head or settings.shown)(problem)
    if settings.ends_with_block:
        completion = first_block(completion.rstrip(), problem.language)
    return head, completion


def first_block(text: str, language: str) -> str:
    """What belongs to the function that the prompt began, as OctoPack's harness has it.

    Python's ends before the first line that is not indented, the others' at the bracket that closes
    it; brackets in strings count, as they do there. One that is never closed keeps its last
    bracket.
    """
    if language == "python":
        lines = text.split("\n")
        indented = (not line.strip() or line[0] in " \t" for line in lines)
        end = next((number for number, stays in enumerate(indented) if not stays), len(lines))
        return "\n".join(lines[:end])
    depth = 2 if language == "java" else 1  # Java's function stands in a class
    for end, character in enumerate(text, start=1):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[:end]
    return text[: text.rfind("}") + 1] if "}" in text else text
