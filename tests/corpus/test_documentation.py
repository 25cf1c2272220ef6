"""Letters of comments and docstrings, counted by hand."""

import time

import pytest

from finetune.corpus.documentation import documentation


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("x = 1\n", 0),
        ("# one 2\nx = 1\n    # three\n", 8),
        ('def f():\n    """One.\n\n    Two."""\n', 6),
        ("def f():\n    r'''One.'''\n", 4),  # the prefix counts too
        ("\tx = 1\n\t# one\n", 3),
        ("// one\nint x;\n/* two\n * three\n */\n", 11),
        ("-- one\nselect 1;\n", 3),
        ("{- one -}\nmain = two\n", 3),
        ("(* one *)\nlet x = two\n", 3),
        ("% one\n\\two\n", 3),
        (";; one\n(two)\n", 3),
        ("<!-- one -->\n<b>two</b>\n", 3),
        ("########\n# é 漢\n########\n", 2),
        ("/* one\nnever closed", 14),
        ("\r\n# one\r\nx\r\n", 3),
    ],
)
def test_letters_of_comments_are_counted(text, letters):
    assert documentation(text) == letters


def test_the_end_of_a_long_string_is_no_beginning():
    assert documentation('x = """\nsome text\n"""\ny = 1\n# one\nz = """two"""\n') == 3


@pytest.mark.parametrize("text", ["x = 1  # behind code", 'x = """text"""', "s = '# no'", "a // b"])
def test_what_begins_behind_code_is_not_counted(text):
    assert documentation(text) == 0


def test_time_grows_with_the_text_only():
    """A million openings that nothing closes; quadratic search would take hours."""
    start = time.process_time()
    for opening in ("/* ", '"""', "<!--", "(*", "{-", " " * 7):
        documentation(f"{opening}\n" * 200_000)
        documentation(f"{opening}" * 200_000)
    assert time.process_time() - start < 20
