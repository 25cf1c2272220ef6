"""A problem and an answer to it -> a program to be judged."""

import re
from dataclasses import dataclass

from data_formats.python_syntax import parse_python
from finetune.tasks import Problem


@dataclass(frozen=True, kw_only=True)
class Program:
    """What is run, and what decides whether it is right."""

    source: str
    """Source without the tests."""
    tests: str
    given: str = ""
    """What the problem itself defines before the answer begins."""
    entry: str = ""
    """The function that the tests call."""
    language: str = "python"


def program(problem: Problem, completion: str, head: str | None = None) -> Program:
    """The program that `completion` makes of the problem; `head` is what stands before it, where
    that is not the prompt as the benchmark has it."""
    head = problem.prompt if head is None else head
    return Program(
        source=problem.setup + head + completion + (problem.suffix or ""),
        tests=problem.tests,
        given=given(problem.setup + head) if problem.language == "python" else "",
        entry=problem.entry_point,
        language=problem.language,
    )


def given(text: str) -> str:
    """The statements of Python source that end before the model's answer begins.

    A prompt ends inside a function or a line; what is whole above it is kept.
    """
    lines = text.splitlines()
    while lines:
        text = "\n".join(lines)
        for whole in (text + "\n    pass", text):
            if _parses(whole):
                return whole
        lines.pop()
    return ""


def _parses(text: str) -> bool:
    try:
        parse_python(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t]+(\w+)", re.M)


def imported(text: str) -> set[str]:
    """Top-level names of modules that Python source seems to import."""
    return set(IMPORT.findall(text))
