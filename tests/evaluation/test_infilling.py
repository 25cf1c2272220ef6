"""Infilling of held-out code by kind of gap: what is asked, and what is said of the answers."""

from data_formats.document import Document
from finetune.evaluation.infilling import Filled, Gaps, gaps_of, ids_of
from finetune.evaluation.infilling_scores import infilling_rates, infilling_scores
from finetune.evaluation.line_problems import LineProblem
from finetune.generation.infill import Gap
from finetune.recipe.evaluation import LONGEST_COMPLETION, Evaluate


def problem(path, truth, line=1):
    return LineProblem(path, "python", Gap("before ", " behind"), truth, "r", line)


# Four lines in two files; two bodies in one of them.
LINES = [problem("a.py", "abcd", n) for n in (1, 2, 3)] + [problem("b.py", "abcd")]
BODIES = [problem("a.py", "x = 1\ny = 2", 9), problem("a.py", "return 1", 20)]
GAPS = Gaps(by_kind={"line": LINES, "function_body": BODIES}, not_run=[])


def filled(lines, bodies):
    return {
        "line": Filled(completions=lines, max_new_tokens=8),
        "function_body": Filled(completions=bodies, max_new_tokens=64),
    }


BASE = filled(["abcd", "abcx", "", "abcd"], ["x = 1", "return 1"])
TUNED = filled([" abcd ", "abcd", "abcd", "abxx"], ["x = 1\ny = 2\n", "return 1"])
SCORES = infilling_scores(GAPS, {"base": BASE, "tuned": TUNED})


def test_exact_match_is_that_of_stripped_text_by_kind():
    line, body = SCORES["kinds"]["line"], SCORES["kinds"]["function_body"]
    assert (line["base"]["exact_match"], line["tuned"]["exact_match"]) == (0.5, 0.75)
    assert (body["base"]["exact_match"], body["tuned"]["exact_match"]) == (0.5, 1.0)
    assert (line["base"]["problems"], body["base"]["problems"]) == (4, 2)


def test_the_top_is_over_all_gaps_together():
    assert SCORES["base"]["exact_match"] == 0.5  # 3 of 6
    assert SCORES["tuned"]["exact_match"] == 0.833333  # 5 of 6
    assert SCORES["tuned"]["problems"] == 6


def test_edit_similarity_is_the_mean_over_gaps():
    # 1, 3/4, 0, 1 of four characters each; then 5 of 11 characters, and all.
    assert SCORES["kinds"]["line"]["base"]["edit_similarity"] == 0.6875
    body = SCORES["kinds"]["function_body"]
    assert body["base"]["edit_similarity"] == round((5 / 11 + 1) / 2, 6)
    assert SCORES["base"]["edit_similarity"] == round((2.75 + 5 / 11 + 1) / 6, 6)


def test_gaps_are_compared_one_by_one():
    line = SCORES["kinds"]["line"]
    assert list(line["by_problem"].values()) == [[1, 1], [0, 1], [0, 1], [1, 0]]
    comparison = line["comparison"]
    assert (comparison["difference"], comparison["wins"], comparison["losses"]) == (0.25, 2, 1)
    # By file: +2 and -1. Of the sums 3, 1, -1, -3, all are as far from nought as 1.
    assert comparison["p_value"] == 1.0


def test_the_file_of_a_gap_is_its_origin():
    assert SCORES["kinds"]["line"]["origins"] == {
        "r/a.py:1": "r/a.py",
        "r/a.py:2": "r/a.py",
        "r/a.py:3": "r/a.py",
        "r/b.py:1": "r/b.py",
    }


def test_gaps_of_one_file_are_drawn_together():
    """Two files, one wholly filled in: a resample of them has 0, half or all of the gaps."""
    problems = [problem("a.py", "abcd", n) for n in range(50)]
    problems += [problem("b.py", "abcd", n) for n in range(50)]
    made = Filled(completions=["abcd"] * 50 + [""] * 50, max_new_tokens=8)
    gaps = Gaps(by_kind={"line": problems}, not_run=[])
    scores = infilling_scores(gaps, {"base": {"line": made}, "tuned": {"line": made}})
    assert scores["tuned"]["interval"] == [0.0, 1.0]


