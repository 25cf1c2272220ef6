import pytest
from rich.console import Console

from finetune.report import lineage, lineage_table, read_run, rows
from finetune.report.table import compared
from finetune.run_folder import RunFolder, read_json, write_json


def row_of(run, measure):
    (row,) = [row for row in rows([read_run(run)]) if row.measure.startswith(measure)]
    return row


def printed(views, width=100):
    console = Console(width=width, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(lineage_table(views))
    return captured.get()


def test_losses_equal_those_of_the_scores(nano):
    scores = read_json(nano.scores)["losses_by_language"]["python"]
    for layout, words in (("left_to_right", "left to right"), ("psm", "PSM"), ("spm", "SPM")):
        row = row_of(nano, f"loss, python, {words}")
        before, after = scores["base"][layout], scores["tuned"][layout]
        assert (row.before, row.after) == (f"{before:.3f}", f"{after:.3f}")
        assert row.change == f"−{before - after:.3f}"


def test_exact_matches_equal_those_of_the_scores(nano):
    row = row_of(nano, "exact infilling")
    assert (row.before, row.after, row.change) == ("18.0%", "34.5%", "+16.5 points")
    assert row.note == "200 problems; decoding greedy, max_new_tokens 48"


def test_several_languages_have_rows_besides_their_total(write_run):
    run = write_run("run", languages=("python", "cpp"))
    measures = [row.measure for row in rows([read_run(run)])][:7:3]
    assert measures == [
        "loss, left to right",
        "loss, cpp, left to right",
        "loss, python, left to right",
    ]


def test_a_lower_loss_is_better(nano):
    assert row_of(nano, "loss, python, PSM").verdict == "better"


def test_a_higher_loss_is_worse(write_run):
    run = write_run("run", losses=(2.0, 2.5))
    assert row_of(run, "loss, python, PSM").remark == "+0.530 worse"


def test_a_share_that_was_not_compared_is_neither_better_nor_worse(write_run):
    run = write_run("run", exact=(0.4, 0.3))
    assert row_of(run, "exact infilling").remark == "−10.0 points: chance not assessed"


def test_a_change_that_rounds_to_nothing_is_none():
    assert compared("run", "loss", 2.0, 1.99996).remark == "±0.000 same"


def test_a_loss_that_is_not_a_number_is_worse():
    row = compared("run", "loss", 2.0, float("nan"))
    assert (row.after, row.remark) == ("nan", "worse")


def test_half_a_measurement_has_no_change():
    row = compared("run", "loss", None, 2.0)
    assert (row.before, row.after, row.remark) == ("not measured", "2.000", "")


@pytest.mark.parametrize("name", ["scores.json", "stages.json", "log.jsonl", "merged/merge.json"])
def test_a_missing_file_is_not_measured(write_run, name):
    run = write_run("run")
    whole = [row.after for row in rows([read_run(run)])]
    (run.path / name).unlink()
    assert "not measured" not in whole
    assert "not measured" in [row.after for row in rows([read_run(run)])]


def test_in_an_empty_folder_nothing_is_measured(tmp_path):
    assert {row.after for row in rows([read_run(RunFolder(tmp_path))])} == {"not measured"}


def test_training_speed_is_the_median_so_a_slow_first_step_does_not_count(write_run):
    run = write_run("run")
    run.log.write_text(
        "".join(
            f'{{"step": {step}, "tokens": {step}, "loss": 1.0, "tokens_per_second": {speed}}}\n'
            for step, speed in enumerate((10, 900, 1000), start=1)
        )
    )
    assert row_of(run, "tokens per second").after == "900"


def test_training_time_is_that_of_the_stage(nano):
    assert row_of(nano, "training time").after == "12 min 34 s"


@pytest.mark.parametrize(("difference", "words"), [(9e-5, "holds"), (2e-4, "fails")])
def test_a_merge_holds_within_its_tolerance(write_run, difference, words):
    run = write_run("run")
    write_json(
        run.merge_proof, read_json(run.merge_proof) | {"max_abs_logit_difference": difference}
    )
    assert row_of(run, "merge proof").after == words


def test_a_merge_whose_difference_is_not_a_number_fails(write_run):
    run = write_run("run")
    nan = {"max_abs_logit_difference": float("nan")}
    write_json(run.merge_proof, read_json(run.merge_proof) | nan)
    assert row_of(run, "merge proof").after == "fails"


def test_an_argmax_agreement_below_one_is_never_printed_as_all(write_run):
    run = write_run("run")
    write_json(run.merge_proof, read_json(run.merge_proof) | {"argmax_agreement": 0.99999})
    assert row_of(run, "merge proof").change.endswith("same argmax 99.9%")


def test_a_refusing_gate_says_why(write_run):
    run = write_run("run")
    gate = {"passed": False, "reasons": ["psm loss rose by 0.2"]}
    write_json(run.scores, read_json(run.scores) | {"gate": gate})
    row = row_of(run, "gate")
    assert (row.after, row.remark) == ("refused", "psm loss rose by 0.2")


def test_the_table_fits_100_columns_with_every_number_whole(nano):
    views = lineage(nano)
    text = printed(views)
    assert max(map(len, text.splitlines())) <= 100
    for row in rows(views):
        assert row.before in text
        assert row.after in text


def test_the_table_says_which_direction_is_better(nano):
    text = printed(lineage(nano))
    assert "↓ lower is better, ↑ higher is better" in text
    assert "↓ loss, python, PSM" in text
    assert "↑ exact infilling" in text


def test_the_table_takes_nothing_in_a_run_folder_for_markup(write_run):
    run = write_run("run", base="'[red]model[/red]'")
    assert "[red]model" in printed([read_run(run)])
