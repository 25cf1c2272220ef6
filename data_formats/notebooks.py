"""Jupyter notebooks -> Document: text, code and output in turn, or converted to a script.

Both as StarCoder saw them (arXiv:2305.06161, section 3.2; bigcode-dataset,
`preprocessing/jupyter-structured` and `jupyter_script_conversion.py`). A notebook is data: nothing
in it is run, and of its metadata only the language is looked at.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from data_formats.characters import character_reason
from data_formats.document import Document, Drop, Mark, Piece, Sentinel, compose, pieces_of
from data_formats.notebook_file import Notebook, parse_notebook
from data_formats.notebook_outputs import shown
from data_formats.source_code import LANGUAGE_OF_TAG, language_of

LANGUAGE = "jupyter"
"""Of structured documents; that of a script is its kernel's."""
MAX_OUTPUT = 1000
"""Characters of an output that are kept; `[...]` stands for the rest."""

NO_LANGUAGE = "no known language"
NOT_PYTHON = "notebook in a language other than Python"
NO_PAIR = "notebook without a Markdown cell above code"

CODE_ABOVE = "code cell above the first Markdown cell"
TEXT_BELOW = "Markdown cell below the last code cell"
INNER_OUTPUT = "output of a code cell that another one follows"
LONG_OUTPUT = f"output of more than {MAX_OUTPUT} characters, cut"

START, EMPTY = Sentinel("<jupyter_start>"), Sentinel("<empty_output>")
TEXT, CODE = Sentinel("<jupyter_text>"), Sentinel("<jupyter_code>")
OUTPUT = Sentinel("<jupyter_output>")
_KINDS = {TEXT.token: "text", CODE.token: "code", OUTPUT.token: "output"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of a structured document."""

    kind: str
    """`text`, `code` or `output`."""
    text: str


@dataclass(frozen=True, slots=True)
class _Made:
    text: str
    marks: tuple[Mark, ...]
    language: str


def read_notebook(
    content: bytes,
    *,
    path: str,
    repo: str,
    licence: str | None = None,
    source: int = 0,
    revision: str = "",
    left_out: Counter[str] | None = None,
) -> Document | Drop:
    """`<jupyter_start>`, then `<jupyter_text>...<jupyter_code>...<jupyter_output>...` repeated.

    As in StarCoder: Python only; neighbouring cells of one kind are one, their texts on lines of
    their own, with the output of the last; code above the first text and text below the last code
    are left out; an output ends after MAX_OUTPUT characters in `[...]`, and where there is none
    stands the token `<empty_output>`. Unlike there, Markdown keeps its line ends, `#` and tags
    (without them words ran together), and results and errors count as output besides what was
    printed. Nothing in it is for fill-in-the-middle.

    What a document lacks of its notebook is counted in `left_out`.
    """
    made = _made(content, _structured, left_out)
    if isinstance(made, str):
        return Drop(path=path, repo=repo, reason=made)
    return Document(
        text=made.text,
        path=path,
        repo=repo,
        language=made.language,
        licence=licence,
        source=source,
        revision=revision,
        marks=made.marks,
        bodies=(),
    )


def notebook_script(
    content: bytes,
    *,
    path: str,
    repo: str,
    licence: str | None = None,
    source: int = 0,
    revision: str = "",
    left_out: Counter[str] | None = None,
) -> Document | Drop:
    """The notebook as jupytext's light script, trained as source in its kernel's language.

    Light is what jupytext wrote by default when StarCoder's scripts were made (before 1.17).
    Markdown and magics become comments. The header with versions and the kernel's name is left
    out, as it was where StarCoder had to guess the language, and so are the tags of cells.

    What a document lacks of its notebook, outputs aside, is counted in `left_out`.
    """
    made = _made(content, _script, left_out)
    if isinstance(made, str):
        return Drop(path=path, repo=repo, reason=made)
    return Document(
        text=made.text,
        path=path,
        repo=repo,
        language=made.language,
        licence=licence,
        source=source,
        revision=revision,
    )


def notebook_cells(document: Document) -> list[Cell]:
    """The parts of a structured document. Raises ValueError where it is none."""
    cells: list[Cell] = []
    pieces = list(pieces_of(document))
    is_known = pieces[:1] == [START]
    for piece in pieces[1:]:
        if isinstance(piece, Sentinel):
            is_known &= piece.token in _KINDS or piece == EMPTY
            cells += [Cell(_KINDS[piece.token], "")] if piece.token in _KINDS else []
        elif cells:
            cells[-1] = replace(cells[-1], text=cells[-1].text + piece)
        else:
            is_known = False
    if not is_known:
        raise ValueError(
            f"{document.repo}: {document.path}: not in the layout of a structured notebook; give "
            "what `read_notebook` made"
        )
    return cells


def _made(
    content: bytes,
    write: Callable[[Notebook, Counter[str]], _Made | str],
    left_out: Counter[str] | None,
) -> _Made | str:
    """What `write` makes of a notebook, or why there is nothing; counts only what is used."""
    lost: Counter[str] = Counter()
    notebook = parse_notebook(content, lost)
    made = notebook if isinstance(notebook, str) else write(notebook, lost)
    if isinstance(made, str):
        return made
    reason = character_reason(made.text)
    if reason is not None:
        return reason
    if left_out is not None:
        left_out.update(+lost)
    return made


def _structured(notebook: Notebook, lost: Counter[str]) -> _Made | str:
    if notebook.language != "python":
        return NOT_PYTHON if notebook.language else NO_LANGUAGE
    blocks = [list(cells) for _, cells in groupby(notebook.cells, lambda cell: cell.is_code)]
    if blocks[0][0].is_code:
        lost[CODE_ABOVE] += len(blocks.pop(0))
    if blocks and not blocks[-1][0].is_code:
        lost[TEXT_BELOW] += len(blocks.pop())
    if not blocks:
        return NO_PAIR
    pieces: list[Piece] = [START]
    for texts, codes in zip(blocks[::2], blocks[1::2], strict=True):
        lost[INNER_OUTPUT] += sum(bool(cell.outputs) for cell in codes[:-1])
        pieces += [TEXT, "\n".join(cell.text for cell in texts)]
        pieces += [CODE, "\n".join(cell.text for cell in codes)]
        pieces += [OUTPUT, _cut(shown(codes[-1].outputs, lost), lost) or EMPTY]
    return _Made(*compose(pieces), LANGUAGE)


def _cut(output: str, lost: Counter[str]) -> str:
    if len(output) <= MAX_OUTPUT:
        return output
    lost[LONG_OUTPUT] += 1
    return f"{output[:MAX_OUTPUT]}[...]"


def _script(notebook: Notebook, lost: Counter[str]) -> _Made | str:
    if notebook.language is None:
        return NO_LANGUAGE
    import jupytext
    import nbformat
    from jupytext.formats import auto_ext_from_metadata

    extension = auto_ext_from_metadata({"kernelspec": {"language": notebook.language}})
    if extension is None:
        return NO_LANGUAGE
    cells: list[dict[str, Any]] = [
        {"cell_type": "code" if cell.is_code else "markdown", "source": cell.text, "metadata": {}}
        for cell in notebook.cells
    ]
    metadata = {"jupytext": {"notebook_metadata_filter": "-all"}}
    fresh = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    script_format = {"extension": extension, "format_name": "light"}
    text: str = jupytext.writes(nbformat.from_dict(fresh), script_format)
    name = notebook.language
    language = LANGUAGE_OF_TAG.get(name) or language_of(f"_{extension}", name)
    return _Made(text, (), language or name)
