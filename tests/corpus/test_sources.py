"""Every input of every format, through the recipe's `data.sources` to documents or named drops."""

import gzip
import json
import subprocess
from collections import Counter
from pathlib import Path

import datasets
import pytest

from data_formats.document import Document, rendered
from finetune.corpus import open_source
from finetune.errors import UserError
from finetune.recipe.schema import Source

MIT_ROW = {"content": "x = 1\n", "path": "a.py", "repo": "me/lib", "license": "mit"}
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": "# Title"},
        {
            "cell_type": "code",
            "metadata": {},
            "source": "print(1)",
            "execution_count": 1,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n"}],
        },
    ],
    "metadata": {"kernelspec": {"language": "python", "name": "python3", "display_name": "P"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}


def git(folder, *command):
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *command], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path):
    """A repository of two commits; its second changes `m.py` and adds a notebook."""
    folder = tmp_path / "lib"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "m.py").write_text("import n\nx = 1\n")
    (folder / "n.py").write_text("y = 1\n")
    (folder / "LICENSE").write_text("no words that mean anything\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Begin")
    git(folder, "tag", "v1")
    (folder / "m.py").write_text("import n\nx = 2\n")
    (folder / "n.ipynb").write_text(json.dumps(NOTEBOOK))
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Set x to two")
    (folder / "m.py").write_text("not committed\n")
    return folder


def read(**keys):
    reader = open_source(Source(**keys), 3)
    return list(reader.read(reader.works, Counter()))


def rows(file, *values):
    text = "".join(json.dumps(value) + "\n" for value in values)
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text)
    return str(file)


def test_source_code_of_a_commit_is_that_of_the_commit_and_not_of_the_folder(clone):
    old = read(format="source_code", path=str(clone), revision="v1", repo="me/lib")
    new = read(format="source_code", path=str(clone), revision="main")
    assert {one.path: one.text for one in old} == {"m.py": "import n\nx = 1\n", "n.py": "y = 1\n"}
    assert {one.path: one.text for one in new}["m.py"] == "import n\nx = 2\n"
    assert [(one.repo, len(one.revision), one.source) for one in old] == [("me/lib", 40, 3)] * 2


def test_what_a_commit_holds_besides_source_is_counted(clone):
    reader = open_source(Source(format="source_code", path=str(clone), revision="main"), 0)
    assert reader.skipped == {"no known language": 2}


def test_the_history_of_a_repository_gives_its_changes(clone):
    found = read(format="git_commits", path=str(clone))
    (document,) = (one for one in found if isinstance(one, Document))
    assert rendered(document).startswith("<commit_before>")
    assert (document.path, document.repo) == ("m.py", "lib")
    reasons = Counter(one.reason for one in found if not isinstance(one, Document))
    assert reasons["first commit: nothing stands before it"] == 1


def test_commits_can_be_instructions(clone):
    found = read(format="commit_instructions", path=str(clone), repo="me/lib")
    (document,) = (one for one in found if isinstance(one, Document))
    assert document.text.startswith("Question: Set x to two\nimport n\nx = 1\n\n\nAnswer:")


@pytest.mark.parametrize("revision", [None, "main"])
def test_notebooks_of_a_folder_or_a_commit(clone, revision):
    (document,) = read(format="notebooks", path=str(clone), revision=revision)
    assert rendered(document) == (
        "<jupyter_start><jupyter_text># Title<jupyter_code>print(1)<jupyter_output>1"
    )


def test_a_notebook_as_a_script_may_be_cut(clone):
    (document,) = read(format="notebook_scripts", path=str(clone))
    assert (document.language, document.bodies, document.marks) == ("python", None, ())
    assert "print(1)" in document.text


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_rows_of_source_code_say_where_they_are_from(tmp_path, name):
    (one,) = read(format="source_code", path=rows(tmp_path / name, MIT_ROW))
    assert (one.text, one.path, one.repo, one.licence) == ("x = 1\n", "a.py", "me/lib", "mit")


