"""Personal data and secrets: what is replaced, by what, and what is left alone."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_formats.document import Document, Mark, Sentinel, compose, rendered
from finetune.corpus.personal_data import find, redact
from finetune.corpus.personal_data import keys as forms
from finetune.corpus.personal_data.occurrences import occurrences
from tests.corpus.secret_samples import HEX, PEM, PEM_BODY, SECRETS, made_up


def redacted(text):
    one = Document(text=text, path="a.py", repo="r", language="python")
    return redact(one)[0].text


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("frame", ["key = '{}'\n", "# see {} there\n", '{{"a": "{}"}}', "{}"])
def test_a_key_is_found_wherever_it_stands(kind, frame):
    text = redacted(frame.format(SECRETS[kind]))
    assert "<KEY>" in text
    assert made_up(9) not in text
    longest = max(re.findall(r"[A-Za-z0-9+/=_-]+", SECRETS[kind]), key=len)
    assert longest not in text


def test_the_body_of_a_private_key_goes_and_its_frame_stays():
    text = redacted(f'KEY = """{PEM}"""\n')
    begin, end = (f"-----{word} RSA PRIVATE {'KEY'}-----\n" for word in ("BEGIN", "END"))
    assert text == f'KEY = """{begin}<KEY>\n{end}"""\n'


def test_a_private_key_written_with_escapes_goes_too():
    assert PEM_BODY[:40] not in redacted(f"key = '{PEM!r}'\n")


def test_a_mention_of_private_keys_is_no_key():
    text = f"if line == '-----BEGIN PRIVATE {'KEY'}-----':\n    read()\n"
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password = 'tr0ub4dor-and-3'\n", "password = '<PASSWORD>'\n"),
        ('"db_password": "k9#mPq2w",\n', '"db_password": "<PASSWORD>",\n'),
        ("DB_PASSWORD=k9mPq2wX\n", "DB_PASSWORD=<PASSWORD>\n"),
        ("url = 'postgres://joe:k9mPq2w@db/x'\n", "url = 'postgres://joe:<PASSWORD>@db/x'\n"),
        (f"api_key: '{made_up(32, HEX)}'\n", "api_key: '<KEY>'\n"),
        (f"export API_TOKEN={made_up(40)}\n", "export API_TOKEN=<KEY>\n"),
        (f"aws_secret_access_key = {made_up(40)}\n", "aws_secret_access_key = <KEY>\n"),
    ],
)
def test_a_value_is_told_by_the_name_it_is_given_to(text, expected):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "password = 'changeme123'\n",
        "password = '${DB_PASSWORD1}'\n",
        "password = os.environ['DB_PASSWORD']\n",
        "password = getpass('Password 1: ')\n",
        "password = 'correct horse battery staple 1'\n",
        "password_file = '/etc/secret1'\n",
        "token_type = 'obs-local-part'\n",
        "tokenizer = 'starcoder2-tokenizer-fast'\n",
        "api_key = 'your_api_key_here_please'\n",
        "url = 'https://user:password@host/'\n",
        "url = 'https://user:{}@host/'.format(password)\n",
        "key = 'AKIAIOSFODNN7EXAMPLE'\n",
        f"sha = '{made_up(40, HEX)}'\n",
        f"commit {made_up(40, HEX)}\n",
        "id = '123e4567-e89b-42d3-a456-426614174000'\n",
        f"<script integrity='sha384-{made_up(64)}'></script>\n",
        f"-----BEGIN CERTIFICATE-----\n{PEM_BODY}\n-----END CERTIFICATE-----\n",
        "alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'\n",
        "from module import APIClientFactory\n",
        "-" * 80 + "\n",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# mail jane.doe+x@mail.acme.org.\n", "# mail <EMAIL>.\n"),
        ("Jane <jane@acme.de>", "Jane <<EMAIL>>"),
        ("mailto:jane@acme.io?subject=x", "mailto:<EMAIL>?subject=x"),
    ],
)
def test_an_address_is_replaced(text, expected):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "jane@example.com",
        "git clone git@github.com:me/lib.git",
        "scp jane@host.acme.org:file .",
        "ssh -p 22 jane@host.acme.org",
        "https://jane@host.acme.org/x",
        "@property\ndef f(self): ...\n",
        "a@b",
        "x = a @ b.T\n",
        "user@localhost",
        "logo@2x.png",
    ],
)
def test_what_is_no_address_of_a_person_stays(text):
    assert redacted(text) == text


def test_a_public_ip_becomes_a_private_one_and_the_same_one_everywhere():
    text = redacted("host = '93.184.215.14'\nagain = '93.184.215.14'\nother = '93.184.215.15'\n")
    first, again, other = re.findall(r"172\.\d+\.\d+\.\d+", text)
    assert first == again != other


@pytest.mark.parametrize(
    "text",
    [
        "bind('127.0.0.1')",
        "ip = '192.168.1.10'",
        "dns = '8.8.8.8'",
        "host = '203.0.113.7'",
        "__version__ = '3.5.0.1'",
        "version 1.2.3.4",
        "requires foo==1.2.3.4",
        "mask 255.255.255.0",
        "x[1::2]",
        "std::string ab::cd",
        "at 12:34:56",
    ],
)
def test_what_is_no_public_ip_stays(text):
    assert redacted(text) == text


def test_a_public_ipv6_address_becomes_a_private_one():
    assert "host = 'fd00::" in redacted("host = '2a02:8108:9640:1f2c::1a2b'\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Author: Jane van Doe, Al Roe <al@acme.org>\n", "# Author: <NAME>, <NAME> <<EMAIL>>\n"),
        ("__author__ = 'Jane Doe'\n", "__author__ = '<NAME>'\n"),
        (" * @author Jane Q. Doe\n", " * @author <NAME>\n"),
        ("Signed-off-by: Jane Doe <jane@acme.org>\n", "Signed-off-by: <NAME> <<EMAIL>>\n"),
        ("# Written by Jörg O'Neill and Ann Lee.\n", "# Written by <NAME> and <NAME>\n"),
    ],
)
def test_names_in_fields_for_people_are_replaced(text, expected):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "# Copyright (c) 2020 Jane Doe\n",
        "# Copyright 2023 Authors: Jane Doe and Al Roe\n",
        "# Author: The Python Software Foundation\n",
        "class JaneDoe:\n    author = None\n",
        "# SPDX-License-Identifier: MIT\n",
        "sort(by: Jane Doe)\n",
    ],
)
def test_notices_and_names_elsewhere_stay(text):
    assert redacted(text) == text


def test_findings_are_counted_by_kind():
    text = f"# jane@acme.org, al@acme.org\nkey = '{SECRETS['GitHub token']}'\n"
    one = Document(text=text, path="a.py", repo="r", language="python")
    assert redact(one)[1] == Counter(email=2, key=1)


def test_a_document_without_findings_is_the_same_object():
    one = Document(text="x = 1\n", path="a.py", repo="r", language="python")
    assert redact(one)[0] is one


def test_sentinels_stay_between_their_texts():
    text, marks = compose(
        [Sentinel("<commit_before>"), "jane@acme.org\n", Sentinel("<commit_msg>"), "al@acme.org"]
    )
    one = Document(text=text, path="a", repo="r", language="python", marks=(*marks, Mark(25, "")))
    assert rendered(redact(one)[0]) == "<commit_before><EMAIL>\n<commit_msg><EMAIL>"


def test_a_finding_does_not_show_what_it_found():
    secret = SECRETS["GitHub token"]
    (found,) = find(f"x = '{secret}'")
    assert secret not in repr(found)


PIECES = st.sampled_from(
    [
        *SECRETS.values(),
        *("\n", "'", '"', " = ", "key", "apikey", "-" * 50, "x" * 70, "ap", "AKC1"),
        *(made_up(48, HEX), made_up(44), made_up(64, HEX), "cloudant", "cl_key", "ibm_api_key: "),
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_what_is_searched_first_hides_no_key(text):
    """Every form tried on every text, without looking for its letters and runs first."""
    everything = set()
    for expression, _, _ in forms._expressions():
        for match in expression.finditer(text):
            start, end = forms._value(match)
            value = text[start:end]
            if forms.is_key(value):
                everything.add((start, end))
    found = {(one.start, one.end) for one in forms.keys(text)}
    assert everything <= found


@given(st.text(alphabet="aTokKENİß .", max_size=30))
def test_words_are_found_in_any_case(text):
    expected = {m.start() for m in re.finditer("(?=token)", text, re.IGNORECASE | re.ASCII)}
    assert {at for at in occurrences(text, ["token"]) if text[at : at + 5].isascii()} == expected
