"""Rows that nobody vouches for: whatever they hold becomes a document or a counted drop."""

import json
import os
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_formats.columns import LONGEST_NAME
from data_formats.document import Document, Drop
from data_formats.github_issues import issue_document
from finetune.corpus import open_source, read_documents
from finetune.corpus.licensing import normalise
from finetune.corpus.row_formats import ROW_FORMATS, RowPlace
from finetune.corpus.store import write_documents
from finetune.errors import UserError
from finetune.recipe.schema import Source
from tests.corpus.test_sources import MIT_ROW, NOTEBOOK, read, rows
from tests.mutated import mutated

COMMIT = {
    "commit": "a" * 40,
    "repos": "me/lib,other/lib",
    "new_file": "a.py",
    "old_contents": "a\n",
    "new_contents": "b\n",
    "subject": "Say b",
    "message": "Say b\n\nIt is better.",
    "license": "mit",
    "lang": "Python",
}
ISSUE = {
    "url": "https://api.github.com/repos/o/r/issues/7",
    "repository_url": "https://api.github.com/repos/o/r",
    "number": 7,
    "title": "A title",
    "user": {"login": "Ada", "type": "User"},
    "state": "closed",
    "body": "It fails. " * 25,
    "created_at": "2024-01-01T00:00:00Z",
    "closed_at": "2024-01-03T00:00:00Z",
    "comments": [
        {"user": {"login": "Bob"}, "body": "@ada: no", "created_at": "2024-01-02T00:00:00Z"},
        {"author": "Cy", "text": "Yes", "created_at": "2024-01-04T00:00:00Z"},
    ],
    "licence": "mit",
}
GOOD = {
    "source_code": {**MIT_ROW, "language": "Python", "stars": 5},
    "notebooks": {"content": json.dumps(NOTEBOOK), "path": "a.ipynb", "license": "mit"},
    "notebook_scripts": {"content": json.dumps(NOTEBOOK), "path": "a.ipynb", "license": "mit"},
    "git_commits": COMMIT,
    "commit_instructions": COMMIT,
    "github_issues": ISSUE,
    "instructions": {
        "prompt": "Add.",
        "instances": [{"input": "1 2", "output": "3"}, {"output": "4"}],
        "language": "python",
        "licence": ["mit"],
    },
    "chat": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"from": "gpt", "value": "Hi", "weight": 1},
        ],
        "language": "en",
        "licence": "mit",
    },
}
NAMED = {"instructions": {name: name for name in ("prompt", "instances", "language", "licence")}}
NAMED |= {"chat": {name: name for name in ("messages", "language", "licence")}}


def test_every_format_of_rows_has_a_good_one_here():
    assert set(GOOD) == set(ROW_FORMATS)


@pytest.mark.parametrize("form", GOOD)
def test_whatever_a_row_holds_becomes_documents_or_drops(form, tmp_path):
    source, left_out = Source(format=form, path="a.jsonl", language=None), Counter()
    row_format, good = ROW_FORMATS[form], GOOD[form]
    columns = row_format.columns(list(good), NAMED.get(form, {}), "path: a.jsonl")
    here = RowPlace(source, 0, "a.jsonl:1", "r", {}, left_out)
    found = list(row_format.read(good, columns, here))
    assert all(isinstance(one, Document) for one in found)
    for what, row in mutated(good, 400):
        if not isinstance(row, dict):
            continue  # no reader hands out such a row
        outcomes = list(row_format.read(row, columns, here))
        assert all(isinstance(one, Document | Drop) for one in outcomes), what
        found += outcomes
    kept = [one for one in found if isinstance(one, Document)]
    assert 20 < len(kept) < len(found)
    write_documents(tmp_path / "kept.parquet", kept)
    assert read_documents(tmp_path / "kept.parquet") == kept
    names = [name for one in found for name in (one.path, one.repo)]
    assert max(map(len, names)) < 2 * LONGEST_NAME + 100
    json.dumps([vars(one) for one in found if isinstance(one, Drop)]).encode()
    assert all(count < 10**9 for count in left_out.values())


