"""Two runs side by side."""

import pytest
from rich.console import Console

from finetune.errors import UserError
from finetune.report.compare import compare_runs, origin
from finetune.report.compare_table import comparison_row, comparison_table
from finetune.run_folder import read_json, write_json
from tests.report.task_scores import SETTINGS, infilling_comparison, side, small_task


def evaluated(write_run, name, tuned=(1, 1, 1, 0), base=(0, 2, 0, 0), losses=(3.1, 2.2), **changes):
    """A run on four problems with two samples each."""
    run = write_run(name, losses=losses)
    by_problem = {f"T/{n}": list(pair) for n, pair in enumerate(zip(base, tuned, strict=True))}
    score = {key: sum(passed) / 8 for key, passed in (("base", base), ("tuned", tuned))}
    task = small_task(
        by_problem=by_problem,
        base=side(score["base"], [0.0, 0.5], settings=SETTINGS),
        tuned=side(score["tuned"], [0.1, 0.7], settings=SETTINGS),
    )
    write_json(run.scores, {**read_json(run.scores), "tasks": {"humaneval": {**task, **changes}}})
    return run.path


def change_tuned(run, **changes):
    scores = read_json(run / "scores.json")
    scores["tasks"]["humaneval"]["tuned"] |= changes
    write_json(run / "scores.json", scores)


def shown(found, width=100):
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(comparison_table(found))
    return captured.get()


def test_the_second_run_is_compared_with_the_first_problem_by_problem(write_run):
    a = evaluated(write_run, "a", tuned=(1, 1, 1, 0))
    b = evaluated(write_run, "b", tuned=(2, 0, 2, 2))
    *_, measure = compare_runs(a, b).measures
    assert measure.contrast.difference == pytest.approx((1 - 1 + 1 + 2) / 8)
    assert (measure.contrast.wins, measure.contrast.losses) == (3, 1)
    # Signs of 1, 1, 1 and 2 at random: 5 once and 3 three times, as often below: 8 of 16.
    assert measure.contrast.p_value == pytest.approx(8 / 16)
    assert comparison_row(measure).remark.endswith("p = 0.5): within chance")


def test_swapping_the_runs_turns_the_difference_round(write_run):
    a = evaluated(write_run, "a")
    b = evaluated(write_run, "b", tuned=(2, 0, 2, 2))
    one, other = (compare_runs(*pair).measures[-1].contrast for pair in ((a, b), (b, a)))
    assert one.difference == -other.difference
    assert (one.wins, one.losses) == (other.losses, other.wins)
    assert one.p_value == other.p_value


def test_a_base_that_is_the_same_stands_once(write_run):
    a, b = evaluated(write_run, "a"), evaluated(write_run, "b")
    found = compare_runs(a, b)
    assert found.same_base
    assert "Base of" not in shown(found)


def test_bases_that_differ_stand_side_by_side(write_run):
    a = evaluated(write_run, "a")
    b = evaluated(write_run, "b", base=(1, 1, 0, 0))  # the same score, other problems
    found = compare_runs(a, b)
    assert not found.same_base
    text = " ".join(shown(found).split())
    assert "Base of a" in text
    assert "Base of b" in text


def test_other_settings_are_refused_by_name(write_run):
    a = evaluated(write_run, "a")
    b = evaluated(write_run, "b")
    change_tuned(b, settings={**SETTINGS, "temperature": 0.8})
    with pytest.raises(UserError, match=r"humaneval: temperature is 0\.2 in a and 0\.8 in b"):
        compare_runs(a, b)


def test_other_problems_are_refused_by_name(write_run):
    a = evaluated(write_run, "a")
    b = evaluated(write_run, "b", by_problem={"T/0": [0, 1], "T/9": [0, 1]})
    with pytest.raises(UserError) as error:
        compare_runs(a, b)
    assert "humaneval: problems of a alone: T/1, T/2, T/3" in str(error.value)
    assert "humaneval: problems of b alone: T/9" in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"problems": 5}, "number of problems is 4 in a and 5 in b"),
        ({"samples": 9}, "samples per problem is 2 in a and 9 in b"),
    ],
)
def test_other_counts_are_refused_by_name(write_run, change, words):
    a = evaluated(write_run, "a")
    b = evaluated(write_run, "b")
    change_tuned(b, **change)
    with pytest.raises(UserError, match=words):
        compare_runs(a, b)


def test_another_metric_is_refused(write_run):
    a = evaluated(write_run, "a")
    b = evaluated(write_run, "b", metric="exact_match")
    with pytest.raises(UserError, match="humaneval: pass@1 in a, exact_match in b"):
        compare_runs(a, b)


def test_a_task_of_one_run_alone_is_named_and_left_out(write_run):
    a, b = evaluated(write_run, "a"), evaluated(write_run, "b")
    scores = read_json(b / "scores.json")
    scores["tasks"]["mbpp"] = small_task()
    write_json(b / "scores.json", scores)
    found = compare_runs(a, b)
    assert found.notes == ("mbpp: b alone was evaluated on it",)
    assert "Not compared: mbpp: b alone" in shown(found)


