"""MultiPL-E (arXiv 2208.08227): HumanEval in 18 languages; SantaCoder's gaps (2301.03988) in three.

MultiPL-E gives no answers. SantaCoder's gaps are single lines of answers that passed its tests.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_formats.json_lines import read_lines
from finetune.errors import UserError
from finetune.tasks.files import Row, Task, parsed
from finetune.tasks.problem import Problem

LANGUAGE_OF_TAG = {
    "cpp": "cpp",
    "cs": "csharp",
    "d": "d",
    "go": "go",
    "java": "java",
    "jl": "julia",
    "js": "javascript",
    "lua": "lua",
    "php": "php",
    "pl": "perl",
    "r": "r",
    "rb": "ruby",
    "rkt": "racket",
    "rs": "rust",
    "scala": "scala",
    "sh": "shell",
    "swift": "swift",
    "ts": "typescript",
}
SANTACODER_LANGUAGES = {"py": "python", "js": "javascript", "java": "java"}


def _multipl_e(files: Sequence[list[Row]]) -> list[Problem]:
    return [
        _problem("multipl_e", tag, language, row)
        for (tag, language), rows in zip(LANGUAGE_OF_TAG.items(), files, strict=True)
        for row in rows
    ]


def _problem(task: str, tag: str, language: str, row: Row, part: str = "") -> Problem:
    texts, stops = (row["name"], row["prompt"], row["tests"]), row["stop_tokens"]
    if not (isinstance(stops, list) and all(isinstance(one, str) for one in (*texts, *stops))):
        raise TypeError("name, prompt, tests or stop_tokens are not texts")
    return Problem(
        task=task,
        id=f"{tag}/{row['name']}",
        origin=_origin(row["name"]),
        language=language,
        prompt=row["prompt"],
        solution="",
        tests=row["tests"],
        part=part or language,
        stops=tuple(stops),
    )


CONFIGURATION = re.compile(r"(humaneval|mbpp)-([a-z]+)(?:-reworded)?$")
"""A folder of the dataset nuprl/MultiPL-E, or a file's name without its ending."""


def is_dataset(place: Path) -> bool:
    """Whether `place` is a copy of the dataset nuprl/MultiPL-E, or a part of it. A single file is
    by what its first row holds: a person's own may be called `mbpp-mine.jsonl`."""
    if place.is_dir() or place.suffix == ".parquet":
        return bool(_configuration(place)) or (place.is_dir() and bool(_files(place)))
    if not _configuration(place) or not place.is_file():
        return False
    try:
        first = next(_rows(place), {})
    except (OSError, ValueError, RecursionError):
        return False  # `read_own` names the line
    return isinstance(first, dict) and "name" in first and "id" not in first


def read_dataset(place: Path, task: str) -> list[Problem]:
    """The problems of a local copy of nuprl/MultiPL-E: all of it, or a configuration's folder or
    file (`mbpp-go`), as Parquet or JSON Lines. Its files are not known by a hash.

    Languages that are not known here go by their tag, and are told as not run.
    Raises UserError where a file cannot be read or is none of the dataset's.
    """
    problems = []
    for file in _files(place) if place.is_dir() else [place]:
        found = _configuration(file)
        assert found, file
        benchmark, tag = found
        language = LANGUAGE_OF_TAG.get(tag, "python" if tag == "py" else tag)
        try:
            problems += [
                _problem(task, tag, language, row, f"{benchmark}-{language}") for row in _rows(file)
            ]
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise UserError(
                f"{file}: cannot be read as MultiPL-E's problems ({error!r}); it needs rows with "
                "name, prompt, tests and stop_tokens"
            ) from error
    if not problems:
        raise UserError(f"{place}: holds no problems; put the files of the configuration there")
    counts = Counter(problem.id for problem in problems)
    if twice := [one for one, count in counts.items() if count > 1]:
        raise UserError(f"{place}: holds {twice[0]} twice; name the folder of one configuration")
    return problems


def _rows(file: Path) -> Iterator[Row]:
    """Raises OSError or ValueError, which names the line; RecursionError for what is no lines."""
    if file.suffix in (".parquet", ".json"):
        yield from parsed(file.name, file.read_bytes())
        return
    for number, row in read_lines(file, 0, None, 1):
        if isinstance(row, str):
            raise ValueError(f"line {number}: {row}")
        yield row


def _configuration(place: Path) -> tuple[str, str] | None:
    """Benchmark and tag by the name of a file or of a folder above it."""
    above = (place.parent.name, place.parent.parent.name) if place.suffix == ".parquet" else ()
    for name in (place.name.split(".")[0], *above):
        if found := CONFIGURATION.match(name):
            return found[1], found[2]
    return None


def _files(folder: Path) -> list[Path]:
    ends = (".parquet", ".jsonl", ".jsonl.gz")
    found = [one for one in sorted(folder.rglob("*")) if one.name.endswith(ends)]
    return [one for one in found if one.is_file() and _configuration(one)]


def _santacoder_fim(files: Sequence[list[Row]]) -> list[Problem]:
    return [
        Problem(
            task="santacoder_fim",
            id=f"{row['language']}/{row['name']}",
            origin=_origin(row["name"]),
            language=SANTACODER_LANGUAGES[row["language"]],
            prompt=row["prompt"],
            solution=row["canonical_solution"],
            suffix=row["suffix"],
            tests=row["tests"],
            part=SANTACODER_LANGUAGES[row["language"]],
        )
        for row in files[0]
    ]


def _origin(name: str) -> str:
    """`HumanEval/89` of `HumanEval_89_encrypt`, `Mbpp/3` of `mbpp_3_is_not_prime`."""
    benchmark, number = re.findall(r"(HumanEval|mbpp)_([0-9]+)_", name)[0]
    return f"{benchmark.capitalize() if benchmark == 'mbpp' else benchmark}/{number}"


MULTIPL_E = Task(
    tuple(f"multipl_e_humaneval/humaneval-{tag}.jsonl" for tag in LANGUAGE_OF_TAG), _multipl_e
)
SANTACODER_FIM = Task(("santacoder_fim/santacoder_fim.parquet",), _santacoder_fim)