@pytest.mark.parametrize(
    ("given", "stars"),
    [
        ("5", 5),
        ("5.0", 5),
        ("0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("10000000000000000000000", None),
        ("1e22", None),
        ("1e999", None),
        ("NaN", None),
        ("-1", None),
        ('"5"', None),
    ],
)
def test_stars_are_a_count_that_can_be_written(tmp_path, given, stars):
    line = json.dumps(MIT_ROW)[:-1] + f', "stars": {given}}}\n'
    (tmp_path / "a.jsonl").write_text(line)
    (one,) = read(format="source_code", path=str(tmp_path / "a.jsonl"))
    write_documents(tmp_path / "a.parquet", [one])
    assert [found.stars for found in read_documents(tmp_path / "a.parquet")] == [stars]


def test_a_licence_too_long_to_be_one_is_not_taken_for_its_beginning(tmp_path):
    licence = "MIT" + " " * 5000 + "AND GPL-3.0-only"
    file = rows(tmp_path / "a.jsonl", {**MIT_ROW, "license": licence})
    (one,) = read(format="source_code", path=file)
    assert one.licence is not None
    assert normalise(one.licence) is None


@pytest.mark.parametrize(
    ("given", "licence"), [("mit", "mit"), (["mit"], "mit"), (["a", "b"], "a AND b"), (5, None)]
)
def test_a_commits_licence_may_be_a_list_or_nothing(tmp_path, given, licence):
    file = rows(tmp_path / "a.jsonl", {**COMMIT, "license": given})
    (one,) = read(format="git_commits", path=file)
    assert one.licence == licence


def test_a_table_of_commits_without_a_column_is_told_when_it_is_listed(tmp_path):
    row = {name: value for name, value in COMMIT.items() if name != "old_contents"}
    file = rows(tmp_path / "a.jsonl", row)
    with pytest.raises(UserError, match=r"a\.jsonl: no column `old_contents`.*columns here: comm"):
        open_source(Source(format="git_commits", path=file), 0)
    row["before"] = COMMIT["old_contents"]
    file = rows(tmp_path / "a.jsonl", row)
    (one,) = read(format="git_commits", path=file, columns={"old_contents": "before"})
    assert isinstance(one, Document)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_file_that_lacks_the_column_of_the_others_gives_drops(tmp_path, suffix):
    for name, table in (("a", {"text": ["x = 1\n"]}), ("b", {"other": ["y"]})):
        write_table(tmp_path / f"{name}.{suffix}", pa.table(table))
    found = read(format="source_code", path=str(tmp_path / f"*.{suffix}"), language="python")
    assert [one.text for one in found[:1]] == ["x = 1\n"]
    assert [one.reason for one in found[1:]] == ["a row without text"]


def write_table(file, table):
    if file.suffix == ".parquet":
        pq.write_table(table, file)
    else:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_column_that_stands_twice_is_a_mistake_where_it_is_read(tmp_path, suffix):
    texts = pa.array(["x = 1\n"])
    twice = pa.Table.from_arrays([texts, texts, texts, texts], names=["text", "text", "a", "a"])
    write_table(tmp_path / f"a.{suffix}", twice)
    keys = {"format": "source_code", "path": str(tmp_path / f"a.{suffix}"), "language": "python"}
    with pytest.raises(UserError, match=rf"a\.{suffix} has the column `text` twice; rename one"):
        open_source(Source(**keys), 0)
    write_table(tmp_path / f"a.{suffix}", twice.remove_column(0))
    assert [one.text for one in read(**keys)] == ["x = 1\n"]


def test_links_among_tables_are_reported(tmp_path):
    folder = tmp_path / "t"
    folder.mkdir()
    rows(folder / "a.jsonl", GOOD["chat"])
    (folder / "b.jsonl").symlink_to(rows(tmp_path / "secret.jsonl", GOOD["chat"]))
    os.mkfifo(folder / "c.jsonl")
    reader = open_source(Source(format="chat", path=str(folder)), 0)
    assert reader.skipped == {"symbolic link": 1, "not a regular file": 1}
    assert len(list(reader.read(reader.works, Counter()))) == 1


COMMENT = {"issue_url": ISSUE["url"], "body": "From a row", "user": {"login": "Dee"}}


@pytest.mark.parametrize("odd", [{}, [], 5, None])
def test_addresses_of_issues_that_are_none_name_none(tmp_path, odd):
    plain = {**ISSUE, "comments": 1}
    file = rows(
        tmp_path / "a.jsonl",
        plain,
        {**plain, "url": odd},
        COMMENT,
        {**COMMENT, "issue_url": odd},
    )
    first, second, third = read(format="github_issues", path=file)
    assert "From a row" in first.text
    assert "From a row" not in second.text
    assert isinstance(third, Drop)


def test_issues_and_comments_may_share_a_table_whose_rows_have_all_columns(tmp_path):
    issue = {**ISSUE, "comments": None, "issue_url": None}
    comment = {**dict.fromkeys(issue), **COMMENT}
    pq.write_table(pa.Table.from_pylist([issue, comment]), tmp_path / "a.parquet")
    (one,) = read(format="github_issues", path=str(tmp_path / "a.parquet"))
    assert "From a row" in one.text


def test_an_issue_of_sixty_thousand_people_is_read():
    """It took a minute when each was looked for among all."""
    comments = [{"author": f"user{at}", "text": "@user1 no"} for at in range(60_000)]
    one = issue_document({**ISSUE, "comments": comments}, repo="r")
    assert one.text.endswith("username_60000: @username_2 no")


def test_a_letter_that_only_looks_like_one_of_a_login_mentions_nobody():
    row = {**ISSUE, "user": {"login": "sam"}, "comments": [], "title": "@ſam @SAM"}
    assert issue_document(row, repo="r").text.startswith("Title: @ſam @username_0\n")
