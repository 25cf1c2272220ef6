"""E-mail and IP addresses, names, and what becomes of a document."""

import re
from collections import Counter

import pytest

from data_formats.document import Document, Mark, Sentinel, compose, rendered
from finetune.corpus.personal_data import redact


def document(text, **others):
    return Document(text=text, path="a.py", repo="r", language="python", **others)


def redacted(text):
    return redact(document(text))[0].text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# mail jane.doe+x@mail.acme.org.\n", "# mail <EMAIL>.\n"),
        ("Jane <jane@acme.de>", "Jane <<EMAIL>>"),
        ("mailto:jane@acme.io?subject=x", "mailto:<EMAIL>?subject=x"),
        ("jane@acme.org: hello", "<EMAIL>: hello"),
        ("https://acme.org/?to=jane@acme.org", "https://acme.org/?to=<EMAIL>"),
        (
            "# Copyright (c) 2020 Jane Doe <jane@acme.org>",
            "# Copyright (c) 2020 Jane Doe <<EMAIL>>",
        ),
    ],
)
def test_an_email_address_is_replaced(text, expected):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "jane@example.com",
        "jane@mail.example.org",
        "jane@host.test",
        "git clone git@github.com:me/lib.git",
        "git@acme.org",
        "scp jane@host.acme.org:file .",
        "ssh -p 22 jane@host.acme.org",
        "https://jane@host.acme.org/x",
        "ssh://jane@host.acme.org/x",
        "@property\ndef f(self): ...\n",
        "@pytest.fixture",
        "a@b",
        "x = a @ b.T\n",
        "x = a@b.dot(c)\n",
        "user@localhost",
        "logo@2x.png",
        "lodash@4.17.21",
        "npm i left-pad@next",
        "<EMAIL>",
        "# SPDX-FileCopyrightText: 2020 Jane Doe <jane@acme.org>\n",
    ],
)
def test_what_is_no_address_of_a_person_stays(text):
    assert redacted(text) == text


def test_a_public_ip_becomes_a_private_one_and_the_same_one_everywhere():
    text = redacted("host = '93.184.215.14'\nagain = '93.184.215.14'\nother = '93.184.215.15'\n")
    first, again, other = re.findall(r"'172\.(?:1[6-9]|2\d|3[01])\.\d{1,3}\.\d{1,3}'", text)
    assert first == again != other


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://93.184.215.14:80/x", r"http://172\.\d+\.\d+\.\d+:80/x"),
        ("93.184.215.0/24", r"172\.\d+\.\d+\.\d+/24"),
        ("dns 5.6.7.8", r"dns 172\.\d+\.\d+\.\d+"),
        ("host = '2a02:8108:9640:1f2c::1a2b'", r"host = 'fd00::[0-9a-f:]+'"),
        ("[2a02:8108:9640::1]:80", r"\[fd00::[0-9a-f:]+\]:80"),
    ],
)
def test_an_ip_is_replaced_and_nothing_around_it(text, expected):
    assert re.fullmatch(expected, redacted(text))


@pytest.mark.parametrize(
    "text",
    [
        "bind('127.0.0.1')",
        "ip = '192.168.1.10'",
        "ip = '10.1.2.3'",
        "dns = '8.8.8.8'",
        "dns = '2606:4700:4700::1111'",
        "host = '203.0.113.7'",
        "host = '2001:db8::1'",
        "group = '239.255.255.250'",
        "mask 255.255.255.0",
        "__version__ = '3.5.0.1'",
        "version 120.1.2.3",
        "v1.2.3.4",
        "requires foo==1.2.3.4",
        "1.3.6.1.4.1.311",
        "see 4.1.2.3",
        "release-1.2.3.4",
        "1.2.3.4-beta",
        "300.1.2.3",
        "x[1::2]",
        "x[2000::3000]",
        "std::string ab::cd",
        "at 12:34:56",
        "00:1a:2b:3c:4d:5e",
    ],
)
def test_what_is_no_public_ip_stays(text):
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Author: Jane van Doe, Al Roe <al@acme.org>\n", "# Author: <NAME>, <NAME> <<EMAIL>>\n"),
        ("__author__ = 'Jane Doe'\n", "__author__ = '<NAME>'\n"),
        (" * @author Jane Q. Doe\n", " * @author <NAME>\n"),
        (" * @author Jane\n", " * @author <NAME>\n"),
        ("Signed-off-by: Jane Doe <jane@acme.org>\n", "Signed-off-by: <NAME> <<EMAIL>>\n"),
        ("# Written by Jörg O'Neill and Ann Lee.\n", "# Written by <NAME> and <NAME>.\n"),
        ("# Written by Jane Doe. The rest\n", "# Written by <NAME>. The rest\n"),
        ('"author": {"name": "Jane Doe", "x": 1}', '"author": {"name": "<NAME>", "x": 1}'),
        ('authors = ["Jane Doe", "Al Roe"]\n', 'authors = ["<NAME>", "<NAME>"]\n'),
        (".. moduleauthor:: Jane Doe\n", ".. moduleauthor:: <NAME>\n"),
        ("Commenter: Jane Doe\nhello", "Commenter: <NAME>\nhello"),
        ("İ" * 200 + "\n# author: Jane Doe\n", "İ" * 200 + "\n# author: <NAME>\n"),
    ],
)
def test_names_in_fields_for_people_are_replaced(text, expected):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "# Copyright (c) 2020 Jane Doe\n",
        "# Copyright 2023 Authors: Jane Doe and Al Roe\n",
        "# SPDX-FileContributor: Jane Doe, author: Al Roe\n",
        "# Author: The Python Software Foundation\n",
        "# Author: Acme Team\n",
        "class JaneDoe:\n    author = None\n",
        "author = models.ForeignKey(User)\n",
        "author: Author = Author(name)\n",
        "author: String Value(1)\n",
        "Jane Doe said so\n",
        "sort(by: Jane Doe)\n",
        "replaced by Big Integers\n",
        "# Author: <NAME>\n",
    ],
)
def test_notices_and_names_elsewhere_stay(text):
    assert redacted(text) == text


def test_findings_are_counted_by_kind():
    text = "# jane@acme.org, al@acme.org\nurl = 'http://93.184.215.14/'\n# author: Jane Doe\n"
    assert redact(document(text))[1] == Counter(email=2, ip=1, name=1)


def test_a_document_without_findings_is_the_same_object():
    one = document("x = 1\n")
    assert redact(one) == (one, Counter())
    assert redact(one)[0] is one


def test_sentinels_stay_between_their_texts():
    text, marks = compose(
        [Sentinel("<commit_before>"), "jane@acme.org\n", Sentinel("<commit_msg>"), "al@acme.org"]
    )
    one = document(text, marks=(*marks, Mark(25, "")))
    assert rendered(redact(one)[0]) == "<commit_before><EMAIL>\n<commit_msg><EMAIL>"


def test_no_finding_goes_across_a_sentinel():
    text, marks = compose(["jane", Sentinel("<file_sep>"), "@acme.org is no address"])
    one = document(text, marks=marks)
    assert redact(one)[0] is one


def test_spans_move_along():
    text = "mail jane@acme.org now"
    one = document(text, bodies=((0, 4), (19, 22)), learned=((5, 18),))
    two = redact(one)[0]
    assert [two.text[a:b] for a, b in two.bodies] == ["mail", "now"]
    assert [two.text[a:b] for a, b in two.learned] == ["<EMAIL>"]
