"""A person's own problems: one JSON object a line, no code to write.

{"id": "add", "language": "python", "prompt": "def add(a, b):\n", "tests": "assert add(1, 2) == 3"}

`prompt + answer + suffix`, a newline and `tests` are one program, which ends without an error where
the answer is right. Of the optional fields, `suffix` makes it a gap to fill, `stops` are strings
that end an answer, `solution` is a right one, and `entry_point` names the function under test.

Some tests could tell no right answer from a wrong one, and are refused: in Go they hold functions
that `go test` calls (`func TestX(t *testing.T)`), and leave `TestMain` to the judge; in Rust they
hold functions marked `#[test]`, or a `fn main`; in JavaScript and TypeScript they wait for nothing
(`await`, promises, timers, `node:test`), since they are judged where their last line has run. That
tests assert something, nobody checks.

Instead of such a file it may be a local copy of the dataset nuprl/MultiPL-E, or a part of it.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from data_formats.json_lines import read_lines
from data_formats.source_code import LANGUAGES
from finetune.errors import UserError
from finetune.tasks.catalogue import TASKS
from finetune.tasks.humaneval import python_signature
from finetune.tasks.multipl_e import is_dataset, read_dataset
from finetune.tasks.problem import Problem
from finetune.tasks.runnable import unfit

REQUIRED = ("id", "language", "prompt", "tests")
OPTIONAL = ("suffix", "solution", "stops", "entry_point")
SHOWN = 20
"""Mistakes in one message."""


def read_own(file: Path, task: str = "own") -> list[Problem]:
    """The problems of a file, in its order. Raises UserError that names every mistake's line."""
    if task in TASKS:
        raise UserError(f"{file}: `{task}` is a benchmark's name; give these problems another")
    if is_dataset(file):
        return read_dataset(file, task)
    problems: list[Problem] = []
    mistakes: list[str] = []
    lines: dict[str, int] = {}
    try:
        for number, row in read_lines(file, 0, None, 1):
            found = [row] if isinstance(row, str) else list(_mistakes(row, lines))
            mistakes += [f"{file}:{number}: {mistake}" for mistake in found]
            if not isinstance(row, str) and not found:
                lines[row["id"]] = number
                problems.append(_problem(task, row))
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); mend the path") from error
    except ValueError as error:
        raise UserError(str(error)) from error
    if not problems and not mistakes:
        mistakes = [f"{file}: holds no problems; write one JSON object a line with `id`, ..."]
    if mistakes:
        more = [f"... and {len(mistakes) - SHOWN} more"] if len(mistakes) > SHOWN else []
        raise UserError("\n".join(mistakes[:SHOWN] + more))
    return problems


def _mistakes(row: dict[str, Any], lines: dict[str, int]) -> Iterator[str]:
    for key in row.keys() - {*REQUIRED, *OPTIONAL}:
        near = get_close_matches(key, (*REQUIRED, *OPTIONAL), n=1)
        yield f"unknown field `{key}`; " + (f"did you mean `{near[0]}`?" if near else "remove it")
    for name in REQUIRED:
        if name not in row:
            yield f"has no `{name}`; it needs {', '.join(f'`{one}`' for one in REQUIRED)}"
    for name in ("id", "language", "tests"):
        if name in row and not (isinstance(row[name], str) and row[name].strip()):
            yield f"`{name}` is to be text that is not empty"
    for name in ("prompt", "suffix", "solution", "entry_point"):
        if name in row and not isinstance(row[name], str):
            yield f"`{name}` is to be text"
    stops = row.get("stops", [])
    if not (isinstance(stops, list) and all(isinstance(one, str) and one for one in stops)):
        yield '`stops` is to be a list of texts, such as ["\\ndef", "\\nclass"]'
    if row.get("prompt") == "" and not row.get("suffix"):
        yield "`prompt` and `suffix` are empty: there is nothing to go on from"
    id_, language, tests = row.get("id"), row.get("language"), row.get("tests")
    if isinstance(language, str) and isinstance(tests, str) and (fault := unfit(language, tests)):
        yield f"`tests` {fault}"
    if isinstance(id_, str) and id_ in lines:
        yield f"`id` {id_} stands in line {lines[id_]} already; each problem needs its own"
    if isinstance(language, str) and language.strip() and language not in LANGUAGES:
        near = get_close_matches(language.lower(), LANGUAGES, n=1)
        yield f"unknown language `{language}`" + (f"; did you mean `{near[0]}`?" if near else "")


def _problem(task: str, row: dict[str, Any]) -> Problem:
    prompt, solution, suffix = row["prompt"], row.get("solution", ""), row.get("suffix")
    entry = row.get("entry_point", "")
    return Problem(
        task=task,
        id=row["id"],
        origin=f"{task}/{row['id']}",
        language=row["language"],
        prompt=prompt,
        solution=solution,
        suffix=suffix,
        tests=row["tests"],
        entry_point=entry,
        signature=python_signature(f"{prompt}{solution}{suffix or ''}", entry) if entry else "",
        stops=tuple(row.get("stops", ())),
    )
