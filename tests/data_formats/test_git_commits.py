"""Edits in StarCoder's layout and as instructions; rows of CommitPack's tables."""

import json
from collections import Counter
from dataclasses import replace
from hashlib import blake2b

import pytest

from data_formats.document import Drop, rendered
from data_formats.git_commits import (
    Edit,
    changed_lines,
    commit_document,
    commit_instruction,
    commit_parts,
    commit_row_document,
)

EDIT = Edit(
    before="".join(f"{number}\n" for number in range(100)),
    message="Double fifty",
    after="".join(f"{100 if number == 50 else number}\n" for number in range(100)),
    path="n.py",
    repo="ann/numbers",
    language="python",
    commit="0" * 40,
    licence="MIT",
    source=3,
)
ROW = {
    "commit": "a" * 40,
    "repos": "ann/numbers,bob/fork",
    "subject": "Say hello",
    "message": "Say hello\n\nSigned-off-by: Ann <ann@example.org>\n",
    "old_file": "h.py",
    "new_file": "h.py",
    "old_contents": 'print("hi")\n',
    "new_contents": 'print("hello")\n',
    "lang": "Python",
    "license": "mit",
}


def draw(commit, path):
    """The draws, on a path of their own: three numbers of eight bytes."""
    digest = blake2b(f"{commit}\0{path}".encode(), digest_size=24).hexdigest()
    whole, above, below = (int(digest[at : at + 16], 16) for at in (0, 16, 32))
    return whole / 2**64 < 0.2, above % 33, below % 33


def commit_where(wanted):
    """The first made-up commit id whose draws for `n.py` are as wanted."""
    ids = (f"{number:040x}" for number in range(10_000))
    return next(one for one in ids if wanted(*draw(one, "n.py")))


def test_lines_that_changed_stand_between_their_margins():
    edit = replace(EDIT, commit=commit_where(lambda *drawn: drawn == (False, 1, 2)))
    assert rendered(commit_document(edit)) == (
        "<commit_before>49\n50\n51\n52\n<commit_msg>Double fifty<commit_after>49\n100\n51\n52\n"
    )


def test_a_fifth_shows_the_whole_file():
    edit = replace(EDIT, commit=commit_where(lambda whole, *_: whole))
    assert commit_parts(commit_document(edit)) == (EDIT.before, "Double fifty", EDIT.after)


def test_shares_and_margins_are_those_of_starcoder():
    lengths = Counter()
    for number in range(4000):
        before, _, _ = commit_parts(commit_document(replace(EDIT, commit=f"{number:040x}")))
        lengths[before.count("\n")] += 1
    whole = lengths.pop(100)
    assert 720 < whole < 880, "800 are expected, with a standard deviation of 25"
    assert (min(lengths), max(lengths)) == (1, 65)


def test_the_draws_depend_on_commit_and_path_alone():
    documents = [
        commit_document(replace(EDIT, path=path, repo=repo, message=repo))
        for path in ("a.py", "b.py")
        for repo in ("r", "s")
    ]
    befores = [commit_parts(one)[0] for one in documents]
    assert befores[0] == befores[1] != befores[2] == befores[3]


def test_a_document_says_where_it_is_from_and_is_not_cut():
    document = commit_document(EDIT)
    assert (document.path, document.repo, document.language) == ("n.py", "ann/numbers", "python")
    assert (document.licence, document.source, document.revision) == ("MIT", 3, "0" * 40)
    assert (document.bodies, document.learned) == ((), None)


def test_a_sentinels_name_in_the_code_stays_text():
    small = replace(EDIT, before="<commit_msg>\n", after="<commit_after>\n", message="<commit_msg>")
    document = commit_document(small)
    assert [mark.token for mark in document.marks] == [
        "<commit_before>",
        "<commit_msg>",
        "<commit_after>",
    ]
    assert commit_parts(document) == ("<commit_msg>\n", "<commit_msg>", "<commit_after>\n")


def test_parts_are_found_again_after_a_redaction():
    document = commit_document(replace(EDIT, before="a ann@x.org\n", after="a\n", message="m"))
    assert commit_parts(document.edited([(2, 11, "<EMAIL>")])) == ("a <EMAIL>\n", "m", "a\n")


def test_what_is_in_another_layout_has_no_parts():
    with pytest.raises(ValueError, match=r"ann/numbers: n.py: not in the layout <commit_before>"):
        commit_parts(commit_instruction(EDIT))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a\nb\nc\n", "a\nB\nc\n", ("b\n", "B\n")),
        ("a\nb\n", "a\nx\nb\n", ("", "x\n")),
        ("a\nx\nb\n", "a\nb\n", ("x\n", "")),
        ("a\na\nb\n", "a\na\na\nb\n", ("", "a\n")),
        ("a\nb\nc\nd\ne\n", "A\nb\nc\nd\nE\n", ("a\nb\nc\nd\ne\n", "A\nb\nc\nd\nE\n")),
        ("a\nb", "a\nb\n", ("b", "b\n")),
        ("a\r\nb\r\nc\r\n", "a\r\nb\nc\r\n", ("b\r\n", "b\n")),
        ("a\rb\n", "a\rc\n", ("a\rb\n", "a\rc\n")),
        ("a\x0cb\u2028c\n", "a\x0cb\u2028d\n", ("a\x0cb\u2028c\n", "a\x0cb\u2028d\n")),
        ("a\n", "a\na\n", ("", "a\n")),
    ],
)
def test_from_the_first_changed_line_to_the_last(before, after, expected):
    assert changed_lines(before, after, above=0, below=0) == expected


