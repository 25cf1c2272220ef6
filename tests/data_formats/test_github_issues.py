"""Issues as StarCoder saw them, byte for byte, from the API's objects and from another tracker."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_formats.document import Document, Drop, rendered
from data_formats.github_issues import (
    comments_by_issue,
    issue_columns,
    issue_document,
    issue_turns,
)

LONG = "It fails. " * 25
API = "https://api.github.com/repos/o/r"


def user(login, kind="User"):
    return {"login": login, "id": 1, "type": kind}


def comment(login, body, at="2024-01-02T00:00:00Z", **more):
    return {"user": user(login), "body": body, "created_at": at, **more}


def issue(*comments, **more):
    return {
        "url": f"{API}/issues/7",
        "repository_url": API,
        "number": 7,
        "title": "A title",
        "user": user("Ada"),
        "state": "open",
        "body": LONG,
        "created_at": "2024-01-01T00:00:00Z",
        "closed_at": None,
        "comments": list(comments),
        **more,
    }


def read(row, **more):
    """What became of an issue, and what is left out."""
    left_out = Counter()
    return issue_document(row, repo="mine", left_out=left_out, **more), dict(left_out)


def reason(row):
    outcome, left_out = read(row)
    assert isinstance(outcome, Drop)
    assert left_out == {}
    return outcome.reason


def texts(row):
    return [text for _, text in issue_turns(read(row)[0])[1]]


def test_an_issue_is_a_title_and_turns_of_numbered_users():
    row = issue(
        comment("bob", "Which version?"),
        comment("Ada", "2.0, as @Bob  asked."),
        title="A title for @Bob",
        body=f"{LONG}\r\nHelp, @bob or @carol!",
        state="closed",
    )
    document, left_out = read(row)
    assert rendered(document) == (
        f"<issue_start>Title: A title for @username_1\nusername_0: {LONG}\n"
        "Help, @username_1 or @carol!"
        "<issue_comment>username_1: Which version?"
        "<issue_comment>username_0: 2.0, as @username_1  asked.<issue_closed>"
    )
    assert left_out == {}


def test_an_issue_is_read_back_as_title_turns_and_state():
    row = issue(comment("bob", "username_5: no"), title="A \n: title", state="closed")
    assert issue_turns(read(row)[0]) == (
        "A : title",
        [("username_0", LONG.strip()), ("username_1", "username_5: no")],
        True,
    )


def test_an_issue_is_no_source_and_lies_at_its_number():
    row = issue(comments=0)
    document = issue_document(row, repo="mine", licence="MIT", source=3)
    assert document == Document(
        text=f"Title: A title\nusername_0: {LONG.strip()}",
        path="issues/7",
        repo="o/r",
        language="issue",
        licence="MIT",
        source=3,
        marks=document.marks,
        bodies=(),
    )
    assert issue_turns(document)[2] is False


@given(st.lists(st.sampled_from(["<issue_start>", "<issue_comment>", "<issue_closed>", "a", " "])))
def test_a_sentinels_name_in_a_text_stays_text(parts):
    text = f".{''.join(parts)}."
    document, _ = read(issue(comment("bob", text), title=text, body=LONG + text))
    assert [mark.token for mark in document.marks] == ["<issue_start>", "<issue_comment>"]
    title, turns, is_closed = issue_turns(document)
    assert (title, turns[1][1], is_closed) == (" ".join(text.split()), text, False)


@pytest.mark.parametrize(
    ("closed_at", "end"),
    [
        ("2024-01-03T00:00:00Z", "b<issue_closed><issue_comment>username_0: c"),
        ("2024-01-02T00:00:00Z", "a<issue_closed><issue_comment>username_1: b"),
        ("2024-01-09T00:00:00Z", "c<issue_closed>"),
        (None, "c<issue_closed>"),
    ],
)
def test_an_issue_is_closed_where_the_times_say_so(closed_at, end):
    row = issue(
        comment("Ada", "c", "2024-01-04T00:00:00Z"),
        comment("bob", "a"),
        comment("bob", "b", "2024-01-03T00:00:00Z"),
        state="closed",
        closed_at=closed_at,
    )
    assert end in rendered(read(row)[0])


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("@bob, @BOB. (@bob)/@bob", "@username_1, @username_1. (@username_1)/@username_1"),
        ("@bobby bob@bob.org @bob/pkg @bob-x", "@bobby bob@bob.org @bob/pkg @bob-x"),
        ("`@bob`\n```\n@bob\n``` @bob", "`@bob`\n```\n@bob\n``` @username_1"),
        ("```\n@bob", "```\n@bob"),
        ("bob wrote", "bob wrote"),
    ],
)
def test_a_mention_of_a_user_is_masked_outside_code(text, seen):
    assert texts(issue(comment("bob", text)))[1] == seen


@pytest.mark.parametrize(
    "author",
    [
        user("dependabot[bot]", "Bot"),
        user("anything", "Bot"),
        user("renovate[bot]"),
        user("stale-bot"),
        user("CLAassistant"),
        user("k8s-ci-robot"),
        user("acme-ci"),
    ],
)
def test_a_bot_has_no_turn_and_no_number(author):
    row = issue({"user": author, "body": "Beep."}, comment("bob", "Thanks."))
    document, left_out = read(row)
    assert document.text.endswith("username_1: Thanks.")
    assert left_out == {"message of a bot": 1}


@pytest.mark.parametrize("login", ["bottom", "jenkinson", "travis2", "ci", "robothon", "tests"])
def test_a_person_whose_name_only_resembles_a_bots_has_a_turn(login):
    assert texts(issue(comment(login, "Thanks."))) == [LONG.strip(), "Thanks."]


def test_a_comment_that_calls_the_bot_below_it_goes_with_it():
    row = issue(
        comment("bob", "/retest"),
        comment("k8s-ci-robot", "Failed."),
        comment("bob", "@stale why?"),
        comment("stale[bot]", "So."),
        comment("bob", "/retest"),
    )
    assert texts(row) == [LONG.strip(), "/retest"]
    assert read(row)[1] == {"message of a bot": 2, "comment that calls a bot": 2}


def test_the_automatic_part_of_a_mail_is_counted():
    row = issue(comment("bob", "Yes.\n\nOn 3/3/20, Ada wrote:\n> Really?\n"))
    assert texts(row)[1] == "Yes."
    assert read(row)[1] == {"automatic part of an e-mail in a message": 1}


@pytest.mark.parametrize(("num_lines", "num_kept"), [(100, 100), (101, 101), (500, 101)])
def test_a_long_message_is_cut_in_its_middle(num_lines, num_kept):
    body = "\n".join(f"line {number}" for number in range(num_lines))
    lines = texts(issue(body=body))[0].split("\n")
    assert len(lines) == num_kept
    assert lines[:80] == [f"line {number}" for number in range(80)]
    assert lines[-20:] == [f"line {number}" for number in range(num_lines - 20, num_lines)]
    assert ("[Truncated]" in lines) is (num_lines > 100)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"pull_request": {"url": "https://a"}}, "pull request"),
        ({"number": None}, "issue without a number"),
        ({"title": " \n"}, "issue without a title"),
        ({"title": None}, "issue without a title"),
        ({"body": None}, "issue in which no person says anything"),
        ({"user": user("a[bot]")}, "issue in which no person says anything"),
        ({"body": "x" * 199}, "issue of fewer than 200 characters"),
        ({"body": "x" * 7001}, "issue of one user with more than 7000 characters"),
        ({"body": f"{LONG}\0."}, "text with a NUL character"),
        (
            {"body": f"{LONG}\ud800."},
            "text with half of a surrogate pair, which is no character",
        ),
        *(
            (changed, "no issue: its title, body or comments are not what the API gives")
            for changed in (
                {"body": 1},
                {"title": ["a"]},
                {"comments": ["a"]},
                {"user": {"login": 1}},
            )
        ),
    ],
)
def test_what_is_no_usable_issue_is_dropped_with_its_reason(changed, why):
    assert reason(issue(**changed)) == why


@pytest.mark.parametrize("length", [200, 7000])
def test_an_issue_may_be_as_short_and_as_long_as_the_limits(length):
    assert len(texts(issue(body="x" * length))[0]) == length


@pytest.mark.parametrize(
    ("login", "num_comments", "kept"), [("Ada", 9, True), ("Ada", 10, False), ("bob", 10, True)]
)
def test_one_user_alone_may_write_ten_messages(login, num_comments, kept):
    outcome, _ = read(issue(*[comment(login, "more")] * num_comments))
    assert isinstance(outcome, Document) is kept
    if not kept:
        assert outcome.reason == "issue of one user with more than 10 messages"


def test_two_users_may_write_at_length():
    assert isinstance(read(issue(comment("bob", "x" * 7001)))[0], Document)


def test_deleted_accounts_and_empty_messages_need_no_care():
    row = issue({"user": None, "body": "Old."}, comment("bob", ""), comment("carl", "New."))
    assert issue_turns(read(row)[0])[1][1:] == [("username_1", "Old."), ("username_2", "New.")]
    assert read(row)[1] == {"message without text": 1}


def test_comments_of_a_second_table_belong_to_the_issue_that_they_name():
    table = [
        comment("bob", "second", "2024-01-03T00:00:00Z", issue_url=f"{API}/issues/7"),
        comment("bob", "other", issue_url=f"{API}/issues/8"),
        comment("carl", "first", issue_url=f"{API}/issues/7"),
        {"body": "nowhere"},
    ]
    left_out = Counter()
    comments = comments_by_issue(table, left_out)
    assert left_out == {"comment that names no issue": 1}
    document, left_out = read(issue(comments=3), comments=comments)
    assert [text for _, text in issue_turns(document)[1]][1:] == ["first", "second"]
    assert left_out == {"comment that the export does not hold": 1}


def test_columns_of_another_tracker_are_named():
    row = {
        "id": "ab-1",
        "title": "T",
        "description": LONG,
        "status": "closed",
        "license": "MIT",
        "comments": [{"author": "bob", "text": "Fixed."}],
    }
    named = {"number": "id", "body": "description", "state": "status", "licence": "license"}
    columns = issue_columns(list(row), named, "issues.jsonl")
    document, _ = read(row, columns=columns)
    assert rendered(document) == (
        f"<issue_start>Title: T\nusername_0: {LONG.strip()}"
        "<issue_comment>username_1: Fixed.<issue_closed>"
    )
    assert (document.path, document.repo, document.licence) == ("issues/ab-1", "mine", "MIT")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"text": "body"}, r"^t\.jsonl: `text` is no field"),
        ({"state": "stat"}, r"^t\.jsonl: no column `stat` for `state`, did you mean `status`\?"),
        (
            {},
            r"^t\.jsonl: no column `number` for `number`; columns here: title, body, status; "
            r"name them with `columns: {number: \.\.\.}`$",
        ),
    ],
)
def test_a_column_that_is_not_there_is_told(named, message):
    with pytest.raises(ValueError, match=message):
        issue_columns(["title", "body", "status"], named, "t.jsonl")


@pytest.mark.parametrize("text", ["", "a\nx", "Title: a\nusername_0: b"])
def test_a_document_of_another_format_has_no_turns(text):
    other = Document(text=text, path="a.py", repo="r", language="python")
    with pytest.raises(ValueError, match=r"r: a\.py: .* give what `issue_document` made"):
        issue_turns(other)


def test_every_sample_of_another_tracker_has_its_outcome(shared):
    lines = (shared / "data" / "samples" / "issues.jsonl").read_text("utf-8").splitlines()
    columns = {"number": "id", "body": "description", "state": "status"}
    left_out, outcomes = Counter(), Counter()
    for line in lines:
        row = json.loads(line)
        outcome = issue_document(row, repo="s", columns=columns, left_out=left_out)
        if isinstance(outcome, Drop):
            outcomes[outcome.reason, len(row["description"]) < 200] += 1
            continue
        title, turns, is_closed = issue_turns(outcome)
        assert (title, is_closed) == (row["title"], row["status"] == "closed")
        outcomes[len(turns), is_closed] += 1
    assert outcomes == {
        (1, True): 34,
        (1, False): 3,
        (3, False): 1,
        ("issue of fewer than 200 characters", True): 2,
    }
    assert left_out == {"message of more than 100 lines, cut in its middle": 1}
