"""Files in languages that were not trained on: what is read, what is left out, what is noticed."""

import json

import pytest

from data_formats.document import Document
from finetune.corpus.store import write_documents
from finetune.corpus.untrained import inputs_of_forgetting, read_untrained
from finetune.errors import UserError
from finetune.ledger import Ledger
from finetune.recipe.schema import Curate, Source
from finetune.run_folder import RunFolder

GO = "package main\n\nfunc total(a int, b int) int {\n\treturn a + b\n}\n"


@pytest.fixture
def run(tmp_path):
    """Trained on Python; C is held out alone."""
    found = RunFolder(tmp_path / "run")
    found.train_corpus.parent.mkdir(parents=True, exist_ok=True)
    for path, language in ((found.train_corpus, "python"), (found.holdout_corpus, "c")):
        write_documents(path, [Document(text="x", path="x", repo="r", language=language)])
    return found


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "others"
    made.mkdir()
    (made / "a.go").write_text(GO)
    return made


def source(folder, **more):
    return Source(format="source_code", path=str(folder), **more)


def test_what_is_left_out_is_counted_with_its_reason(run, folder):
    (folder / "b.go").write_text(GO)
    (folder / "c.go").write_text("x" * 2000)
    (folder / "d.py").write_text("value = 12345 + 67890\n")
    (folder / "e.c").write_text("int total(int a, int b) { return a + b; }\n")
    found = read_untrained([source(folder)], Curate(), run)
    assert [document.path for document in found.documents] == ["a.go"]
    assert found.trained == {"python"}
    assert found.languages == {"go"}
    (stated,) = found.stated
    assert stated["documents"] == {"go": 1}
    drops = dict(stated["drops"])
    assert drops.pop("its language was trained on") == 1
    assert drops.pop("its language is held out already") == 1
    assert drops.pop("the same text twice") == 1
    assert sum(drops.values()) == 1, "the long line, by the filter's own reason"


def test_what_documents_lost_is_counted(run, folder):
    mail = "// write to jane.roe@gmail.com about it\n"
    (folder / "a.go").write_text(mail + GO)
    (stated,) = read_untrained([source(folder)], Curate(), run).stated
    assert stated["redacted"] == {"email": 1}
    assert stated["parts_left_out"] == {}
    code = {"cell_type": "code", "outputs": [], "execution_count": 1}
    raw, text = {"cell_type": "raw", "source": "\\begin{table}"}, "total <- function(a, b) a + b"
    cells = [{"metadata": {}, **one} for one in (raw, {**code, "source": text})]
    kernel = {"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "n.ipynb").write_text(json.dumps(notebook))
    books = Source(format="notebook_scripts", path=str(folder))
    (stated,) = read_untrained([books], Curate(), run).stated
    assert list(stated["parts_left_out"].values()) == [1]


def test_without_sources_there_are_the_trained_languages_alone(run):
    found = read_untrained((), Curate(), run)
    assert (found.trained, found.documents, found.stated) == ({"python"}, [], [])


def test_a_source_of_which_nothing_is_left_is_refused_with_the_reasons(run, folder):
    (folder / "a.go").unlink()
    (folder / "d.py").write_text("value = 12345 + 67890\n")
    with pytest.raises(UserError, match=r"forgetting\.0: .*its language was trained on \(1\)"):
        read_untrained([source(folder)], Curate(), run)


def test_opt_outs_hold_here_too(run, folder, tmp_path):
    opt_out = tmp_path / "optout.txt"
    opt_out.write_text("path: others/a.go\n")
    (folder / "b.go").write_text(GO.replace("total", "sum_of"))
    found = read_untrained([source(folder)], Curate(opt_out=str(opt_out)), run)
    assert [document.path for document in found.documents] == ["b.go"]
    assert found.stated[0]["drops"] == {"opted out: path": 1}


def test_a_changed_file_changes_the_basis(run, folder):
    before = inputs_of_forgetting([source(folder)], Ledger(run), redo=None)
    assert list(before) == ["evaluate.forgetting.0: content"]
    assert inputs_of_forgetting([source(folder)], Ledger(run), redo=None) == before
    (folder / "a.go").write_text(GO + "// more\n")
    assert inputs_of_forgetting([source(folder)], Ledger(run), redo=None) != before


def test_files_that_are_gone_matter_only_until_they_were_measured(run, folder):
    gone = [source(folder / "nowhere")]
    with pytest.raises(UserError, match=r"evaluate\.forgetting\.0: "):
        inputs_of_forgetting(gone, Ledger(run), redo=None)
    inputs = {"merge": "1", "evaluate.forgetting.0: content": "2"}
    run.stages.write_text(json.dumps({"evaluate": {"inputs": inputs}}))
    assert inputs_of_forgetting(gone, Ledger(run), redo=None) == {
        "evaluate.forgetting.0: content": "2"
    }
    with pytest.raises(UserError):
        inputs_of_forgetting(gone, Ledger(run), redo="evaluate")
