"""MultiPL-E (arXiv 2208.08227): HumanEval in 18 languages; SantaCoder's gaps (2301.03988) in three.

MultiPL-E gives no answers. SantaCoder's gaps are single lines of answers that passed its tests.
"""

import re
from collections.abc import Sequence

from finetune.tasks.files import Row, Task
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
        Problem(
            task="multipl_e",
            id=f"{tag}/{row['name']}",
            origin=_origin(row["name"]),
            language=language,
            prompt=row["prompt"],
            solution="",
            tests=row["tests"],
            part=language,
            stops=tuple(row["stop_tokens"]),
        )
        for (tag, language), rows in zip(LANGUAGE_OF_TAG.items(), files, strict=True)
        for row in rows
    ]


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
    """`HumanEval/89` of `HumanEval_89_encrypt`."""
    return f"HumanEval/{re.findall(r'HumanEval_([0-9]+)_', name)[0]}"


MULTIPL_E = Task(
    tuple(f"multipl_e_humaneval/humaneval-{tag}.jsonl" for tag in LANGUAGE_OF_TAG), _multipl_e
)
SANTACODER_FIM = Task(("santacoder_fim/santacoder_fim.parquet",), _santacoder_fim)
