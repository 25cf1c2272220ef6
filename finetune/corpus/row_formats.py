"""What a row of each format is: which columns it needs, and the documents it makes."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_formats.columns import resolve_columns, stated
from data_formats.document import Document, Drop
from data_formats.source_code import LANGUAGE_OF_TAG, LANGUAGES, language_of
from finetune.recipe.schema import Source

Row = Mapping[str, Any]
Columns = Mapping[str, str]
"""Our name of a field -> the table's name of its column."""


@dataclass(frozen=True)
class RowPlace:
    """Where a row stands, and for whom it is read."""

    source: Source
    index: int
    path: str
    """File and number."""
    repo: str
    comments: Mapping[str, Sequence[Row]]
    """Of issues, by the issue's address, where the table has them as rows of their own."""
    left_out: Counter[str]
    """What kept documents lose is added here."""


@dataclass(frozen=True)
class RowFormat:
    """How rows of one format are read."""

    columns: Callable[[Sequence[str], Columns, str], dict[str, str]]
    """(available, named, where) -> column by field. Raises ValueError, beginning with `where`."""
    read: Callable[[Row, Columns, RowPlace], Iterator[Document | Drop]]
    reads_all: bool = False
    """Whether columns are looked at that nobody named."""


CODE_FIELDS = ("text", "path", "repo", "language", "licence", "stars")
CODE_SHAPES = (
    {
        "text": "content",
        "path": "max_stars_repo_path",
        "repo": "max_stars_repo_name",
        "licence": "max_stars_repo_licenses",
        "stars": "max_stars_count",
    },
    {"text": "content"},
    {"text": "text"},
    {"text": "code"},
)
"""The Stack's, and tables of texts."""
USUAL = {
    "path": ("path", "file_path", "filename"),
    "repo": ("repo", "repo_name", "repository", "package"),
    "language": ("language", "lang"),
    "licence": ("licence", "license", "licenses"),
    "stars": ("stars", "star_count"),
}
"""Names under which tables give what may stand beside a text."""


def code_columns(available: Sequence[str], named: Columns, where: str) -> dict[str, str]:
    columns = resolve_columns(available, named, fields=CODE_FIELDS, shapes=CODE_SHAPES, where=where)
    if "text" not in columns:
        columns |= resolve_columns(
            available, {}, fields=CODE_FIELDS, shapes=CODE_SHAPES, where=where
        )
    for field, names in USUAL.items():
        found = next((name for name in names if name in available), None)
        if found and field not in columns:
            columns[field] = found
    return {**columns, **named}


def _code(row: Row, columns: Columns, here: RowPlace) -> Iterator[Document | Drop]:
    values = {field: row.get(column) for field, column in columns.items()}
    path = stated(values, "path") or here.path
    repo = stated(values, "repo") or here.repo
    text = values["text"]
    if not isinstance(text, str):
        yield Drop(path=here.path, repo=repo, reason="a row without text")
        return
    language = _language(path, stated(values, "language"), here.source.language)
    if language is None:
        yield Drop(path=path, repo=repo, reason="no known language")
        return
    yield Document(
        text=text,
        path=path,
        repo=repo,
        language=language,
        licence=stated(values, "licence"),
        source=here.index,
        stars=_stars(values.get("stars")),
    )


def _stars(value: Any) -> int | None:
    """A count that a column of 64 bits can hold."""
    if not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value < 2**63:
        return None
    return int(value)


def _language(path: str, given: str | None, wanted: str | None) -> str | None:
    """By the table's own word, else by the file's name, else as the recipe says."""
    name = (given or "").lower()
    name = LANGUAGE_OF_TAG.get(name, name)
    return name if name in LANGUAGES else language_of(path, wanted) or wanted


def _notebook(row: Row, columns: Columns, here: RowPlace) -> Iterator[Document | Drop]:
    from data_formats.notebooks import notebook_script, read_notebook

    values = {field: row.get(column) for field, column in columns.items()}
    repo, text = stated(values, "repo") or here.repo, values["text"]
    if not isinstance(text, str):
        yield Drop(path=here.path, repo=repo, reason="a row without text")
        return
    read = read_notebook if here.source.format == "notebooks" else notebook_script
    yield read(
        text.encode(errors="surrogatepass"),
        path=stated(values, "path") or here.path,
        repo=repo,
        licence=stated(values, "licence"),
        source=here.index,
        left_out=here.left_out,
    )


def _commit(row: Row, columns: Columns, here: RowPlace) -> Iterator[Document | Drop]:
    from data_formats.git_commits import commit_document, commit_instruction, commit_row_document

    values = {field: row.get(column) for field, column in columns.items()}
    write = commit_document if here.source.format == "git_commits" else commit_instruction
    yield commit_row_document(values, source=here.index, write=write)


def _instruction(row: Row, columns: Columns, here: RowPlace) -> Iterator[Document | Drop]:
    from data_formats.instructions import instruction_documents

    return instruction_documents(
        row,
        columns=columns,
        template=here.source.template or "octopack",
        path=here.path,
        repo=here.repo,
        source=here.index,
    )


def _chat(row: Row, columns: Columns, here: RowPlace) -> Iterator[Document | Drop]:
    from data_formats.chat import chat_document

    yield chat_document(
        row,
        columns=columns,
        template=here.source.template or "assistant",
        path=here.path,
        repo=here.repo,
        source=here.index,
    )


def _issue(row: Row, columns: Columns, here: RowPlace) -> Iterator[Document | Drop]:
    from data_formats.github_issues import issue_document

    yield issue_document(
        row,
        repo=here.repo,
        columns=columns,
        comments=here.comments,
        source=here.index,
        left_out=here.left_out,
    )


def _issue_columns(available: Sequence[str], named: Columns, where: str) -> dict[str, str]:
    from data_formats.github_issues import issue_columns

    return issue_columns(available, named, where)


def _commit_columns(available: Sequence[str], named: Columns, where: str) -> dict[str, str]:
    from data_formats.git_commits import commit_columns

    return commit_columns(available, named, where)


def _instruction_columns(available: Sequence[str], named: Columns, where: str) -> dict[str, str]:
    from data_formats.instructions import instruction_columns

    return instruction_columns(available, named, where)


def _chat_columns(available: Sequence[str], named: Columns, where: str) -> dict[str, str]:
    from data_formats.chat import chat_columns

    return chat_columns(available, named, where)


ROW_FORMATS = {
    "source_code": RowFormat(code_columns, _code),
    "notebooks": RowFormat(code_columns, _notebook),
    "notebook_scripts": RowFormat(code_columns, _notebook),
    "git_commits": RowFormat(_commit_columns, _commit),
    "commit_instructions": RowFormat(_commit_columns, _commit),
    "github_issues": RowFormat(_issue_columns, _issue, reads_all=True),
    "instructions": RowFormat(_instruction_columns, _instruction),
    "chat": RowFormat(_chat_columns, _chat),
}
