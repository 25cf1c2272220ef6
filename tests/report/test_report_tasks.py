"""Tasks in the table, the terminal and the charts."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from finetune.report import read_run, rows
from finetune.report.forgetting import forgetting, forgetting_notes
from finetune.report.task_bars import highest, part_bars, task_bars
from finetune.report.task_charts import differences, problem_marks, state
from finetune.report.task_page import section
from finetune.report.tasks import Tried, infilling_of, tasks_of
from finetune.run_folder import read_json, write_json
from tests.report.task_scores import SETTINGS, full, infilling_comparison, proven, side, small_task
from tests.report.test_report_table import printed, row_of


def with_scores(run, **more):
    write_json(run.scores, {**read_json(run.scores), **more})
    return run


def with_task(run, **changes):
    return with_scores(run, tasks={"humaneval": small_task(**changes)})


def task_of(**changes):
    (task,) = tasks_of({"tasks": {"humaneval": small_task(**changes)}})
    return task


def wide(markup):
    return next(ElementTree.fromstring(f"<all>{markup}</all>").iter("svg"))


def test_a_task_has_a_row_with_both_intervals_count_and_settings(write_run):
    row = row_of(with_task(write_run("run")), "humaneval, pass@1")
    assert (row.before, row.before_interval) == ("25.0%", "0.0–50.0%")
    assert (row.after, row.after_interval) == ("37.5%", "12.5–75.0%")
    counts = "4 problems, 2 samples each"
    assert row.note == f"{counts}; temperature 0.2, top_p 0.95, max_new_tokens 512"


def test_a_difference_within_chance_claims_nothing(write_run):
    row = row_of(with_task(write_run("run")), "humaneval")
    assert row.remark == "+12.5 points (95%: −25.0 to 50.0; p = 0.75): within chance"
    assert row.kind == "plain"


def test_a_difference_beyond_chance_is_better(write_run):
    row = row_of(with_task(write_run("run"), comparison=proven()), "humaneval")
    assert row.remark == "+9.0 points (95%: 4.0 to 14.0; p = 0.002): better"
    assert row.kind == "better"


def test_two_scores_without_a_comparison_have_no_verdict(write_run):
    row = row_of(with_task(write_run("run"), comparison=None), "humaneval")
    assert row.remark == "+12.5 points: chance not assessed"


def test_one_model_alone_has_no_change(write_run):
    row = row_of(with_task(write_run("run"), base=None, comparison=None), "humaneval")
    assert (row.before, row.after, row.remark) == ("not measured", "37.5%", "")


def test_infilling_is_judged_by_its_comparison(write_run):
    run = write_run("run")
    write_json(run.scores, infilling_comparison(read_json(run.scores)))
    assert row_of(run, "exact infilling").remark.endswith("p = 0.002): better")


def test_what_was_not_run_is_a_row_with_its_reason(write_run):
    omitted = [{"what": "swift", "why": "no toolchain"}]
    run = with_task(write_run("run"), not_run=omitted)
    run = with_scores(run, tasks_not_run=[{"what": "mbpp", "why": "no jail"}])
    for measure, why in (("mbpp", "no jail"), ("humaneval, swift", "no toolchain")):
        row = row_of(run, measure)
        assert (row.after, row.remark) == ("not run", why)


def test_every_score_and_interval_of_a_task_is_whole_in_the_terminal(write_run):
    run = write_run("run")
    write_json(run.scores, full(read_json(run.scores)))
    text = printed([read_run(run)])
    assert max(map(len, text.splitlines())) <= 100
    for row in rows([read_run(run)]):
        for part in (row.before, row.after, row.before_interval, row.after_interval):
            assert part in text


def test_names_cannot_steer_the_terminal(write_run):
    run = with_scores(write_run("run"), tasks={"\x1b[2J\u202ehuman": small_task()})
    text = printed([read_run(run)])
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_settings_that_differ_are_both_told():
    base = side(0.25, [0.0, 0.5], settings={"temperature": 0.8})
    assert task_of(base=base).settings_in_words.startswith("base: temperature 0.8; tuned: temp")


def test_settings_show_what_a_list_holds_and_a_table_leaves_it_out():
    assert task_of().settings_in_words.endswith('stops ["\\nclass", "\\ndef"]')
    assert "stops" not in task_of().brief_settings


def test_missing_counts_and_settings_are_said_to_be_missing():
    task = task_of(base={"pass@1": 0.1}, tuned={"pass@1": 0.2})
    assert task.count_in_words == "number of problems not recorded"
    assert task.settings_in_words == "settings not recorded"


@pytest.mark.parametrize("tasks", [None, [], {}, {"humaneval": None}, {"humaneval": 3}])
def test_scores_without_tasks_have_none(tasks):
    assert tasks_of({"tasks": tasks}) == []


def test_bars_carry_scores_and_whiskers_their_intervals():
    drawing = wide(task_bars(task_of(), 1.0, "a"))
    shown = {text.text for text in drawing.iter("text")}
    assert {"25.0%", "37.5%", "0.0–50.0%", "12.5–75.0%"} <= shown
    hints = [title.text for title in drawing.iter("title")][1:]
    assert hints == ["base: (95%: 0.0–50.0%)", "tuned: (95%: 12.5–75.0%)"]
    assert "base 25.0% (95%: 0.0–50.0%)" in drawing.find("desc").text


def test_a_whisker_spans_its_interval_on_the_scale_of_the_bars():
    drawing = wide(task_bars(task_of(), 1.0, "a"))
    base, tuned = (
        next(bar for bar in drawing.iter("rect") if bar.get("class") == kind)
        for kind in ("before", "after")
    )
    ends = [
        tuple(float(x) for x in re.findall(r"M([\d.]+) [\d.]+v8", group.find("path").get("d")))
        for group in drawing.iter("g")
    ]
    left, scale = float(base.get("x")), float(base.get("width")) / 0.25
    assert float(tuned.get("width")) == pytest.approx(0.375 * scale, abs=0.2)
    for (low, high), bounds in zip(ends, ([0.0, 0.5], [0.125, 0.75]), strict=True):
        assert [low, high] == pytest.approx([left + bound * scale for bound in bounds], abs=0.2)


def test_a_score_without_an_interval_has_no_whisker():
    drawing = wide(task_bars(task_of(tuned=side(0.4, None)), 1.0, "a"))
    assert len(list(drawing.iter("g"))) == 1


def test_tasks_of_a_run_share_the_highest_end_of_an_interval():
    assert highest([task_of(), task_of(tuned=side(0.3, [0.2, 0.9]))]) == 0.9
    assert highest([]) == 1.0


def test_parts_are_drawn_by_language_and_by_kind():
    by_language = {"go": {"base": 0.1, "tuned": 0.2, "problems": 154}}
    drawing = wide(part_bars(task_of(by_language=by_language), "a"))
    assert "go, 154 problems" in {text.text for text in drawing.iter("text")}
    own = {"exact_match": 0.3, "problems": 7}
    values = {"exact_match": 0.2, "problems": 9}
    kinds = {"function_body": {"base": own, "tuned": own}}
    task = infilling_of({"infilling": {"base": values, "tuned": values, "kinds": kinds}})
    assert "function body, 7 problems" in wide(part_bars(task, "a")).find("desc").text


def test_differences_are_drawn_beside_zero_in_the_colour_of_their_verdict():
    tasks = [task_of(), task_of(comparison=proven()), task_of(comparison=None)]
    drawing = wide(differences(tasks, "a"))
    kinds = [group.get("class") for group in drawing.iter("g") if group.find("circle") is not None]
    assert kinds == ["even", "won"]
    assert "no difference" in {text.text for text in drawing.iter("text")}


@pytest.mark.parametrize(
    ("base", "tuned", "name"),
    [(0, 1, "won"), (2, 1, "lost"), (2, 2, "always"), (1, 1, "sometimes"), (0, 0, "never")],
)
def test_a_problem_is_in_one_of_five_states(base, tuned, name):
    assert state(Tried("T/0", base, tuned), samples=2) == name


def test_every_problem_has_its_mark_and_the_legend_counts_them():
    drawing = wide(problem_marks(task_of(), "a"))
    hints = [title.text for title in drawing.iter("title")][1:]
    assert hints[1] == "T/1: base 2, tuned 1 of 2"
    assert len(hints) == 4
    expected = "tuned passes more often: 2; base passes more often: 1; neither ever passes: 1."
    assert drawing.find("desc").text == expected


def test_too_many_problems_are_not_drawn_one_by_one():
    many = {f"T/{n}": [0, 1] for n in range(1201)}
    assert problem_marks(task_of(by_problem=many), "a") is None
    assert section(task_of(by_problem=many), 1.0, "a").num_won == 1201


def test_problems_won_and_lost_lead_to_their_examples():
    found = section(task_of(), 1.0, "run0-task0")
    assert [(one.id, one.base, one.tuned, one.anchor) for one in found.lost] == [
        ("T/1", "2 of 2", "1 of 2", "run0-task0-example1")
    ]
    assert [one.id for one in found.won] == ["T/0", "T/2"]


def test_problems_that_moved_furthest_are_listed_first():
    moved = {f"T/{n}": [0, n % 2 + 1] for n in range(30)}
    found = section(task_of(by_problem=moved), 1.0, "a")
    assert {one.tuned for one in found.won} == {"2 of 2"}
    assert (len(found.won), found.num_won) == (10, 30)


def test_examples_keep_the_order_of_the_scores_and_are_counted():
    recorded = [{"id": f"T/{n}", "base": {}, "tuned": {}} for n in range(30)]
    found = section(task_of(examples=recorded), 1.0, "a")
    assert [one.id for one in found.shown] == ["T/0", "T/1"]
    assert (len(found.folded), found.num_examples) == (18, 30)


def test_a_verdict_that_is_not_passed_is_not_green():
    recorded = [{"id": "T/0", "base": {"verdict": "passed"}, "tuned": {"verdict": "PASSED"}}]
    (example,) = section(task_of(examples=recorded), 1.0, "a").shown
    assert [one.kind for one in example.completions] == ["better", "worse"]


def test_forgetting_is_shown_of_languages_that_were_not_trained(write_run):
    run = with_scores(write_run("run", languages=("python", "cpp")), trained_languages=["python"])
    found = forgetting(read_run(run))
    assert [row.measure for row in found] == ["cpp, left to right", "cpp, PSM", "cpp, SPM"]


def test_forgetting_has_bits_per_byte_and_says_what_was_brought(write_run):
    bits = {"cpp": {"base": {"psm": 1.5}, "tuned": {"psm": 1.75}}}
    brought = {"source": "torch", "documents": {"cpp": 4}, "drops": {"the same text twice": 2}}
    run = with_scores(
        write_run("run", languages=("python", "cpp")),
        trained_languages=["python"],
        bits_per_byte_by_language=bits,
        forgetting=[brought],
    )
    *_, row = forgetting(read_run(run))
    assert (row.measure, row.remark) == ("cpp, bits per byte, PSM", "+0.250 worse")
    assert forgetting_notes(read_run(run)) == [
        ("torch, files of cpp", "4"),
        ("torch, left out: the same text twice", "2"),
    ]


def test_kinds_that_were_not_run_are_told(write_run):
    omitted = [{"what": "infilling, function body, cobol: 2 files", "why": "no parser"}]
    row = row_of(with_scores(write_run("run"), infilling_not_run=omitted), "infilling, function")
    assert (row.after, row.change) == ("not run", "no parser")


def test_forgetting_is_not_claimed_where_training_languages_are_unknown(write_run):
    assert forgetting(read_run(write_run("run", languages=("python", "cpp")))) is None


def test_forgetting_is_empty_where_every_language_was_trained(write_run):
    run = with_scores(write_run("run"), trained_languages=["python"])
    assert forgetting(read_run(run)) == []


def test_the_fixture_says_how_it_was_run():
    assert task_of().tuned.settings == SETTINGS
