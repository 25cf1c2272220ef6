"""Notebooks out of the tests and documentation of nbconvert and black, each with its outcome."""

from collections import Counter

import jupytext
import nbformat
import pytest

from data_formats.document import Document
from data_formats.notebooks import notebook_cells, notebook_script, read_notebook

NO_CODE = "notebook without code"
NOT_JSON = "notebook that is not valid JSON"
NO_PAIR = "notebook without a Markdown cell above code"
NOT_PYTHON = "notebook in a language other than Python"

# Name -> what becomes of it: a number of pairs of text and code, or why there are none.
STRUCTURED = {
    "black__non_python_notebook": NOT_PYTHON,
    "black__notebook_empty_metadata": NO_PAIR,
    "black__notebook_no_trailing_newline": NO_PAIR,
    "black__notebook_trailing_newline": NO_PAIR,
    "black__notebook_which_cant_be_parsed": NOT_JSON,
    "black__notebook_without_changes": NO_PAIR,
    "nbconvert__docs__source__nbconvert_library": 13,
    "nbconvert__tests__exporters__files__attachment": NO_CODE,
    "nbconvert__tests__exporters__files__notebook2": 3,
    "nbconvert__tests__exporters__files__notebook3": NO_PAIR,
    "nbconvert__tests__exporters__files__notebook_inject": 1,
    "nbconvert__tests__exporters__files__pngmetadata": NO_PAIR,
    "nbconvert__tests__exporters__files__prompt_numbers": NO_PAIR,
    "nbconvert__tests__exporters__files__rawtest": NO_CODE,
    "nbconvert__tests__exporters__files__rst_output": NO_PAIR,
    "nbconvert__tests__exporters__files__svg": NO_PAIR,
    "nbconvert__tests__files__Unexecuted_widget": NO_PAIR,
    "nbconvert__tests__files__Unexecuted_widget_2": NO_PAIR,
    "nbconvert__tests__files__latex-linked-image": NO_CODE,
    "nbconvert__tests__files__markdown_display_priority": NO_PAIR,
    "nbconvert__tests__files__notebook1": 3,
    "nbconvert__tests__files__notebook3_with_errors": 1,
    "nbconvert__tests__files__notebook4_jpeg": 1,
    "nbconvert__tests__files__notebook5_embed_images": NO_CODE,
    "nbconvert__tests__files__notebook_jl": NOT_PYTHON,
    "nbconvert__tests__files__notebook_tags": NO_PAIR,
    "nbconvert__tests__preprocessors__files__HelloWorld": NO_PAIR,
    "nbconvert__tests__preprocessors__files__MixedMarkdown": NO_PAIR,
}
# Of those that are no structured document, only these are no script either.
NO_SCRIPT = (NO_CODE, NOT_JSON)
OTHER_SCRIPTS = {"black__non_python_notebook": "r", "nbconvert__tests__files__notebook_jl": "julia"}


@pytest.fixture
def samples(shared):
    folder = shared / "data" / "samples" / "notebooks"
    return {file.stem: file.read_bytes() for file in sorted(folder.glob("*.ipynb"))}


def test_every_sample_has_its_outcome_as_a_structured_document(samples):
    left_out = Counter()
    outcomes = {}
    for name, content in samples.items():
        read = read_notebook(content, path=name, repo="samples", left_out=left_out)
        is_kept = isinstance(read, Document)
        outcomes[name] = len(notebook_cells(read)) / 3 if is_kept else read.reason
    assert outcomes == STRUCTURED
    assert left_out == {
        "raw cell": 1,
        "output of a code cell that another one follows": 6,
        "Markdown cell below the last code cell": 5,
        "output that is no text: an image, a widget, HTML alone": 3,
    }


def test_every_sample_has_its_outcome_as_a_script(samples):
    left_out = Counter()
    outcomes = {}
    for name, content in samples.items():
        read = notebook_script(content, path=name, repo="samples", left_out=left_out)
        outcomes[name] = read.language if isinstance(read, Document) else read.reason
    assert outcomes == {
        name: outcome if outcome in NO_SCRIPT else OTHER_SCRIPTS.get(name, "python")
        for name, outcome in STRUCTURED.items()
    }
    assert left_out == {"raw cell": 1}


def test_jupytext_reads_the_cells_of_every_sample_back_from_its_script(samples):
    num_compared = 0
    for name, content in samples.items():
        read = notebook_script(content, path=name, repo="samples")
        if isinstance(read, Document) and read.language == "python":
            cells = nbformat.reads(content, as_version=4).cells
            kept = [one for one in cells if one.cell_type != "raw" and one.source.strip()]
            again = jupytext.reads(read.text, "py:light").cells
            assert [one.source.strip() for one in again] == [one.source.strip() for one in kept]
            num_compared += 1
    assert num_compared == 21
