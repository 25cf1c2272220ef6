import pytest

from finetune.errors import UserError
from finetune.report import lineage, read_run
from finetune.report.runs import base_in_words, method_in_words
from finetune.run_folder import RunFolder


def test_lineage_is_oldest_first(nano):
    assert [view.name for view in lineage(nano)] == ["nano-base", "nano-python", "nano-my-code"]


def test_runs_that_stand_on_each_other_are_a_user_error_that_names_them(write_run):
    write_run("one", base="{run: two}")
    with pytest.raises(UserError, match="two -> one -> two"):
        lineage(write_run("two", base="{run: one}"))


def test_an_ancestor_that_is_gone_stays_in_the_lineage_by_name(write_run):
    first, last = lineage(write_run("late", base="{run: lost}"))
    assert (first.name, first.present, last.present) == ("lost", False, True)


def test_a_base_that_is_a_path_is_not_followed(write_run):
    assert len(lineage(write_run("late", base="{run: ../elsewhere}"))) == 1


def test_a_run_that_does_not_exist_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="no such run folder"):
        lineage(RunFolder(tmp_path / "never"))


def test_training_and_validation_lines_are_told_apart(write_run):
    view = read_run(write_run("run", steps=200))
    assert (len(view.training), len(view.validation)) == (200, 2)


def test_a_step_that_a_resumed_run_repeats_counts_once_and_as_logged_last(write_run):
    run = write_run("run", steps=5)
    with run.log.open("a") as log:
        log.write('{"step": 5, "tokens": 20480, "loss": 1.5}\n')
    view = read_run(run)
    assert [line["step"] for line in view.training] == [1, 2, 3, 4, 5]
    assert view.training[-1]["loss"] == 1.5


def test_a_log_line_that_is_still_being_written_is_not_read(write_run):
    run = write_run("run", steps=5)
    with run.log.open("a") as log:
        log.write('{"step": 6, "lo')
    assert len(read_run(run).training) == 5


def test_a_broken_line_inside_a_log_is_named(write_run):
    run = write_run("run", steps=5)
    with run.log.open("a") as log:
        log.write('{"step": 6, "lo\n')
    with pytest.raises(UserError, match=r"log\.jsonl:6: not JSON"):
        read_run(run)


def test_broken_scores_are_named(write_run):
    run = write_run("run")
    run.scores.write_text("{")
    with pytest.raises(UserError, match=r"scores\.json: not JSON"):
        read_run(run)


def test_the_manifest_is_counted_by_licence_and_split(write_run):
    data = read_run(write_run("run")).data
    assert data.total == (120, 240_000)
    assert data.licences == {"MIT": (80, 160_000), "BSD-3-Clause": (40, 80_000)}
    assert data.splits == {"train": (108, 216_000), "holdout": (12, 24_000)}


def test_drops_are_counted_by_reason_most_frequent_first(write_run):
    drops = read_run(write_run("run")).drops
    assert list(drops.items()) == [("generated", 5), ("longest line over 1000 characters", 3)]


def test_a_manifest_that_is_not_there_is_not_an_empty_one(write_run):
    run = write_run("run")
    run.manifest.unlink()
    run.drops.write_text("")
    view = read_run(run)
    assert (view.data, view.drops) == (None, {})


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("{scratch: {licence: MIT}}", "from scratch"),
        ("bigcode/starcoderbase", "bigcode/starcoderbase"),
        ("{model: ./base, revision: main}", "./base"),
        ("{run: earlier}", "earlier"),
    ],
)
def test_every_kind_of_base_is_worded(write_run, base, words):
    assert base_in_words(read_run(write_run("run", base=base))) == words


@pytest.mark.parametrize(
    ("tune", "words"),
    [
        ("{method: full}", "all weights"),
        ("{method: full, trainable: ['*.h.1.*', '*ln_f*']}", "weights *.h.1.*, *ln_f*"),
        ("{method: lora, rank: 8}", "LoRA, rank 8"),
        ("{method: dora, rank: 4}", "DoRA, rank 4"),
        ("{method: qlora, rank: 64}", "QLoRA, rank 64"),
    ],
)
def test_every_method_is_worded(write_run, tune, words):
    assert method_in_words(read_run(write_run("run", tune=tune))) == words