def test_runs_without_results_by_problem_are_not_judged(write_run):
    a = evaluated(write_run, "a", by_problem={})
    b = evaluated(write_run, "b", tuned=(2, 2, 2, 2))
    measure = compare_runs(a, b).measures[-1]
    assert comparison_row(measure).remark == "+62.5 points: chance not assessed"


def test_held_out_losses_are_compared_where_the_bases_lose_alike(write_run):
    a = evaluated(write_run, "a", losses=(3.1, 2.2))
    b = evaluated(write_run, "b", losses=(3.1, 2.0))
    first = compare_runs(a, b).measures[0]
    assert comparison_row(first).remark == "−0.200 better"


def test_held_out_losses_of_other_files_are_not_compared(write_run):
    a = evaluated(write_run, "a", losses=(3.1, 2.2))
    b = evaluated(write_run, "b", losses=(3.2, 2.0))
    found = compare_runs(a, b)
    assert [measure.name for measure in found.measures] == ["humaneval, pass@1"]
    assert "the bases' own losses differ" in found.notes[0]


def test_infilling_under_other_settings_is_named_and_left_out(write_run):
    a, b = evaluated(write_run, "a"), evaluated(write_run, "b")
    scores = read_json(b / "scores.json")
    scores["infilling"]["tuned"]["settings"] = {"decoding": "sampled", "max_new_tokens": 48}
    write_json(b / "scores.json", scores)
    (note,) = compare_runs(a, b).notes
    assert note == "infilling of held-out code: decoding is greedy in a and sampled in b"


@pytest.mark.parametrize(
    ("remove", "words"), [("scores.json", "no scores.json"), (None, "no such run folder")]
)
def test_a_run_that_was_not_evaluated_is_a_user_error(write_run, tmp_path, remove, words):
    a = evaluated(write_run, "a")
    b = evaluated(write_run, "b")
    if remove:
        (b / remove).unlink()
    with pytest.raises(UserError, match=words):
        compare_runs(a, b if remove else tmp_path / "never")


def test_runs_with_nothing_in_common_are_a_user_error(write_run):
    a = evaluated(write_run, "a", losses=(3.1, 2.2))
    run = write_run("b", losses=(9.0, 2.0))
    with pytest.raises(UserError, match="a and b have no measure in common"):
        compare_runs(a, run.path)


def test_gaps_of_one_function_stand_and_fall_together(write_run):
    """Ten gaps of one function are one observation: nothing can be proven from it."""
    names = [f"SingleLineInfilling/HumanEval/0/L{n}" for n in range(10)]
    a = evaluated(write_run, "a", by_problem={name: [0, 0] for name in names})
    b = evaluated(write_run, "b", by_problem={name: [0, 2] for name in names})
    assert compare_runs(a, b).measures[-1].contrast.p_value == 1.0


def test_recorded_origins_go_before_what_names_say(write_run):
    """Ten problems whose names say nothing, of one origin."""
    names = [f"gap {n}" for n in range(10)]
    origins = dict.fromkeys(names, "a.py")
    a = evaluated(write_run, "a", by_problem={name: [0, 0] for name in names}, origins=origins)
    b = evaluated(write_run, "b", by_problem={name: [0, 2] for name in names}, origins=origins)
    assert compare_runs(a, b).measures[-1].contrast.p_value == 1.0


def test_kinds_of_gaps_are_compared_one_by_one(write_run):
    runs = [write_run(name) for name in ("a", "b")]
    for run in runs:
        write_json(run.scores, infilling_comparison(read_json(run.scores)))
    measures = {one.name: one for one in compare_runs(*(run.path for run in runs)).measures}
    assert {"infilling, line, exact_match", "infilling, function body, exact_match"} < set(measures)
    found = measures["infilling of held-out code, exact_match"].contrast
    assert (found.difference, found.wins, found.losses) == (0.0, 0, 0)


@pytest.mark.parametrize(
    ("name", "origin_name"),
    [
        ("HumanEval/12", "HumanEval/12"),
        ("SingleLineInfilling/HumanEval/0/L0", "HumanEval/0"),
        ("cpp/HumanEval_89_encrypt", "HumanEval/89"),
        ("Mbpp/7", "Mbpp/7"),
    ],
)
def test_an_origin_is_told_from_a_problems_name(name, origin_name):
    assert origin(name) == origin_name


def test_the_table_fits_100_columns_and_takes_nothing_for_markup(write_run):
    a, b = evaluated(write_run, "a"), evaluated(write_run, "b")
    for run in (a, b):
        scores = read_json(run / "scores.json")
        scores["tasks"]["[red]x[/red]\x1b[2J"] = small_task()
        write_json(run / "scores.json", scores)
    text = shown(compare_runs(a, b))
    assert max(map(len, text.splitlines())) <= 100
    assert "[red]x" in text
    assert "\x1b" not in text
