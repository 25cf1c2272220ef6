"""report.html as a browser shows it, at a desk and on a phone."""

import pytest

from finetune.report import write_report
from finetune.run_folder import read_json, write_json
from tests.report.browser import MISSING, browser_page, find_browser
from tests.report.task_scores import HOSTILE, full, small_task

WIDTHS = (1280, 360)
EVERYTHING_OPEN = "document.querySelectorAll('details').forEach(one => one.open = true)"
VISIBLE_WHISKERS = (
    "[...document.querySelectorAll('.task .whisker')].filter(one => one.getBoundingClientRect()"
    ".width > 0 && one.checkVisibility()).length"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    program = find_browser()
    if program is None:
        pytest.skip(MISSING)
    with browser_page(program, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def evaluated(nano):
    """The last of a lineage of three, with every key that scores may have."""
    write_json(nano.scores, full(read_json(nano.scores)))
    return nano


@pytest.fixture
def hostile(write_run):
    """A run whose every name and text is an attack."""
    run = write_run("run", languages=(HOSTILE, "x" * 300))
    endless = "y" * 5000
    task = small_task(
        by_problem={HOSTILE: [0, 1], endless: [1, 0]},
        by_language={HOSTILE: {"base": 0.1, "tuned": 0.2}, endless: {"base": 0.1, "tuned": 0.3}},
        not_run=[{"what": HOSTILE, "why": endless}],
    )
    task["examples"][0] |= {"id": HOSTILE, "prompt": endless}
    task["examples"][1]["tuned"] |= {"verdict": HOSTILE, "detail": HOSTILE}
    tasks = {HOSTILE: task, endless: small_task(metric=endless)}
    more = {"tasks": tasks, "jail": HOSTILE, "trained_languages": []}
    write_json(run.scores, read_json(run.scores) | more)
    return run


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_its_width_and_nothing_complains(page, evaluated, width, dark):
    page.open(write_report(evaluated), width, dark=dark)
    page.value(EVERYTHING_OPEN)
    assert page.value("document.documentElement.scrollWidth") == width
    assert page.complaints() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_score_with_an_interval_has_its_whisker_in_sight(page, evaluated, width):
    page.open(write_report(evaluated), width)
    assert page.value(VISIBLE_WHISKERS) == 2 * 7  # base and tuned of two kinds and five tasks
    forest = "document.querySelectorAll('.forest .whisker').length"
    assert page.value(forest) == 2 * 8  # with infilling in all, drawn for a desk and for a phone


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_texts_do_nothing_and_break_nothing(page, hostile, width):
    file = write_report(hostile)
    page.open(file, width)
    page.value(EVERYTHING_OPEN)
    assert page.value("document.title") == "run: report"
    assert page.value("document.querySelectorAll('script, img, iframe, [onerror]').length") == 0
    assert page.fetched() == [file.as_uri()]
    assert page.complaints() == []
    assert page.value("document.documentElement.scrollWidth") == width


def test_an_attack_would_be_seen(page, tmp_path):
    """Else the test before this one looks at nothing."""
    file = tmp_path / "open.html"
    file.write_text(f"<title>safe</title>{HOSTILE}")
    page.open(file, WIDTHS[0])
    assert page.value("document.title") == "owned"
    assert len(page.fetched()) > 1


def test_marks_that_turn_writing_are_shown_by_name(page, evaluated):
    page.open(write_report(evaluated), WIDTHS[0])
    text = page.value("document.body.textContent")
    assert "␛[31mred" in text
    assert "⟨U+202E⟩gnp.exe⟨U+202C⟩⟨U+200B⟩" in text
    assert "\u202e" not in text


def test_a_problem_that_was_lost_leads_to_its_example(page, evaluated):
    page.open(write_report(evaluated), WIDTHS[0])
    target = page.value(
        "(() => { const link = document.querySelector('.moved a'); link.click();"
        " return decodeURIComponent(location.hash.slice(1)) })()"
    )
    shown = f"document.getElementById('{target}').checkVisibility()"
    assert page.value(shown) is True


def test_identifiers_are_not_repeated(page, evaluated):
    page.open(write_report(evaluated), WIDTHS[0])
    count = "[...document.querySelectorAll('[id]')].map(one => one.id)"
    found = page.value(count)
    assert len(found) == len(set(found)) > 50


def test_every_chart_has_a_title_and_a_summary_for_those_who_do_not_see(page, evaluated):
    page.open(write_report(evaluated), WIDTHS[0])
    unnamed = (
        "[...document.querySelectorAll('svg')].filter(one => one.getAttribute('aria-labelledby')"
        ".split(' ').some(id => !document.getElementById(id)?.textContent)).length"
    )
    assert page.value("document.querySelectorAll('svg').length") > 10
    assert page.value(unnamed) == 0


def test_a_run_that_was_never_evaluated_on_tasks_is_still_shown(page, write_run):
    run = write_run("run")
    page.open(write_report(run), WIDTHS[1])
    assert "infilling of held-out code" in page.value("document.body.textContent")
    run.scores.unlink()
    page.open(write_report(run), WIDTHS[1])
    assert "tasks: not measured" in page.value("document.body.textContent")
    assert page.complaints() == []