def test_the_stack_s_columns_are_known(tmp_path):
    row = {
        "content": "x = 1\n",
        "max_stars_repo_path": "a.py",
        "max_stars_repo_name": "me/lib",
        "max_stars_repo_licenses": ["MIT", "Apache-2.0"],
        "max_stars_count": 12.0,
        "lang": "Python",
    }
    (one,) = read(format="source_code", path=rows(tmp_path / "a.jsonl", row))
    assert (one.repo, one.licence, one.stars) == ("me/lib", "MIT AND Apache-2.0", 12)


def test_columns_can_be_named(tmp_path):
    file = rows(tmp_path / "a.jsonl", {"body": "x = 1\n", "file": "z.py"})
    (one,) = read(format="source_code", path=file, columns={"text": "body", "path": "file"})
    assert (one.text, one.path) == ("x = 1\n", "z.py")


def test_a_row_without_a_path_is_known_by_its_place(tmp_path):
    file = rows(tmp_path / "a.jsonl", {"text": "x"}, {"text": "y"})
    found = read(format="source_code", path=file, language="python")
    assert [one.path for one in found] == ["a.jsonl:1", "a.jsonl:2"]


def test_a_truncated_line_is_a_drop_that_names_its_line(tmp_path):
    file = rows(tmp_path / "a.jsonl", MIT_ROW)
    with Path(file).open("a") as stream:
        stream.write('{"content": "x')
    _, drop = read(format="source_code", path=file)
    assert (drop.path, drop.reason) == ("a.jsonl:2", "line that is not valid JSON")


def test_instructions_and_chats_are_read_from_rows(tmp_path):
    asked = rows(tmp_path / "a.jsonl", {"prompt": "two?", "completion": "It is 2."})
    (one,) = read(format="instructions", path=asked)
    assert one.text == "Question: two?\n\nAnswer: It is 2."
    said = rows(
        tmp_path / "b.jsonl",
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]},
    )
    (one,) = read(format="chat", path=said, template="chatml")
    assert rendered(one) == "<|system|>\n<|end|>\n<|user|>\nhi<|end|>\n<|assistant|>\nho<|end|>"


ISSUE = {
    "url": "api/issues/7",
    "number": 7,
    "title": "It breaks",
    "body": "When I call it, it breaks. " * 8,
    "user": {"login": "ann", "type": "User"},
    "state": "open",
}


def comment(text, issue="api/issues/7"):
    return {"issue_url": issue, "body": text, "user": {"login": "bob", "type": "User"}}


def test_issues_have_their_comments_embedded_or_as_rows_of_their_own(tmp_path):
    inside = {**ISSUE, "comments": [comment("Does it?")]}
    embedded = read(format="github_issues", path=rows(tmp_path / "a.jsonl", inside))
    file = rows(tmp_path / "b.jsonl", comment("Does it?"), ISSUE, comment("Who?", "api/issues/8"))
    reader = open_source(Source(format="github_issues", path=file), 3)
    left_out = Counter()
    beside = list(reader.read(reader.works, left_out))
    assert [one.text for one in embedded] == [one.text for one in beside]
    assert rendered(beside[0]).endswith("<issue_comment>username_1: Does it?")
    assert left_out == {"comment of an issue that is not in the table": 1}


def test_a_folder_that_datasets_can_load_is_a_dataset(tmp_path):
    (tmp_path / "set").mkdir()
    rows(tmp_path / "set" / "train.jsonl", MIT_ROW, {**MIT_ROW, "path": "b.py"})
    found = read(format="source_code", dataset=str(tmp_path / "set"))
    assert [one.path for one in found] == ["a.py", "b.py"]


def test_a_file_of_a_local_dataset_that_changed_changes_the_fingerprint(tmp_path):
    (tmp_path / "set").mkdir()
    rows(tmp_path / "set" / "train.jsonl", MIT_ROW)
    source = Source(format="source_code", dataset=str(tmp_path / "set"))
    before = open_source(source, 0).fingerprint()
    assert open_source(source, 0).fingerprint() == before
    rows(tmp_path / "set" / "train.jsonl", MIT_ROW, MIT_ROW)
    assert open_source(source, 0).fingerprint() != before