def test_margins_are_the_same_in_both_versions_and_end_with_the_file():
    before, after = "1\n2\n3\n4\n", "1\n2\nx\ny\n3\n4\n"
    assert changed_lines(before, after, above=1, below=1) == ("2\n3\n", "2\nx\ny\n3\n")
    assert changed_lines(before, after, above=9, below=9) == (before, after)


def test_a_window_does_not_begin_at_the_top_of_the_file():
    """bigcode-dataset takes min(0, first changed line): all of its windows begin there."""
    before, _ = changed_lines(EDIT.before, EDIT.after, above=0, below=0)
    assert before == "50\n"


def test_an_instruction_learns_its_answer_alone():
    document = commit_instruction(replace(EDIT, before="a = 1\n", after="a = 2\n"))
    assert document.text == "Question: Double fifty\na = 1\n\n\nAnswer: a = 2\n"
    ((start, end),) = document.learned
    assert document.text[start:end] == " a = 2\n"
    assert [(mark.at, mark.token) for mark in document.marks] == [(start, "")]
    assert (document.bodies, document.revision, document.licence) == ((), "0" * 40, "MIT")


def test_a_row_becomes_the_document_of_its_edit():
    document = commit_row_document(ROW, source=2)
    assert commit_parts(document) == ('print("hi")\n', "Say hello", 'print("hello")\n')
    assert (document.path, document.repo, document.language) == ("h.py", "ann/numbers", "python")
    assert (document.licence, document.source, document.revision) == ("mit", 2, "a" * 40)


def test_a_row_can_be_written_as_an_instruction():
    assert commit_row_document(ROW, write=commit_instruction).text == (
        'Question: Say hello\nprint("hi")\n\n\nAnswer: print("hello")\n'
    )


def test_a_row_without_a_subject_has_the_one_of_its_message():
    row = {name: value for name, value in ROW.items() if name != "subject"}
    assert commit_parts(commit_row_document(row))[1] == "Say hello"


@pytest.mark.parametrize(
    ("path", "stated", "language"),
    [
        ("a.h", "C++", "cpp"),
        ("a.h", None, "c"),
        ("a.py", "Java", "python"),
        ("noname", "Shell", "shell"),
    ],
)
def test_the_language_is_told_by_the_name_helped_by_the_column(path, stated, language):
    assert commit_row_document({**ROW, "new_file": path, "lang": stated}).language == language


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"subject": " \n"}, "empty commit message"),
        ({"old_contents": ""}, "nothing stands in the file before the commit"),
        ({"new_contents": ""}, "nothing stands in the file after the commit"),
        ({"new_contents": 'print("hi")\n'}, "content does not change"),
        ({"new_contents": "\0"}, "binary: NUL byte in the first 8 KB"),
        ({"new_contents": "\ud800"}, "not UTF-8"),
        ({"new_contents": "é" * 26}, "larger than 50 bytes"),
        ({"new_contents": None}, "a column of the row holds no text"),
        ({"new_file": "a.json", "lang": "JSON"}, "no known language"),
    ],
)
def test_a_row_that_is_no_edit_is_dropped_with_the_reason(changed, reason):
    row = {**ROW, **changed}
    assert commit_row_document(row, max_bytes=50) == Drop(
        path=f"{'a' * 40}:{row['new_file']}", repo="ann/numbers", reason=reason
    )


@pytest.mark.parametrize("column", ["commit", "repos", "new_file", "old_contents", "new_contents"])
def test_a_missing_column_is_named_with_those_that_there_are(column):
    row = {name: value for name, value in ROW.items() if name != column}
    with pytest.raises(ValueError, match=f"no column `{column}`; there are .*subject; rename"):
        commit_row_document(row)


def test_all_sixty_commits_of_click_are_read(shared):
    lines = (shared / "data/samples/commits.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    documents = [commit_row_document(row) for row in rows]
    assert Counter(getattr(one, "reason", "read") for one in documents) == {"read": 60}
    for row, document in zip(rows, documents, strict=True):
        before, message, after = commit_parts(document)
        whole = draw(row["commit"], row["new_file"])[0]
        assert (before == row["old_contents"] and after == row["new_contents"]) or not whole
        assert before in row["old_contents"]
        assert after in row["new_contents"]
        assert row["new_contents"] == row["old_contents"].replace(before, after, 1) or not before
        assert message == row["subject"]
