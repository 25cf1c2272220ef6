"""`finetune prepare` again, on sources that changed or went."""

import pytest


@pytest.fixture
def prepared(finetune, recipe, tmp_path):
    """The recipe's folder after `prepare`, of a source with enough files."""
    for number in range(12):
        (tmp_path / "src" / f"m{number}.py").write_text(
            f"def f_{number}(x):\n    return {number}\n"
        )
    ran = finetune("prepare", "r.yaml")
    assert ran.code == 0, ran.err
    return tmp_path


def files_of(run):
    kept = ("report.html", "stages.json", "recipe.yaml")
    return {
        path.relative_to(run): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name not in kept and path.suffix != ".lock"
    }


def run_of(place):
    (run,) = (place / "runs").iterdir()
    return run


def test_what_was_prepared_can_be_used_when_its_sources_are_gone(finetune, prepared):
    (prepared / "src").rename(prepared / "elsewhere")
    ran = finetune("prepare", "r.yaml")
    assert ran.code == 0
    assert "what it read cannot be looked at again" in "\n".join(ran.err)
    assert ran.err[-1] == "prepare: done before"


def test_doing_it_again_without_its_sources_takes_nothing_away(finetune, prepared):
    before = files_of(run_of(prepared))
    (prepared / "src").rename(prepared / "elsewhere")
    ran = finetune("prepare", "r.yaml", "--redo")
    assert ran.code == 2
    assert files_of(run_of(prepared)) == before
    (prepared / "elsewhere").rename(prepared / "src")
    assert finetune("prepare", "r.yaml").err[-1] == "prepare: done before"


def test_doing_it_again_with_nothing_left_takes_nothing_away(finetune, prepared):
    before = files_of(run_of(prepared))
    ran = finetune("prepare", "r.yaml", "--redo", "data.curate.licences=[GPL-2.0-only]")
    assert ran.code == 2
    assert "nothing is left" in "\n".join(ran.err)
    assert files_of(run_of(prepared)) == before


def test_doing_it_again_reads_what_is_there_now(finetune, prepared):
    (prepared / "src" / "m99.py").write_text("def f_99(x):\n    return 99\n")
    ran = finetune("prepare", "r.yaml")
    assert (ran.code, "data.sources.0: content" in ran.err[-1]) == (2, True)
    assert finetune("prepare", "r.yaml", "--redo").code == 0
    assert "m99.py" in (run_of(prepared) / "manifest.jsonl").read_text()
    assert finetune("prepare", "r.yaml").err[-1] == "prepare: done before"


def test_the_number_of_processes_may_change(finetune, prepared):
    assert finetune("prepare", "r.yaml", "data.workers=1").err[-1] == "prepare: done before"
