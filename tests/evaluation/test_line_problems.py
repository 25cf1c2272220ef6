"""Held-out files as lines to fill in."""

import pytest

from data_formats.document import Document
from finetune.evaluation.gap_kinds import problems_of_kind


def document(text, path="a.py", language="python"):
    return Document(text=text, path=path, repo="r", language=language)


FILES = [
    document(f"import os\n\n\ndef f_{index}(x):\r\n\treturn x + {index}  \n    }}\n", f"{index}.py")
    for index in range(10)
]


def lines_of(text):
    return sorted(problem.truth for problem in problems_of_kind([document(text)], "line", 100))


def test_prefix_truth_and_suffix_are_the_file():
    problems = problems_of_kind(FILES, "line", 100)
    assert len(problems) == 30  # three lines of each file
    texts = {file.path: file.text for file in FILES}
    for problem in problems:
        assert problem.gap.prefix + problem.truth + problem.gap.suffix == texts[problem.path]


def test_indentation_and_trailing_space_stay_outside_the_gap():
    (problem,) = problems_of_kind([document("x\n\t  value = 1 \r\ny")], "line", 9)
    assert problem.truth == "value = 1"
    assert problem.gap.prefix == "x\n\t  "
    assert problem.gap.suffix == " \r\ny"


@pytest.mark.parametrize("text", ["", "\n\n", "abc", "  }\n", "})];\n", "----------\n"])
def test_lines_that_say_little_are_no_problems(text):
    assert lines_of(text) == []


def test_the_same_line_twice_is_two_problems():
    problems = problems_of_kind([document("pass\npass\n")], "line", 9)
    assert sorted(problem.gap.prefix for problem in problems) == ["", "pass\n"]


def test_the_last_line_needs_no_newline():
    assert lines_of("import os\nimport re") == ["import os", "import re"]


def test_problems_are_the_same_every_time():
    assert problems_of_kind(FILES, "line", 12) == problems_of_kind(FILES, "line", 12)


def test_problems_do_not_depend_on_the_order_of_the_files():
    assert problems_of_kind(FILES[::-1], "line", 12) == problems_of_kind(FILES, "line", 12)


def test_fewer_problems_are_the_first_of_more():
    assert problems_of_kind(FILES, "line", 5) == problems_of_kind(FILES, "line", 12)[:5]


def test_problems_come_from_many_files():
    assert len({problem.path for problem in problems_of_kind(FILES, "line", 12)}) > 4


def test_no_problems_are_asked_for():
    assert problems_of_kind(FILES, "line", 0) == []


def test_a_problem_names_its_language():
    (problem,) = problems_of_kind([document("main(argc, argv);", "a.c", "c")], "line", 1)
    assert (problem.path, problem.language) == ("a.c", "c")
