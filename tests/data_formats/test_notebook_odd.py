"""Notebooks that nobody vouches for: whatever they hold becomes a document or a drop."""

import json

import pytest

from data_formats.document import Document, Drop, rendered
from data_formats.notebooks import notebook_script, read_notebook
from tests.mutated import ODD_JSON, mutated

NEW = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"language": "python", "name": "python3"}},
    "cells": [
        {"cell_type": "markdown", "source": ["# A\n", "text"], "attachments": {"a.png": {}}},
        {
            "cell_type": "code",
            "source": "print(1)\nx",
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["1\n"]},
                {"output_type": "error", "ename": "E", "evalue": "why", "traceback": ["a"]},
                {"output_type": "execute_result", "data": {"text/plain": "2", "text/html": "2"}},
            ],
        },
        {"cell_type": "raw", "source": "raw"},
    ],
}
OLD = {
    "nbformat": 3,
    "metadata": {"language_info": {"name": "python"}},
    "worksheets": [
        {
            "cells": [
                {"cell_type": "heading", "level": 2, "source": "A  heading"},
                {
                    "cell_type": "code",
                    "input": ["x = 1"],
                    "language": "python",
                    "outputs": [{"output_type": "pyout", "text": "1", "png": "abc"}],
                },
            ]
        }
    ],
}


def read(value, function):
    return function(json.dumps(value).encode(), path="a.ipynb", repo="r")


@pytest.mark.parametrize("function", [read_notebook, notebook_script])
@pytest.mark.parametrize("good", [NEW, OLD], ids=["layout 4", "layout 3"])
def test_whatever_a_notebook_holds_becomes_a_document_or_a_drop(good, function):
    assert isinstance(read(good, function), Document)
    for what, value in mutated(good, 300, ODD_JSON):
        assert isinstance(read(value, function), Document | Drop), what


@pytest.mark.parametrize("level", [1.0, 2.5, "2", None, [2], 7, -1])
def test_a_heading_of_no_level_is_one_of_the_first(level):
    cells = [
        {"cell_type": "heading", "level": level, "source": "A"},
        *OLD["worksheets"][0]["cells"],
    ]
    (first, *_) = rendered(read({**OLD, "worksheets": [{"cells": cells}]}, read_notebook)).split(
        "\n"
    )
    assert first == "<jupyter_start><jupyter_text># A"
