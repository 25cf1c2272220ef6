"""`finetune trace`, called as the command line calls it."""

import io
import json
from argparse import ArgumentParser

import pytest

from finetune.cli import trace as command
from finetune.errors import UserError
from finetune.trace import write_bloom
from tests.trace.made_up import code, document


@pytest.fixture
def trace(capsys, tmp_path, monkeypatch):
    """`trace(*arguments)`: what the command prints, in a folder with runs/mine and other.py."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "other.py").write_text(code(99, 10))

    def run(*arguments):
        parser = ArgumentParser()
        command.add_arguments(parser, "trace")
        assert command.run(parser.parse_args(list(map(str, arguments)))) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def mine(indexed, tmp_path):
    """A run of two documents, and the first one's text."""
    first = code(1, 20)
    corpus = indexed([document("a[b].py", first), document("b.py", code(2, 20))], name="runs/mine")
    (tmp_path / "query.py").write_text("# mine\n" + first[100:500])
    return corpus, first


@pytest.mark.parametrize("where", ["mine", "runs/mine"])
def test_a_run_is_known_by_its_name_and_by_its_folder(mine, trace, where):
    out = trace(where, "query.py")
    first, last = (mine[1][:end].count("\n") + 1 for end in (101, 500))
    assert f"someone/lib a[b].py:{first}-{last}" in out
    assert "MIT" in out
    assert out.splitlines()[-1] == (
        "400 of 407 characters of FILE are in the training code, 400 of them exactly"
    )


def test_json_is_one_object_with_every_span(mine, trace):
    found = json.loads(trace("mine", "query.py", "--json"))
    (match,) = found["matches"]
    assert (match["path"], match["kind"], match["share"]) == ("a[b].py", "exact", 400 / 407)
    (span,) = match["spans"]
    assert (span["file"]["start"], span["file"]["end"]) == (7, 407)
    assert (span["document"]["start"], span["document"]["end"]) == (100, 500)
    assert found["file"] == "query.py"


def test_code_that_is_not_there_is_no_mistake(mine, trace):
    assert trace("mine", "other.py").startswith("0 of 3")


def test_no_text_of_the_corpus_is_printed(mine, trace):
    _, first = mine
    words = set(first[550:].split()) - {"="}
    assert len(words) > 20
    for out in (trace("mine", "query.py"), trace("mine", "query.py", "--json")):
        assert not any(word in out for word in words if len(word) > 3)


def test_a_dash_reads_standard_input(mine, trace, monkeypatch):
    content = mine[1][:200].encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert "200 of 200 characters" in trace("mine", "-")


def test_a_run_without_its_corpus_says_that_nothing_proves_it(mine, trace):
    mine[0].file.unlink()
    out = trace("mine", "query.py")
    assert "a[b].py" in out
    assert "the corpus is gone, so nothing proves it" in out


def test_a_released_folder_tells_passages_only(mine, trace, tmp_path):
    (tmp_path / "release").mkdir()
    write_bloom(mine[0].file, tmp_path / "release" / "training_index.bloom")
    out = trace("release", "query.py")
    assert "does not know in which documents" in out
    assert "with a probability of 0.0001" in out
    found = json.loads(trace("release", "query.py", "--json"))
    (span,) = found["spans"]
    assert 7 <= span["start"] <= 57
    assert 357 <= span["end"] <= 407


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "other.py"), "neither here nor in runs is there a folder of that name"),
        (("mine", "missing.py"), "missing.py: cannot be read: No such file"),
        (("mine", "."), "cannot be read: Is a directory"),
        (("mine", "latin.py"), "latin.py: not UTF-8"),
        (("mine", "short.py"), "has 6 characters"),
    ],
)
def test_mistakes_say_what_to_mend(mine, trace, tmp_path, arguments, message):
    (tmp_path / "latin.py").write_bytes(b"caf\xe9" * 30)
    (tmp_path / "short.py").write_text("x = 1\n")
    with pytest.raises(UserError, match=message):
        trace(*arguments)
