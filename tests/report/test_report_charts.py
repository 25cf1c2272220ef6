import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from finetune.report import read_run
from finetune.report.axes import tick_text, ticks
from finetune.report.charts import language_bars, left_out, loss_curves, smoothed, thinned
from finetune.run_folder import RunFolder, read_json


def tree_of(markup):
    return ElementTree.fromstring(f"<all>{markup}</all>")


@pytest.mark.parametrize(
    ("low", "high"), [(0, 300), (2.13, 8.34), (1.999, 2.001), (3, 3), (0, 1), (0, 1_234_567)]
)
def test_ticks_are_even_and_enclose_the_data(low, high):
    values = ticks(low, high, 6)
    steps = {round(after - before, 9) for before, after in pairwise(values)}
    assert len(steps) == 1
    assert values[0] <= low
    assert values[-1] >= high
    assert 2 <= len(values) <= 9


def test_ticks_of_steps_are_whole():
    assert ticks(0, 3, 8, least=1) == [0, 1, 2, 3]


def test_tick_labels_have_the_decimals_of_their_step():
    assert [tick_text(0.15, 0.05), tick_text(2.0, 0.5), tick_text(2000.0, 500.0)] == [
        "0.15",
        "2.0",
        "2,000",
    ]


def test_a_smoothed_line_stays_straight_where_the_raw_one_is():
    line = [(float(step), 10 - step / 100) for step in range(500)]
    means, window = smoothed(line)
    assert window == 21
    assert means == [(step, pytest.approx(value)) for step, value in line]


def test_a_short_line_is_not_smoothed():
    line = [(1.0, 3.0), (2.0, 1.0), (3.0, 2.0)]
    assert smoothed(line) == (line, 1)


def test_thinning_keeps_a_single_spike():
    line = [(float(step), 1.0) for step in range(10_000)]
    line[5_003] = (5_003.0, 9.0)
    kept = thinned(line)
    assert (5_003.0, 9.0) in kept
    assert len(kept) <= 500


def test_charts_are_well_formed_and_say_what_they_show(write_run):
    view = read_run(write_run("run"))
    for markup in (loss_curves(view, "a"), language_bars(view, "b")):
        for drawing in tree_of(markup).iter("svg"):
            title, summary = drawing.find("title"), drawing.find("desc")
            assert drawing.get("aria-labelledby") == f"{title.get('id')} {summary.get('id')}"
            assert title.text
            assert summary.text


def test_identifiers_are_not_repeated(write_run):
    view = read_run(write_run("run"))
    found = re.findall(r'id="([^"]+)"', loss_curves(view, "a") + language_bars(view, "b"))
    assert len(found) == len(set(found)) == 8


def test_every_validation_is_a_point_of_each_layout(write_run):
    (wide, _) = tree_of(loss_curves(read_run(write_run("run", steps=300)), "a")).iter("svg")
    hints = [title.text for title in wide.iter("title") if "step" in title.text]
    assert len([hint for hint in hints if hint.startswith("validation, PSM")]) == 3


def test_everything_is_drawn_inside_its_frame(write_run):
    (wide, _) = tree_of(loss_curves(read_run(write_run("run")), "a")).iter("svg")
    _, _, width, height = map(float, wide.get("viewBox").split())
    for line in wide.iter("polyline"):
        for point in line.get("points").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height


def test_bars_carry_the_numbers_of_the_scores(write_run):
    run = write_run("run", languages=("python", "cpp"))
    (drawing, _) = tree_of(language_bars(read_run(run), "b")).iter("svg")
    shown = {text.text for text in drawing.iter("text") if text.get("class") == "value"}
    losses = read_json(run.scores)["losses_by_language"]
    assert shown == {
        f"{value:.3f}"
        for sides in losses.values()
        for side in sides.values()
        for value in side.values()
    }


def test_bars_are_as_long_as_their_losses(write_run):
    (drawing, _) = tree_of(language_bars(read_run(write_run("run", losses=(4, 2))), "b")).iter(
        "svg"
    )
    before, after = (
        [float(bar.get("width")) for bar in drawing.iter("rect") if bar.get("class") == kind][1:]
        for kind in ("before", "after")
    )
    assert before == pytest.approx([2 * length for length in after], abs=0.1)


def test_losses_that_are_not_numbers_are_counted_instead_of_drawn(write_run):
    run = write_run("run", steps=20)
    with run.log.open("a") as log:
        log.write('{"step": 21, "tokens": 1, "loss": NaN}\n')
        log.write('{"step": 22, "tokens": 1, "loss": null}\n')
    view = read_run(run)
    assert left_out(view) == 2
    assert "nan" not in loss_curves(view, "a")


def test_one_step_is_still_drawn(write_run):
    assert "training, step 1:" in loss_curves(read_run(write_run("run", steps=1)), "a")


def test_nothing_measured_is_no_chart(tmp_path):
    view = read_run(RunFolder(tmp_path))
    assert (loss_curves(view, "a"), language_bars(view, "b")) == (None, None)
