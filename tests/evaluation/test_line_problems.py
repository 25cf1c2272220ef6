"""Held-out files as lines to fill in."""

import pytest

from data_formats.document import Document
from finetune.evaluation.line_problems import line_problems


def document(text, path="a.py", language="python"):
    return Document(text=text, path=path, repo="r", language=language)


FILES = [
    document(f"import os\n\n\ndef f_{index}(x):\r\n\treturn x + {index}  \n    }}\n", f"{index}.py")
    for index in range(10)
]


def lines_of(text):
    return sorted(problem.truth for problem in line_problems([document(text)], 100))


def test_prefix_truth_and_suffix_are_the_file():
    problems = line_problems(FILES, 100)
    assert len(problems) == 30  # three lines of each file
    texts = {file.path: file.text for file in FILES}
    for problem in problems:
        assert problem.gap.prefix + problem.truth + problem.gap.suffix == texts[problem.path]


def test_indentation_and_trailing_space_stay_outside_the_gap():
    (problem,) = line_problems([document("x\n\t  value = 1 \r\ny")], 9)
    assert problem.truth == "value = 1"
    assert problem.gap.prefix == "x\n\t  "
    assert problem.gap.suffix == " \r\ny"


@pytest.mark.parametrize("text", ["", "\n\n", "abc", "  }\n", "})];\n", "----------\n"])
def test_lines_that_say_little_are_no_problems(text):
    assert lines_of(text) == []


def test_the_same_line_twice_is_two_problems():
    problems = line_problems([document("pass\npass\n")], 9)
    assert sorted(problem.gap.prefix for problem in problems) == ["", "pass\n"]


def test_the_last_line_needs_no_newline():
    assert lines_of("import os\nimport re") == ["import os", "import re"]


def test_problems_are_the_same_every_time():
    assert line_problems(FILES, 12) == line_problems(FILES, 12)


def test_problems_do_not_depend_on_the_order_of_the_files():
    assert line_problems(FILES[::-1], 12) == line_problems(FILES, 12)


def test_fewer_problems_are_the_first_of_more():
    assert line_problems(FILES, 5) == line_problems(FILES, 12)[:5]


def test_problems_come_from_many_files():
    assert len({problem.path for problem in line_problems(FILES, 12)}) > 4


def test_no_problems_are_asked_for():
    assert line_problems(FILES, 0) == []


def test_a_problem_names_its_language():
    (problem,) = line_problems([document("main(argc, argv);", "a.c", "c")], 1)
    assert (problem.path, problem.language) == ("a.c", "c")
