"""What counts as text of a benchmark and what does not, on problems made up here."""

import pickle

import pytest

from data_formats.document import Sentinel, compose
from finetune.corpus.contamination import (
    Overlap,
    contamination_index,
    sentence,
    short_solutions,
)
from finetune.corpus.word_runs import words_of
from finetune.tasks import Problem


def problem(number, *, task="stones", origin=None, **fields):
    texts = {"prompt": "", "solution": "", "tests": "", **fields}
    name = f"Stone/{number}"
    return Problem(task=task, id=name, origin=origin or name, language="python", **texts)


# 24 words, each run of 13 with far more than 18 characters.
LONG = (
    "    pebbles = sorted(stones, key=lambda stone: stone.weight)\n"
    "    while pebbles and pebbles[0].weight < limit:\n"
    "        pebbles.pop(0)\n"
    "    return [pebble.name for pebble in pebbles]\n"
)
SHORT = problem(2, signature="def twice(stone: int) -> int:", solution="    return stone + stone\n")


@pytest.fixture(scope="module")
def index():
    long = problem(1, signature="def keep(stones, limit):", solution=LONG)
    return contamination_index([long, SHORT])


def test_a_word_is_letters_digits_and_underscores():
    assert words_of("x_1 = f('né', 2.5)\n") == ["x_1", "f", "n", "2", "5"]


def test_written_out_line_ends_part_words_as_real_ones_do():
    assert words_of(r'"a = 1\n\treturn a\r\n"') == ["a", "1", "return", "a"]


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        f"import os\n\n{LONG}\nprint()\n",
        LONG.replace("    ", "\t").replace("\n", "\r\n\r\n"),
        LONG.replace("sorted(", "sorted(\n        ").replace("weight)", "weight,\n    )"),
        repr(LONG),
    ],
    ids=["verbatim", "within a file", "tabs and blank lines", "other line breaks", "in a string"],
)
def test_an_answer_is_found_however_it_is_laid_out(index, text):
    assert index.overlap(text) == Overlap("stones", "Stone/1")
    assert index.hit(text) == "stones: Stone/1"


def test_thirteen_words_in_a_row_are_enough_and_twelve_are_not(index):
    words = words_of(LONG)
    for start in range(len(words) - 12):
        assert index.hit(" ".join(words[start : start + 13])) is not None
        assert index.hit(" ".join(words[start : start + 12])) is None


def test_another_word_in_between_ends_a_run(index):
    words = words_of(LONG)
    assert index.hit(" ".join([*words[:12], "other", *words[12:24]])) is None


def test_a_short_answer_counts_only_behind_its_signature(index):
    assert index.hit("def other(stone):\n    return stone + stone\n") is None
    assert index.hit(f"{SHORT.signature}  # comment\n\n{SHORT.solution}") is None
    assert index.hit(f"{SHORT.signature}\n\n{SHORT.solution}") == "stones: Stone/2"


def test_a_short_answer_that_holds_its_signature_begins_there():
    code = "import math\ndef root(stone):\n    return math.sqrt(stone)\n"
    index = contamination_index([problem(1, signature="def root(stone):", solution=code)])
    assert index.hit("import math, os\n\n\ndef root(stone): return math.sqrt(stone)") is not None
    assert index.hit("return math.sqrt(stone)") is None


def test_a_phrase_does_not_begin_or_end_within_a_word(index):
    assert index.hit(f"{SHORT.signature} return stone + stones") is None


IDIOM = "for i in range(n):\n    for j in range(i + 1, n):\n        for k in range(j + 1, n):\n"


def test_an_idiom_is_no_text_of_a_benchmark():
    """`for i in range n j 1 k`: 14 characters in distinct words."""
    index = contamination_index([problem(1, solution=LONG + IDIOM)])
    assert index.hit(LONG) is not None
    assert index.hit(IDIOM) is None


def test_an_answer_of_idioms_alone_counts_as_a_whole():
    index = contamination_index([problem(1, solution=IDIOM)])
    assert index.hit(f"def f(n):\n{IDIOM}        yield k\n") is not None
    assert index.hit(IDIOM.replace("(j + 1", "(j + 2")) is None


def test_numbers_spelt_out_or_not_are_idioms():
    count = "one: 1, two: 2, three: 3, four: 4, five: 5, six: 6, seven: 7, eight: 8, nine: 9"
    index = contamination_index([problem(1, tests=f"{count}\n{LONG}")])
    assert index.hit(count) is None
    assert index.hit(LONG) is not None


