"""What a code cell showed, as text."""

from collections import Counter

import pytest

from data_formats.notebook_outputs import shown

FIGURE = "<Figure size 640x480 with 1 Axes>"


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def result(**data):
    forms = {name.replace("_", "/", 1): value for name, value in data.items()}
    return {"output_type": "execute_result", "data": forms, "metadata": {}}


def show(*outputs):
    lost = Counter()
    return shown(outputs, lost), dict(+lost)


def test_outputs_follow_each_other_on_lines_of_their_own():
    outputs = [stream("a\n"), stream("warning\n", "stderr"), result(text_plain=["1\n", "2"])]
    assert show(*outputs) == ("a\nwarning\n1\n2", {})


def test_one_stream_written_in_parts_is_one_text():
    assert show(stream("a"), stream("b"), stream("c", "stderr")) == ("ab\nc", {})


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x07", "link"),
        ("0%\r50%\r100%\r\ndone\r\n", "100%\ndone"),
        ("10%\r20%\r", "20%"),
        ("a\0b\x07\tc", "ab\tc"),
        ("\n \n  a  b\n1 2  \n\n", "  a  b\n1 2"),
    ],
)
def test_a_terminals_text_is_its_last_state_without_colours(text, seen):
    assert show(stream(text)) == (seen, {})


def test_an_error_is_its_last_line():
    error = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "\x1b[31mwhy\x1b[0m",
        "traceback": ["/home/someone/x.py"],
    }
    assert show(error) == ("ValueError: why", {"frames of an error's traceback": 1})


@pytest.mark.parametrize(
    "data",
    [
        {"image_png": "AAAA"},
        {"image_png": "AAAA", "text_plain": FIGURE},
        {"text_html": "<b>a</b>"},
        {"application_vnd.jupyter.widget-view+json": {"model_id": "a"}, "text_plain": "  0%|"},
    ],
)
def test_what_no_text_can_show_is_counted(data):
    assert show(result(**data)) == (
        "",
        {"output that is no text: an image, a widget, HTML alone": 1},
    )


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        ({"text_html": "<table>", "text_plain": "   a\n0  1"}, "   a\n0  1"),
        ({"image_png": "AAAA", "text_latex": "$x^2$", "text_plain": "x**2"}, "x**2"),
        ({"text_plain": "<object at 0x1>"}, "<object at 0x1>"),
    ],
)
def test_the_plain_text_of_a_result_is_kept(data, seen):
    assert show(result(**data)) == (seen, {})


@pytest.mark.parametrize("output", [{}, {"output_type": "stream"}, {"output_type": "error"}])
def test_an_output_without_content_is_none(output):
    assert show(output) == ("", {})
