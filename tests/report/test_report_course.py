"""What the log says beside the loss, and what was known before the first step."""

import xml.etree.ElementTree as ElementTree

from finetune.report import read_run, write_report
from finetune.report.course import (
    languages_left_out,
    meter_facts,
    training_by_layout,
    validation_by_language,
)
from finetune.report.health import health_of, plan_facts
from finetune.run_folder import RunFolder, write_json
from tests.report.conftest import doctor, write_lines


def wide(markup):
    return next(ElementTree.fromstring(f"<all>{markup}</all>").iter("svg"))


def legend(drawing):
    return [text.text for text in drawing.iter("text") if ", last" in (text.text or "")]


def test_training_losses_have_a_line_per_layout(write_run):
    drawing = wide(training_by_layout(read_run(write_run("run", steps=40)), "a"))
    assert [words.partition(",")[0] for words in legend(drawing)] == ["left to right", "PSM", "SPM"]
    assert len(list(drawing.iter("polyline"))) == 3


def test_held_out_losses_have_a_line_per_language_with_the_mean_over_layouts(write_run):
    run = write_run("run", steps=40)
    by_language = {"go": {"left_to_right": 1.0, "psm": 2.0, "spm": 6.0}, "c": {"psm": 4.0}}
    line = {"validation": {"psm": 3.0}, "validation_by_language": by_language}
    write_lines(run.log, [{"step": 10, **line}, {"step": 20, **line}])
    drawing = wide(validation_by_language(read_run(run), "a"))
    assert legend(drawing) == ["go, last 3.000", "c, last 4.000"]


def test_languages_beyond_the_colours_are_counted(write_run):
    run = write_run("run")
    many = {f"l{n}": {"psm": 1.0} for n in range(9)}
    line = {"step": 1, "validation": {}, "validation_by_language": many}
    write_lines(run.log, [line])
    view = read_run(run)
    assert len(legend(wide(validation_by_language(view, "a")))) == 6
    assert languages_left_out(view) == 3
    assert "3 more languages in log.jsonl" in write_report(run).read_text()


def test_the_meter_says_what_a_step_cost(write_run):
    facts = dict(meter_facts(read_run(write_run("run", steps=40))))
    assert facts["MFU, median over steps"] == "41.0%"
    assert facts["share of a step spent waiting for data, median"] == "1.2%, at most 20.0%"
    assert facts["most memory held by the first process"] == "3.00 GiB"


def test_a_log_without_the_newer_keys_shows_none_of_them(write_run):
    run = write_run("run")
    write_lines(run.log, [{"step": 1, "loss": 2.0, "mfu": None}, {"step": 1, "validation": {}}])
    view = read_run(run)
    assert meter_facts(view) == []
    assert training_by_layout(view, "a") is None
    assert validation_by_language(view, "a") is None
    assert "By layout and language" not in write_report(run).read_text()


def test_faults_and_notes_are_shown_and_the_rest_is_folded():
    health = health_of(doctor(what="1.0 is high", cause="a typo", remedy="lower it"))
    assert health.summary == "4 checks: 1 ok, 1 note, 1 not applicable, 1 fault"
    assert not health.is_healthy
    assert [check.name for check in health.shown] == ["base", "learning rate"]
    assert health.shown[1].more == (("cause", "a typo"), ("remedy", "lower it"))
    assert [check.name for check in health.folded] == ["weight files", "start"]


def test_a_fault_stands_on_the_page_with_cause_and_remedy(write_run):
    run = write_run("run")
    write_json(run.doctor, doctor(what="1.0 is high", cause="a <typo>", remedy="lower it"))
    page = write_report(run).read_text()
    for words in ("1.0 is high", "a &lt;typo&gt;", "lower it"):
        assert words in page


def test_a_run_that_was_not_examined_says_so(write_run, tmp_path):
    assert health_of({}) is None
    run = write_run("run")
    run.doctor.unlink()
    assert "the doctor&#39;s checks: not measured" in write_report(run).read_text()
    assert plan_facts(read_run(RunFolder(tmp_path))) == []


def test_the_plans_choice_is_that_of_the_resolved_recipe(write_run):
    facts = dict(plan_facts(read_run(write_run("run"))))
    assert facts["blocks per process and pass"] == "4"
    assert facts["passes per step"] == "2"  # 4096 tokens / 512 a block / 1 process / 4 blocks
    assert facts["activation checkpointing"] == "off"
    assert facts["engine"] == "single"


def test_passes_are_not_guessed_where_the_number_of_processes_is_not_known(write_run):
    run = write_run("run")
    run.doctor.unlink()
    assert "passes per step" not in dict(plan_facts(read_run(run)))