def test_a_saved_dataset_is_a_table_for_formats_that_files_have_too(tmp_path):
    datasets.Dataset.from_list([MIT_ROW]).save_to_disk(tmp_path / "saved")
    found = read(format="source_code", path=str(tmp_path / "saved"))
    assert [one.path for one in found] == ["a.py"]


def test_one_folder_of_a_dataset_can_be_read_alone(tmp_path):
    for language in ("go", "python"):
        (tmp_path / "set" / "data" / language).mkdir(parents=True)
        row = {**MIT_ROW, "path": f"{language}.py"}
        rows(tmp_path / "set" / "data" / language / "train.jsonl", row)
    keys = {"format": "source_code", "dataset": str(tmp_path / "set")}
    assert [one.path for one in read(**keys, data_dir="data/python")] == ["python.py"]


@pytest.mark.parametrize("name", ["a.ndjson", "a.json", "a.jsonl.gz"])
def test_a_path_is_a_table_by_each_suffix_that_tables_have(tmp_path, name):
    content = json.dumps(MIT_ROW).encode() + b"\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert [one.path for one in read(format="source_code", path=str(tmp_path / name))] == ["a.py"]


def test_a_saved_dataset_given_as_dataset_is_told_where_it_belongs(tmp_path):
    datasets.Dataset.from_list([MIT_ROW]).save_to_disk(tmp_path / "saved")
    with pytest.raises(UserError, match="saved`: was written by `save_to_disk`; give its folder"):
        open_source(Source(format="source_code", dataset=str(tmp_path / "saved")), 0)


def test_a_bare_repository_as_a_folder_asks_for_a_revision(clone, tmp_path):
    git(clone, "clone", "-q", "--bare", str(clone), str(tmp_path / "bare.git"))
    with pytest.raises(UserError, match="is a bare git repository"):
        open_source(Source(format="source_code", path=str(tmp_path / "bare.git")), 0)


@pytest.mark.parametrize("content", ["", "no json\n", '{"content": "x'])
def test_a_table_without_a_readable_row_says_so(tmp_path, content):
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(UserError, match="its first rows hold no column; it is empty"):
        open_source(Source(format="instructions", path=str(tmp_path / "a.jsonl")), 0)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"format": "source_code"}, "give exactly one of `path`, `package` and `dataset`"),
        ({"format": "chat", "package": "rich"}, "chat are read from rows"),
        ({"format": "github_issues", "path": "x.txt"}, "github_issues are read from rows"),
        ({"format": "git_commits", "package": "rich"}, "has no history"),
        ({"format": "chat", "path": "a.jsonl", "header": 0.2}, "`header` is for source_code"),
        ({"format": "notebooks", "path": ".", "language": "python"}, "`language` is for source"),
        ({"format": "source_code", "path": ".", "split": "train"}, "`split` is of a `dataset`"),
        ({"format": "source_code", "path": ".", "columns": {"text": "a"}}, "`columns` are of rows"),
        ({"format": "repository", "path": "a.jsonl"}, "repository are not read from rows"),
        ({"format": "source_code", "package": "rich", "revision": "HEAD"}, "of a git repository"),
    ],
)
def test_keys_that_do_not_go_together_are_a_mistake(keys, message):
    with pytest.raises(UserError, match=message):
        open_source(Source(**keys), 0)


def test_a_folder_that_is_no_repository_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="not a git repository"):
        open_source(Source(format="git_commits", path=str(tmp_path)), 0)


def test_a_named_column_that_is_not_there_is_a_mistake(tmp_path):
    file = rows(tmp_path / "a.jsonl", MIT_ROW)
    with pytest.raises(UserError, match=r"no column `contents` for `text`, did you mean `content`"):
        open_source(Source(format="source_code", path=file, columns={"text": "contents"}), 0)


def test_a_commit_added_to_the_history_changes_the_fingerprint(clone):
    source = Source(format="git_commits", path=str(clone))
    before = open_source(source, 0).fingerprint()
    git(clone, "commit", "-q", "--allow-empty", "-m", "Nothing")
    assert open_source(source, 0).fingerprint() != before
