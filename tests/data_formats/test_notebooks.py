"""Notebooks as StarCoder saw them, byte for byte, on notebooks written here and on real ones."""

import ast
import json
import logging
from collections import Counter

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_formats.document import Document, Drop, rendered
from data_formats.notebooks import Cell, notebook_cells, notebook_script, read_notebook

PYTHON = {"language_info": {"name": "python"}}
SENTINELS = ["<jupyter_start>", "<jupyter_text>", "<jupyter_code>", "<jupyter_output>"]


def markdown(source, **more):
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def code(source, *outputs):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": list(outputs)}


def printed(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def notebook(*cells, metadata=PYTHON):
    value = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}
    return json.dumps(value).encode()


def read(content, function=read_notebook):
    """What became of a notebook, and what is left out."""
    left_out = Counter()
    return function(content, path="a.ipynb", repo="r", left_out=left_out), dict(left_out)


def reason(content, function=read_notebook):
    outcome, left_out = read(content, function)
    assert isinstance(outcome, Drop)
    assert left_out == {}
    return outcome.reason


def test_a_notebook_is_text_code_and_output_in_turn():
    content = notebook(
        markdown("# Title\n\nSome *text*."),
        code("print(1 + 1)", printed("2\n")),
        markdown("More"),
        code("x = 3"),
    )
    document, left_out = read(content)
    assert rendered(document) == (
        "<jupyter_start><jupyter_text># Title\n\nSome *text*.<jupyter_code>print(1 + 1)"
        "<jupyter_output>2<jupyter_text>More<jupyter_code>x = 3<jupyter_output><empty_output>"
    )
    assert document.text == "# Title\n\nSome *text*.print(1 + 1)2Morex = 3"
    assert left_out == {}


def test_neighbouring_cells_of_one_kind_are_one_and_the_last_output_stays():
    content = notebook(
        markdown("A"),
        markdown("B"),
        code("x = 1", printed("lost")),
        code(" \n"),
        code("x", printed("kept")),
    )
    document, left_out = read(content)
    assert notebook_cells(document) == [
        Cell("text", "A\nB"),
        Cell("code", "x = 1\nx"),
        Cell("output", "kept"),
    ]
    assert left_out == {"output of a code cell that another one follows": 1}


def test_what_stands_outside_the_pairs_is_counted():
    raw = {"cell_type": "raw", "metadata": {}, "source": "---"}
    content = notebook(
        code("import a"), code("import b"), markdown("T"), raw, code("x"), markdown("end")
    )
    document, left_out = read(content)
    assert document.text == "Tx"
    assert left_out == {
        "code cell above the first Markdown cell": 2,
        "Markdown cell below the last code cell": 1,
        "raw cell": 1,
    }


@pytest.mark.parametrize(("length", "end"), [(1000, "o"), (1001, "[...]")])
def test_an_output_may_have_a_thousand_characters(length, end):
    document, left_out = read(notebook(markdown("T"), code("x", printed("o" * length))))
    output = notebook_cells(document)[-1].text
    assert output == "o" * 999 + ("o" if length == 1000 else "o[...]")
    assert output.endswith(end)
    assert sum(left_out.values()) == (length > 1000)


def test_an_output_that_spells_the_empty_output_is_text():
    document, _ = read(notebook(markdown("T"), code("x", printed("<empty_output>"))))
    assert [mark.token for mark in document.marks][-1] == "<jupyter_output>"
    assert notebook_cells(document)[-1] == Cell("output", "<empty_output>")


@given(st.lists(st.sampled_from([*SENTINELS, "<empty_output>", "a", "\n", "é"]), min_size=1))
def test_a_sentinels_name_in_a_cell_stays_text(parts):
    text = "".join(parts) + "."
    document, _ = read(notebook(markdown(f".{text}"), code(f".{text}", printed(f".{text}"))))
    assert [mark.token for mark in document.marks] == SENTINELS
    assert [cell.text for cell in notebook_cells(document)] == [f".{text}"] * 3


def test_a_structured_notebook_is_no_source():
    document = read_notebook(
        notebook(markdown("T"), code("x")),
        path="a/b.ipynb",
        repo="r",
        licence="MIT",
        source=2,
        revision="c0",
    )
    assert document == Document(
        text="Tx",
        path="a/b.ipynb",
        repo="r",
        language="jupyter",
        licence="MIT",
        source=2,
        revision="c0",
        marks=document.marks,
        bodies=(),
    )


def test_blank_lines_around_a_cell_go_and_its_indentation_stays():
    document, _ = read(notebook(markdown(["\n", "T\r\n", "U \n"]), code("\n  if x:\r\n    y\n\n")))
    assert notebook_cells(document)[:2] == [Cell("text", "T\nU"), Cell("code", "  if x:\n    y")]


