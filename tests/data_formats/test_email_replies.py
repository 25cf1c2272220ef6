"""Mails as trackers store them, and what their authors wrote."""

import pytest

from data_formats.email_replies import without_email

LINK = "https://github.com/o/r/issues/1#issuecomment-1"
FOOTER = (
    "You are receiving this because you were mentioned.\n"
    f"Reply to this email directly, view it on GitHub\n<{LINK}>, or unsubscribe\n<{LINK}>."
)
QUOTED_FOOTER = "\n".join(f"> {line}" for line in FOOTER.splitlines())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param(
            "It works.\n\nOn Tue, 3 Mar 2020 at 10:00, Ada <notifications@github.com>\nwrote:\n\n"
            f"> Could you try?\n>\n> —\n{QUOTED_FOOTER}\n>\n",
            "It works.",
            id="a reply above a quotation",
        ),
        pytest.param(
            "Above.\n________________________________\nFrom: Ada <notifications@github.com>\n"
            "Sent: Tuesday, March 3, 2020 10:00\nTo: o/r <r@noreply.github.com>\nSubject: Re: a\n\n"
            f"Could you try?\n\n—\n{FOOTER}\nBelow.",
            "Above.\n\nBelow.",
            id="an answered message that is not quoted",
        ),
        pytest.param(f"Mine.\n\n—\n{FOOTER}\n", "Mine.", id="a footer alone"),
        pytest.param(
            "On 3/3/20 10:00 AM, Ada wrote:\n> Try this?\n>\n\n> Or that?\n\nBoth work.",
            "Both work.",
            id="a reply below a quotation",
        ),
        pytest.param(
            "See you.\n\nFrom: Ada <notifications@github.com>\nSent: Tuesday\nTo: o/r\n\nOld text.",
            "See you.",
            id="an answered notification to the end",
        ),
        pytest.param("Done.\n\n-- \nAda\nAnalyst", "Done.", id="a signature"),
        pytest.param("Done.\n\nSent from my phone", "Done.", id="a device's signature"),
    ],
)
def test_of_a_mail_only_what_its_author_wrote_is_kept(text, kept):
    assert without_email(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "> A quotation in Markdown\n\nMy answer.",
        "Above.\n\n> Quoted.\n\nBelow.",
        "On Linux 5 it fails, he wrote:\nnothing more.",
        "On this the author wrote:\n> a remark\n\nMy answer.",
        "The header is\n\nFrom: a@example.com\nTo: b@example.com\nSubject: c\n\nand then a body.",
        "A heading\n--\n\ntext\n",
        "```sql\n-- \nSELECT 1;\n```",
        "____________________________\n",
        "From: here\n",
    ],
)
def test_what_only_looks_like_a_mail_is_kept_as_it_is(text):
    assert without_email(text) == text


@pytest.mark.parametrize(
    ("beginning", "repeated"),
    [
        ("Reply to this email directly\n", "On 1 wrote:\n"),
        ("Reply to this email directly\n", "From: a\nSent: b\nTo: c\n"),
        ("1/1/", "1"),
        ("", "-- \n"),
        ("On 1 wrote:\n", "> \n\n"),
        ("", "On 1 wrote:\nReply to this email directly\n"),
    ],
)
def test_a_mail_of_any_length_is_read_in_time_that_grows_with_it(beginning, repeated):
    text = beginning + repeated * (1_000_000 // len(repeated))
    assert len(without_email(text)) <= len(text)


def test_an_answered_message_ends_at_its_own_footer():
    answered = f"On 3/3/20 Ada wrote:\nTry.\n—\n{FOOTER}\n"
    assert without_email(f"One.\n{answered}Two.\n{answered}Three.") == "One.\n\nTwo.\n\nThree."
