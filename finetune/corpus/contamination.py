"""Documents that hold text of a benchmark: overlap in words, by runs of 13 of them or as a whole.

A word is a run of ASCII letters, digits and underscores, so that indentation, line breaks, quotes
and operators make no difference. A document is a hit where it holds

- a run of 13 words of a problem's prompt, answer or tests. Idioms do not count: runs whose distinct
  words, numbers left out, have fewer than 18 characters together (`for i in range n for j in range
  i 1 n`), and runs that stand in more than 3 problems (import blocks, helpers of tests);
- or the whole of a prompt, answer or tests that has no run that counts; an answer of fewer than
  13 words only right behind its signature.

The marks of a document are not looked at: its text is searched as one. No rule on words finds a
paraphrase, a translation, or a copy with other names or with a comment on each line.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

from finetune.corpus.word_runs import (
    FEWEST_CHARACTERS,
    MOST_PROBLEMS,
    RUN,
    Source,
    run_table,
    runs_in,
    words_of,
)
from finetune.tasks import Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Overlap:
    """The problem whose text a document holds."""

    task: str
    problem: str


@dataclass(frozen=True)
class Compared:
    """One task that documents are compared with."""

    task: str
    problems: int
    short: int
    """Problems whose answer is too short to count without its signature."""


@dataclass(frozen=True, eq=False)
class Contamination:
    """What documents are compared with: hashes of runs, and phrases that count as a whole."""

    compared: tuple[Compared, ...]
    problems: tuple[Overlap, ...]
    numbers: Mapping[str, int]
    """Word of a benchmark -> its number, from 1."""
    hashes: "NDArray[np.uint64]"
    """Rising. Two different runs share one with a probability of about 5e-20."""
    owners: "NDArray[np.int32]"
    """Position in `problems` of the first problem that has the run."""
    phrases: Mapping[str, Sequence[tuple[str, int]]]
    """One word of a phrase -> phrases (words between single spaces) and their problems."""

    @cached_property
    def digest(self) -> str:
        """Changes when what documents are compared with changes."""
        digest = blake2b(digest_size=8)
        digest.update(repr((self.compared, self.problems, sorted(self.numbers.items()))).encode())
        digest.update(repr(sorted(self.phrases.items())).encode())
        digest.update(self.hashes.tobytes() + self.owners.tobytes())
        return digest.hexdigest()

    def overlap(self, text: str) -> Overlap | None:
        """The first problem, in the order in which they were given, that `text` holds text of."""
        words = words_of(text)
        owners = list(self._phrases(words))
        runs = self.owners[runs_in(words, self.numbers, self.hashes)]
        if len(runs):
            owners.append(int(runs.min()))
        return self.problems[min(owners)] if owners else None

    def hit(self, text: str) -> str | None:
        """`humaneval: HumanEval/0` where `text` holds text of that problem, else None."""
        found = self.overlap(text)
        return f"{found.task}: {found.problem}" if found else None

    def _phrases(self, words: list[str]) -> Iterator[int]:
        present = self.phrases.keys() & set(words)
        joined = f" {' '.join(words)} " if present else ""
        for word in present:
            for phrase, owner in self.phrases[word]:
                if f" {phrase} " in joined:
                    yield owner


def contamination_index(problems: Iterable[Problem]) -> Contamination:
    """What documents are compared with, so that they hold nothing of `problems`.

    The order counts: where two tasks share a problem, the first one is named.
    """
    given = list(problems)
    numbers: dict[str, int] = {}
    hashes, owners = run_table(_sources(given), numbers)
    short = short_solutions(given)
    counts = Counter(problem.task for problem in given)
    compared = [Compared(task, count, len(short.get(task, ()))) for task, count in counts.items()]
    phrases: dict[str, list[tuple[str, int]]] = {}
    for at, problem in enumerate(given):
        for text in _parts(problem):
            words = words_of(text)
            if len(runs_in(words, numbers, hashes)):
                continue
            if text == problem.solution and len(words) < RUN:
                words = words_of(_with_signature(problem))
            if words:
                phrases.setdefault(max(words, key=len), []).append((" ".join(words), at))
    return Contamination(
        compared=tuple(compared),
        problems=tuple(Overlap(problem.task, problem.id) for problem in given),
        numbers=numbers,
        hashes=hashes,
        owners=owners,
        phrases=phrases,
    )


def short_solutions(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Task -> ids of the problems whose answer has fewer than 13 words.

    What fills a gap is not looked at: there the text that it was cut from is compared as a whole.
    """
    short: dict[str, list[str]] = {}
    for problem in problems:
        is_answer = bool(problem.solution) and problem.suffix is None
        if is_answer and len(words_of(problem.solution)) < RUN:
            short.setdefault(problem.task, []).append(problem.id)
    return short


def _sources(problems: Sequence[Problem]) -> list[Source]:
    """Every text of the problems once, as the first one's: gaps repeat one text many times."""
    origins: dict[str, int] = {}
    sources: dict[str, Source] = {}
    for at, problem in enumerate(problems):
        origin = origins.setdefault(problem.origin, len(origins))
        for text in (problem.whole, problem.tests, problem.instruction, problem.buggy):
            sources.setdefault(text, Source(text, at, origin))
    return list(sources.values())


def _parts(problem: Problem) -> tuple[str, ...]:
    """What is looked for as a whole where it has no run that counts; of a gap, nothing."""
    if problem.suffix is not None:
        return ()
    return problem.prompt, problem.tests, problem.solution


def _with_signature(problem: Problem) -> str:
    """The answer from its signature on; empty where the benchmark gives no signature."""
    if not problem.signature:
        return ""
    _, signature, body = problem.solution.rpartition(problem.signature)
    return signature + body if signature else f"{problem.signature}\n{problem.solution}"


def sentence(index: Contamination | None, dropped: Mapping[str, int]) -> str:
    """What was compared and what not, for the model's card.

    `dropped` holds the number of documents left out for each task; None: no benchmark was there.
    """
    if index is None or not index.problems:
        return "The training data was not compared with any benchmark."
    tasks = _listed(f"{one.task} ({one.problems:,} problems)" for one in index.compared)
    out = [f"{dropped[one.task]:,} for {one.task}" for one in index.compared if one.task in dropped]
    short = [f"{one.short:,} of {one.task}" for one in index.compared if one.short]
    parts = [
        f"The training data has no exact or {RUN}-gram overlap with prompts, answers and tests of "
        f"{tasks}, compared by words; idioms of fewer than {FEWEST_CHARACTERS} characters and runs "
        f"that stand in more than {MOST_PROBLEMS} problems are not counted.",
        f"Documents left out for this: {_listed(out) if out else 'none'}.",
    ]
    if short:
        parts.append(
            f"Answers of fewer than {RUN} words ({_listed(short)}) were looked for only together "
            "with their signature."
        )
    parts.append(
        "A comparison of words finds no paraphrase, translation or renamed or recommented copy."
    )
    return " ".join(parts)


def _listed(items: Iterable[str]) -> str:
    *most, last = items
    return f"{', '.join(most)} and {last}" if most else last
