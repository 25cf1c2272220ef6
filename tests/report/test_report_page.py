import json
import re
from html import escape
from html.parser import HTMLParser

import pytest

from finetune.report import lineage, rows, write_report
from finetune.report.samples import last_lines, samples_of, visible
from finetune.run_folder import RunFolder, read_json, write_json, write_text

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """What a browser would make of the page: elements, attributes, text."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def page_of(run):
    return write_report(run).read_text(encoding="utf-8")


def with_sample(run, **sample):
    scores = read_json(run.scores)
    whole = {"path": "a.py", "prefix": "", "truth": "", "completion": "", "exact": False} | sample
    scores["infilling"]["tuned"]["samples"] = [whole]
    write_text(run.scores, json.dumps(scores))
    return run


ODD = (1, "x", [1], ["x"], {"a": 1}, None)


@pytest.mark.parametrize("odd", ODD)
def test_odd_scores_of_gaps_show_no_sample_and_stop_nothing(odd):
    for infilling in (
        odd,
        {"tuned": odd},
        {"tuned": {"samples": odd}},
        {"kinds": odd},
        {"kinds": {"line": odd}},
        {"kinds": {"line": {"examples": odd}}},
    ):
        assert samples_of({"infilling": infilling}).recorded == 0


def test_the_report_is_the_runs_own_file(nano):
    assert write_report(nano) == nano.report
    assert [path.name for path in nano.path.glob("*report*")] == ["report.html"]


@pytest.mark.parametrize("part", ["path", "prefix", "truth", "completion"])
def test_hostile_samples_stay_text(nano, part):
    page = Elements(page_of(with_sample(nano, **{part: HOSTILE})))
    assert not {"script", "img"} & {tag for tag, _ in page.found}
    assert HOSTILE in "".join(page.text)


def test_hostile_text_elsewhere_in_the_run_stays_text(write_run):
    run = write_run("run", languages=(HOSTILE,))
    write_text(run.recipe, run.recipe.read_text() + f'comment: "{HOSTILE}"\n')
    write_json(run.stages, {HOSTILE: {"seconds": 1, "summary": HOSTILE}})
    write_text(run.drops, '{"id": "1", "path": "a", "reason": "<script>"}\n')
    tags = {tag for tag, _ in Elements(page_of(run)).found}
    assert not {"script", "img"} & tags


def test_half_a_surrogate_pair_is_still_a_page(nano):
    assert "self⟨U+D83D⟩" in page_of(with_sample(nano, completion="self\ud83d"))


def test_nothing_is_fetched(nano):
    page = page_of(nano)
    loaded = {"src", "href", "srcset", "action", "data", "poster", "xlink:href"}
    named = [values[name] for _, values in Elements(page).found for name in loaded & set(values)]
    assert [target for target in named if not target.startswith("#")] == []
    assert not re.search(r"https?://|@import|url\(", page)


def test_the_browser_is_told_to_run_and_to_fetch_nothing(nano):
    metas = [values for tag, values in Elements(page_of(nano)).found if tag == "meta"]
    policies = [meta["content"] for meta in metas if "http-equiv" in meta]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_the_page_has_every_row_of_the_table(nano):
    page = page_of(nano)
    table = page[page.index('<table class="summary">') : page.index("</table>")]
    cells = [
        [" ".join(re.sub(r"<[^>]+>", "", cell).split()) for cell in re.findall(CELL, line)]
        for line in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    ]
    expected = [[escape(part) for part in cells_of(row)] for row in rows(lineage(nano))]
    assert cells[1:] == expected


def cells_of(row):
    before = [f"{row.before} {row.before_interval}".strip()] if row.before else []
    after = f"{row.after} {row.after_interval}".strip()
    return [f"{row.label} {row.note}".strip(), *before, after, row.remark]


CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)


def test_the_lineage_is_shown_oldest_first(nano):
    page = page_of(nano)
    shown = re.search(r'<ol class="lineage".*?</ol>', page, re.DOTALL).group()
    names = ["from scratch", "nano-base", "nano-python", "nano-my-code"]
    places = [shown.index(name) for name in names]
    assert places == sorted(places)


def test_in_an_empty_folder_everything_is_not_measured(tmp_path):
    page = page_of(RunFolder(tmp_path))
    for what in ("training and validation losses", "held-out losses", "merge", "recipe", "stages"):
        assert f"{what}: not measured" in page
    assert "<svg" not in page


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("manifest.jsonl", "documents, licences and drops"),
        ("log.jsonl", "training and validation losses"),
        ("scores.json", "infilling samples"),
        ("merged/merge.json", "merge"),
        ("stages.json", "stages"),
        ("recipe.yaml", "versions"),
    ],
)
def test_a_missing_file_is_said_to_be_not_measured(write_run, name, what):
    run = write_run("run")
    assert f"{what}: not measured" not in page_of(run)
    (run.path / name).unlink()
    run.drops.unlink()
    assert f"{what}: not measured" in page_of(run)


def test_a_refused_gate_is_at_the_top(write_run):
    run = write_run("run")
    gate = {"passed": False, "reasons": ["psm loss rose"]}
    write_json(run.scores, read_json(run.scores) | {"gate": gate})
    page = page_of(run)
    assert page.index("The gate refused run.") < page.index("<main>")


def test_licences_drops_and_versions_are_on_the_page(nano):
    text = " ".join("".join(Elements(page_of(nano)).text).split())
    assert "MIT80 (160k)" in text.replace("MIT 80", "MIT80")
    assert "Dropped: 8" in text
    assert "git commit3f2a9c1" in text.replace("git commit 3", "git commit3")


def test_samples_keep_the_order_of_the_scores_and_count_the_rest():
    recorded = [{"path": f"{n}.py", "truth": "x", "completion": "y"} for n in range(50)]
    samples = samples_of({"infilling": {"tuned": {"samples": recorded}}})
    assert [sample.path for sample in samples.shown] == ["0.py", "1.py", "2.py", "3.py"]
    assert (len(samples.folded), samples.recorded) == (36, 50)


def test_kinds_of_gaps_take_turns_among_the_samples():
    def kind(*names):
        return {"examples": [{"id": n, "truth": "x", "suffix": "\n}\n"} for n in names]}

    infilling = {"tuned": {}, "kinds": {"line": kind("a", "b", "c"), "function_body": kind("d")}}
    shown = samples_of({"infilling": infilling}).shown
    assert [(one.kind, one.path) for one in shown] == [
        ("line", "a"),
        ("function body", "d"),
        ("line", "b"),
        ("line", "c"),
    ]
    assert shown[0].behind == "\n}\n"


def test_a_sample_is_split_where_it_goes_astray():
    recorded = [{"truth": "return a", "completion": "return b ", "exact": False}]
    (sample,) = samples_of({"infilling": {"tuned": {"samples": recorded}}}).shown
    assert (sample.agreed, sample.truth, sample.completion) == ("return ", "a", "b·")


def test_trailing_white_space_is_made_visible():
    assert visible("a b \t\n") == "a b·→↵\n"


def test_a_long_prefix_keeps_its_end():
    kept = last_lines("\n".join(str(line) for line in range(20)))
    assert kept.splitlines() == ["…", *map(str, range(12, 20))]