def test_what_an_image_in_markdown_holds_is_cut_and_counted():
    picture = "![a](data:image/png;base64," + "iVBO" * 16 + ")"
    linked = markdown(
        f"{picture} ![b](attachment:b.png) data:;base64,AAAA",
        attachments={"b.png": {"image/png": "AAAA"}},
    )
    document, left_out = read(notebook(linked, code("x")))
    assert notebook_cells(document)[0].text == (
        "![a](data:image/png;base64,[...]) ![b](attachment:b.png) data:;base64,AAAA"
    )
    assert left_out == {"data embedded in Markdown": 1, "attachment of a Markdown cell": 1}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"cells": "caf\xe9"}', "not UTF-8"),
        (b"{'cells': []}", "notebook that is not valid JSON"),
        (b"[" * 100_000, "notebook that is not valid JSON"),
        (b"", "notebook that is not valid JSON"),
        (b"[]", "JSON that is no notebook"),
        (b"{}", "JSON that is no notebook"),
        (b'{"cells": [1]}', "JSON that is no notebook"),
        (b'{"cells": [{"cell_type": "code", "source": 1}]}', "JSON that is no notebook"),
        (b'{"worksheets": [{}]}', "JSON that is no notebook"),
        (notebook(), "notebook without code"),
        (notebook(markdown("T"), code("  ")), "notebook without code"),
        (notebook(markdown("T"), code("x\0")), "text with a NUL character"),
        (
            notebook(markdown("T"), code("x\ud800")),
            "text with half of a surrogate pair, which is no character",
        ),
    ],
)
@pytest.mark.parametrize("function", [read_notebook, notebook_script])
def test_what_is_no_usable_notebook_is_dropped_with_its_reason(content, why, function):
    assert reason(content, function) == why


@pytest.mark.parametrize("cells", [[code("x")], [code("x"), markdown("T")]])
def test_code_without_a_text_above_it_makes_no_pair(cells):
    assert reason(notebook(*cells)) == "notebook without a Markdown cell above code"


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({}, "python"),
        (None, "python"),
        ({"kernelspec": {"name": "conda-env-x-py"}}, "python"),
        ({"language_info": {"name": "ipython", "file_extension": ".jl"}}, "python"),
        ({"kernelspec": {"language": "R", "name": "python3"}}, "r"),
        ({"language_info": {"name": "julia"}, "kernelspec": {"language": "R"}}, "julia"),
        ({"language_info": {"name": "C#"}}, "csharp"),
        ({"language_info": {"name": "octave"}}, "matlab"),
        ({"kernelspec": {"name": "ir"}}, None),
        ({"language_info": {"name": "a language of nobody"}}, None),
    ],
)
def test_the_language_is_the_kernels_and_python_where_none_is_stated(metadata, language):
    content = notebook(markdown("T"), code("x"), metadata=metadata)
    script, _ = read(content, notebook_script)
    assert getattr(script, "language", None) == language
    if language is None:
        assert script.reason == "no known language"
    assert isinstance(read_notebook(content, path="", repo=""), Drop) == (language != "python")


def test_a_byte_order_mark_does_not_hide_a_notebook():
    document, _ = read(b"\xef\xbb\xbf" + notebook(markdown("T"), code("x")))
    assert document.text == "Tx"


def test_layout_3_is_read_as_nbformat_upgrades_it():
    v3 = nbformat.v3
    cells = [
        v3.new_heading_cell("A\ntitle", level=2),
        v3.new_text_cell("markdown", "text"),
        v3.new_code_cell(
            "1 / x",
            outputs=[
                v3.new_output("stream", "out\n", stream="stdout"),
                v3.new_output("pyout", "3", output_png="AAAA"),
                v3.new_output("display_data", output_png="AAAA"),
                v3.new_output("pyerr", ename="E", evalue="why", traceback=["frame"]),
            ],
        ),
    ]
    old = v3.new_notebook(worksheets=[v3.new_worksheet(cells=cells)])
    upgraded = nbformat.writes(nbformat.v4.upgrade(nbformat.from_dict(old))).encode()
    document, left_out = read(json.dumps(old).encode())
    assert document.text == "## A title\ntext1 / xout\n3\nE: why"
    assert (document, left_out) == read(upgraded)


def test_a_kernel_of_layout_3_is_told_by_its_cells():
    cell = {"cell_type": "code", "language": "haskell", "input": "x", "outputs": []}
    content = json.dumps({"nbformat": 3, "worksheets": [{"cells": [cell]}]}).encode()
    assert read(content, notebook_script)[0].language == "haskell"


def test_a_script_has_text_and_magics_in_comments():
    content = notebook(
        markdown("# Title\n\ntext"),
        code("%matplotlib inline\nx = 1", printed("no")),
        markdown("more"),
        code("!ls\n\nx", printed("no")),
        metadata={**PYTHON, "jupytext": {"cell_markers": '"""'}, "kernelspec": {"name": "mine"}},
    )
    document, left_out = read(content, notebook_script)
    assert document.text == (
        "# # Title\n#\n# text\n\n# %matplotlib inline\nx = 1\n\n# more\n\n# +\n# !ls\n\nx\n"
    )
    ast.parse(document.text)
    assert (document.language, document.marks, document.bodies) == ("python", (), None)
    assert left_out == {}


def test_a_document_of_another_format_has_no_cells():
    other = Document(text="x", path="a.py", repo="r", language="python")
    with pytest.raises(ValueError, match=r"r: a\.py: .* give what `read_notebook` made"):
        notebook_cells(other)


def test_nothing_of_an_invalid_notebook_is_logged(caplog):
    bad = {"cell_type": "code", "source": "token = 'secret'", "outputs": [{"output_type": 7}]}
    with caplog.at_level(logging.DEBUG):
        for function in (read_notebook, notebook_script):
            function(notebook(markdown("T"), bad, metadata=3), path="a", repo="r")
    assert caplog.text == ""
