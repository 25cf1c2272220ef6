"""The bytes of an `.ipynb` file -> the cells of it that hold text.

`nbformat.read` is not used: it writes what it finds invalid, with the content, to the log. Layouts
2 to 4 are read as they stand, as leniently as Jupyter does.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOT_UTF8 = "not UTF-8"
NOT_JSON = "notebook that is not valid JSON"
NOT_NOTEBOOK = "JSON that is no notebook"
NO_CODE = "notebook without code"

RAW_CELL = "raw cell"
OTHER_CELL = "cell of an unknown kind"
ATTACHMENT = "attachment of a Markdown cell"
EMBEDDED = "data embedded in Markdown"

_MARKDOWN_KINDS = ("markdown", "heading", "html")
_SAME_LANGUAGE = {"ipython": "python", "octave": "matlab"}
_BLANK_HEAD = re.compile(r"\A(?:[ \t]*\n)+")
_EMBEDDED = re.compile(r"(data:[\w.+/-]*(?:;[\w.+-]+(?:=[\w.+-]+)?)*;base64,)[\w+/=%-]{64,}")


@dataclass(frozen=True, slots=True)
class Input:
    """A cell of code or Markdown."""

    is_code: bool
    text: str
    """Lines end in `\\n`; there are no blank ones above and below."""
    outputs: Sequence[Mapping[str, Any]] = ()
    """As they stand in the file."""


@dataclass(frozen=True, slots=True)
class Notebook:
    """The cells that hold text, at least one of them code."""

    cells: tuple[Input, ...]
    language: str | None
    """Of the kernel, lower case; None where the metadata says too little."""


def parse_notebook(content: bytes, lost: Counter[str]) -> Notebook | str:
    """What can be used of a file, or why nothing; what is passed over is counted in `lost`."""
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return NOT_UTF8
    except (ValueError, RecursionError):
        return NOT_JSON
    raw = list(_raw_cells(value))
    inputs: list[Input] = []
    for cell in raw:
        read = NOT_NOTEBOOK if cell is None else _input(cell, lost)
        if isinstance(read, str):
            return read
        inputs += [read] if read and read.text else []
    if not any(cell.is_code for cell in inputs):
        return NO_CODE
    return Notebook(tuple(inputs), _language(value.get("metadata"), raw))


def joined(value: Any) -> str | None:
    """A text written whole or as a list of lines, `\\r\\n` as `\\n`; None where it is neither."""
    lines = [value] if isinstance(value, str) else value
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        return None
    return "".join(lines).replace("\r\n", "\n")


def without_blank_ends(text: str) -> str:
    """No blank lines above the first line, whose indentation stays, and no space at the end."""
    return _BLANK_HEAD.sub("", text).rstrip()


def _raw_cells(value: Any) -> Iterator[dict[str, Any] | None]:
    """The cells of layout 4, or of the worksheets of 2 and 3; None stands for something else."""
    sheets = value.get("worksheets", [value]) if isinstance(value, dict) else None
    for sheet in sheets if isinstance(sheets, list) else [None]:
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
        for cell in cells if isinstance(cells, list) else [None]:
            yield cell if isinstance(cell, dict) else None


def _input(cell: dict[str, Any], lost: Counter[str]) -> Input | str | None:
    """A cell of code or Markdown; None for one of another kind, a reason for what is no cell."""
    kind, text = cell.get("cell_type"), joined(cell.get("source", cell.get("input", "")))
    if text is None or not isinstance(kind, str):
        return NOT_NOTEBOOK
    text = without_blank_ends(text)
    if kind == "code":
        outputs = cell.get("outputs") or []
        if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
            return NOT_NOTEBOOK
        return Input(True, text, outputs)
    if kind in _MARKDOWN_KINDS:
        attachments = cell.get("attachments")
        lost[ATTACHMENT] += len(attachments) if isinstance(attachments, dict) else 0
        text, num_embedded = _EMBEDDED.subn(r"\1[...]", text)
        lost[EMBEDDED] += num_embedded
        return Input(False, _heading(text, cell.get("level")) if kind == "heading" else text)
    lost[RAW_CELL if kind == "raw" else OTHER_CELL] += 1
    return None


def _heading(text: str, level: Any) -> str:
    """A heading of layout 3 as the Markdown that Jupyter turns it into."""
    depth = level if isinstance(level, int) and level in range(1, 7) else 1
    return f"{'#' * depth} {' '.join(text.split())}"


def _language(metadata: Any, cells: Iterable[dict[str, Any] | None]) -> str | None:
    """What the metadata states: Python where that is nothing, as Jupyter has it.

    StarCoder told Python's kernels by their name, too (`python3`, `conda-env-x-py`); of other
    kernels the name alone says nothing.
    """
    sections = metadata if isinstance(metadata, dict) else {}
    info, kernel = (sections.get(name) for name in ("language_info", "kernelspec"))
    info, kernel = (one if isinstance(one, dict) else {} for one in (info, kernel))
    # Layouts 2 and 3 state it in every code cell.
    old = (cell.get("language") for cell in cells if cell and cell.get("cell_type") == "code")
    for name in (info.get("name"), kernel.get("language"), *old):
        if isinstance(name, str) and name.strip():
            language = name.strip().lower()
            return _SAME_LANGUAGE.get(language, language)
    name = kernel.get("name")
    return "python" if not name or "py" in str(name).lower() else None
