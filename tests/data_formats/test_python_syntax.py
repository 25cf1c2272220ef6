"""Python's parser, kept from texts that it would not survive."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from data_formats.python_syntax import MOST_DOTS, parse_python

ROOT = Path(__file__).parent.parent.parent
LIMIT = 2 << 30
CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
from data_formats.python_syntax import parse_python
try:
    parse_python({text})
except SyntaxError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "text",
    [
        "'import ' + 'a.' * 400_000 + 'a'",
        "'from ' + 'a.' * 400_000 + 'a import b'",
        "'import x, y as z, ' + 'a.' * 400_000 + 'a'",
        "'import ' + 'a\\\\\\n.' * 400_000 + 'a'",
        "'import ' + 'a . ' * 400_000 + 'a'",
        "'import ' + '\\u2118\\u00b7.' * 400_000 + 'a'",
        "'import\\\\\\n' + 'a.' * 400_000 + 'a'",
        "'x = 1; \\f import ' + 'a.' * 400_000 + 'a'",
        "'if x:import ' + 'a.' * 400_000 + 'a'",
        "'x = 1\\rimport ' + 'a.' * 400_000 + 'a'",
    ],
)
def test_a_name_of_endless_dots_is_not_given_to_the_parser(text):
    command = [sys.executable, "-c", CHILD.format(limit=LIMIT, text=text)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "imports of more than 100 dots in a line\n"


@pytest.mark.parametrize(
    "text",
    [
        "import " + "a." * MOST_DOTS + "a",
        "x = " + "1. + " * 200 + "1.",
        "def f():\n" + "    return a.b.c\n" * 200,
        "'''" + "Sentence. " * 200 + "'''\n",
        "a" + ".b" * 200,
        "from a import (\n" + "    b,  # ...\n" * 200 + ")",
        "# " + "." * 200 + "\nx = 1\n",
    ],
)
def test_ordinary_texts_are_parsed(text):
    assert ast.dump(parse_python(text)) == ast.dump(ast.parse(text))


def test_what_the_parser_warns_of_is_kept_quiet(recwarn):
    parse_python("'\\d'")
    assert not recwarn.list


def test_no_other_module_gives_texts_to_the_parser_itself():
    """But for the process in which tests of a task run: it is given what was parsed here before."""
    files = [file for part in ("data_formats", "finetune") for file in (ROOT / part).rglob("*.py")]
    found = {file.name for file in files if "ast.parse(" in file.read_text(encoding="utf-8")}
    assert found == {"python_syntax.py", "examiner.py"}