def test_settings_state_the_longest_completion_of_each_kind():
    assert SCORES["base"]["settings"]["max_new_tokens"] == {"line": 8, "function_body": 64}
    assert SCORES["kinds"]["line"]["base"]["settings"]["max_new_tokens"] == 8


def test_examples_show_truth_surroundings_and_both_completions():
    first = SCORES["kinds"]["function_body"]["examples"][0]
    assert first == {
        "id": "r/a.py:9",
        "prompt": "before ",
        "suffix": " behind",
        "truth": "x = 1\ny = 2",
        "base": {"completion": "x = 1", "verdict": "different", "detail": ""},
        "tuned": {"completion": "x = 1\ny = 2\n", "verdict": "exact", "detail": ""},
    }


def test_the_gate_looks_at_all_gaps_and_at_each_kind():
    assert infilling_rates(SCORES, "tuned") == {
        "infilling": 0.833333,
        "infilling_line": 0.75,
        "infilling_function_body": 1.0,
    }
    assert infilling_rates(None, "tuned") == {}


def test_two_gaps_in_one_place_have_two_names():
    twice = [problem("a.py", "x", 3), problem("a.py", "y", 3), problem("a.py", "z", 4)]
    assert ids_of(twice) == ["r/a.py:3", "r/a.py:3#2", "r/a.py:4"]
    assert ids_of(twice[:1]) == ids_of(twice)[:1]


BODY = "def f_{n}(x):\n    total = x + {n}\n    return total\n\n\n"


def file(language, n, **more):
    text = "".join(BODY.format(n=10 * n + k) for k in range(6))
    return Document(text=text, path=f"{n}.x", repo="r", language=language, **more)


FILES = [file("python", n) for n in range(4)]


def test_every_kind_has_as_many_gaps_as_the_recipe_says():
    found = gaps_of(FILES, Evaluate(infilling_problems=7), has_sentinels=True)
    assert {kind: len(own) for kind, own in found.by_kind.items()} == dict.fromkeys(
        LONGEST_COMPLETION, 7
    )
    assert found.not_run == []


def test_fewer_gaps_are_the_first_of_more_whatever_the_order_of_files():
    few = gaps_of(FILES[::-1], Evaluate(infilling_problems=3), has_sentinels=True)
    more = gaps_of(FILES, Evaluate(infilling_problems=9), has_sentinels=True)
    assert few.by_kind == {kind: own[:3] for kind, own in more.by_kind.items()}


def test_languages_without_a_parser_are_named_and_counted():
    files = [*FILES, file("cobol", 7), file("cobol", 8), file("issues", 9, bodies=())]
    found = gaps_of(files, Evaluate(infilling_problems=3), has_sentinels=True)
    assert found.not_run == [
        {
            "what": "infilling, function body, cobol: 2 files",
            "why": "no parser for cobol is here, so its functions are not found",
        }
    ]


def test_gaps_know_the_line_on_which_they_begin():
    found = gaps_of(FILES, Evaluate(infilling_problems=500), has_sentinels=True)
    for own in found.by_kind.values():
        for one in own:
            assert one.gap.prefix.count("\n") == one.line - 1


def test_without_sentinels_nothing_is_asked_and_that_is_said():
    found = gaps_of(FILES, Evaluate(), has_sentinels=False)
    assert found.by_kind == {}
    (one,) = found.not_run
    assert one["what"] == "infilling"
    assert "sentinels" in one["why"]


def test_turned_off_is_not_left_out():
    assert gaps_of(FILES, Evaluate(infilling_problems=0), has_sentinels=True).not_run == []


def test_a_number_of_tokens_holds_for_every_kind_and_names_for_their_own():
    assert Evaluate(max_new_tokens=7).max_new_tokens == dict.fromkeys(LONGEST_COMPLETION, 7)
    some = Evaluate(max_new_tokens={"function_body": 9})
    assert some.max_new_tokens == {"function_body": 9}