@pytest.mark.parametrize(("num_problems", "found"), [(3, True), (4, False)])
def test_what_stands_in_more_than_three_problems_is_not_counted(num_problems, found):
    own = ("amber", "basalt", "chalk", "diorite")
    texts = [f"{LONG}\nassert {word}_stones_are_counted_once()" for word in own]
    index = contamination_index([problem(at, tests=texts[at]) for at in range(num_problems)])
    assert (index.hit(LONG) is not None) is found
    assert index.hit(texts[1]) == "stones: Stone/0" if found else "stones: Stone/1"


def test_problems_made_from_one_are_counted_once():
    problems = [
        problem(at, origin="Stone/0", tests=f"{LONG}\nassert {'x' * 18}{at}") for at in range(9)
    ]
    assert contamination_index(problems).hit(LONG) == "stones: Stone/0"


def test_prompt_tests_instruction_and_buggy_answer_count_too():
    fields = ("prompt", "tests", "instruction", "buggy")
    for field in fields:
        index = contamination_index([problem(1, **{field: LONG})])
        assert index.hit(LONG) is not None, field


def test_short_tests_count_as_a_whole():
    tests = "assert weigh(1) == 2\nassert weigh(0) == 0\n"
    index = contamination_index([problem(1, tests=tests)])
    assert index.hit(f"def test():\n    {tests}") is not None
    assert index.hit("assert weigh(1) == 2") is None


def test_a_gap_counts_with_the_text_around_it_only():
    at = LONG.index("while")
    pieces = {"prompt": LONG[:at], "solution": "while pebbles and", "suffix": LONG[at + 17 :]}
    gap = problem(1, signature="def keep(stones):", **pieces)
    index = contamination_index([gap])
    assert index.hit(LONG) is not None
    assert index.hit("def keep(stones): while pebbles and") is None
    assert short_solutions([gap]) == {}


def test_the_task_that_was_given_first_is_named():
    problems = [problem(1, task=task, tests=LONG) for task in ("granite", "amber")]
    assert contamination_index(problems).hit(LONG) == "granite: Stone/1"
    assert contamination_index(problems[::-1]).hit(LONG) == "amber: Stone/1"


@pytest.mark.parametrize("others", [[0, 1, 2], [1, 2, 0], [2, 0, 1]])
def test_of_several_problems_the_one_that_was_given_first_is_named(others):
    run, more = problem(1, tests=LONG), problem(3, tests=LONG[::-1])
    problems = [[run, SHORT, more][at] for at in others]
    text = f"{LONG}\n{SHORT.signature}{SHORT.solution}\n{LONG[::-1]}"
    assert contamination_index(problems).hit(text) == f"stones: {problems[0].id}"


def test_no_run_begins_in_one_text_and_ends_in_another():
    words = words_of(LONG)
    halves = [words[:12], words[12:24]]
    problems = [problem(at, instruction=" ".join(half)) for at, half in enumerate(halves)]
    assert contamination_index(problems).hit(LONG) is None


def test_an_index_without_problems_finds_nothing():
    assert contamination_index([]).hit(LONG) is None


def test_a_pickled_index_finds_the_same(index):
    again = pickle.loads(pickle.dumps(index))
    assert again.hit(LONG) == index.hit(LONG) == "stones: Stone/1"


def test_a_run_across_a_mark_counts(index):
    """Both sides of a commit or the cells of a notebook are searched as one text."""
    at = LONG.index("while")
    text, _ = compose([LONG[:at], Sentinel("<commit_after>"), LONG[at:]])
    assert index.hit(text) is not None


def test_short_solutions_are_named(index):
    assert short_solutions([problem(1, solution=LONG), SHORT]) == {"stones": ["Stone/2"]}
    assert [one.short for one in index.compared] == [1]


def test_the_sentence_says_what_was_compared_and_what_not(index):
    said = sentence(index, {"stones": 3})
    for part in (
        "no exact or 13-gram overlap",
        "stones (2 problems)",
        "3 for stones",
        "1 of stones",
        "finds no paraphrase",
    ):
        assert part in said
    assert "left out for this: none" in sentence(index, {})


def test_the_sentence_says_that_nothing_was_compared():
    nothing = "The training data was not compared with any benchmark."
    assert sentence(None, {}) == nothing
    assert sentence(contamination_index([]), {}) == nothing
