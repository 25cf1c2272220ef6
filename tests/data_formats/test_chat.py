"""Turns, byte for byte, and which of them carry loss."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_formats.chat import (
    ASSISTANT,
    END,
    LATE_SYSTEM,
    NO_ANSWER,
    NO_TEXT,
    NO_WEIGHT,
    NOT_TEXT,
    NOT_TURNS,
    OTHER_ROLE,
    OUT_OF_TURN,
    SYSTEM,
    TEMPLATES,
    TOOL_CALL,
    USER,
    chat_columns,
    chat_document,
    chat_turns,
    turns_of,
)
from data_formats.document import Drop, rendered

TURNS = [("system", "S"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]


def messages(turns):
    return [{"role": role, "content": text} for role, text in turns]


def document_of(turns, template, **row):
    return chat_document(
        {"messages": messages(turns), **row},
        columns={"messages": "messages"} | {name: name for name in row},
        template=template,
        path="t.jsonl:1",
        repo="r",
    )


def learned_texts(document):
    return [document.text[start:end] for start, end in document.learned]


def learned_tokens(document):
    """By the rule of the sequence stage: a sentinel that closes or stands inside a span."""
    return [
        (mark.at, mark.token)
        for mark in document.marks
        if mark.token and any(start < mark.at <= end for start, end in document.learned)
    ]


@pytest.mark.parametrize(
    ("template", "turns", "text"),
    [
        (
            "assistant",
            TURNS,
            "S\n\n-----\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d",
        ),
        ("assistant", TURNS[1:3], "Human: a\n\nAssistant: b"),
        ("assistant", TURNS[1:4], "Human: a\n\nAssistant: b\n\nHuman: c"),
        (
            "chatml",
            TURNS,
            "<|system|>\nS<|end|>\n<|user|>\na<|end|>\n<|assistant|>\nb<|end|>\n"
            "<|user|>\nc<|end|>\n<|assistant|>\nd<|end|>",
        ),
        (
            "chatml",
            TURNS[1:3],
            "<|system|>\n<|end|>\n<|user|>\na<|end|>\n<|assistant|>\nb<|end|>",
        ),
        (
            "chatml",
            TURNS[1:4],
            "<|system|>\n<|end|>\n<|user|>\na<|end|>\n<|assistant|>\nb<|end|>\n<|user|>\nc<|end|>",
        ),
    ],
)
def test_a_template_writes_these_bytes(template, turns, text):
    assert rendered(document_of(turns, template)) == text


def test_in_plain_text_the_next_speaker_ends_an_answer_and_is_learned():
    document = document_of(TURNS, "assistant")
    assert learned_texts(document) == [" b\n\nHuman:", " d"]
    assert [mark.token for mark in document.marks] == ["", "", ""]


def test_with_tokens_the_end_of_an_answer_is_learned_and_no_other_token():
    document = document_of(TURNS, "chatml")
    assert learned_texts(document) == ["b", "d"]
    # text: "\nS\n\na\n\nb\n\nc\n\nd": `b` is character 7 and `d` 13
    assert document.learned == ((7, 8), (13, 14))
    assert learned_tokens(document) == [(8, END), (14, END)]


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_answer_begins_at_a_mark_without_a_token(template):
    document = document_of(TURNS, template)
    seams = [mark.at for mark in document.marks if not mark.token]
    assert [start for start, _ in document.learned] == seams[-2:]


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_documents_end_belongs_to_the_last_turn(template):
    answered, asked = document_of(TURNS, template), document_of(TURNS[:4], template)
    assert answered.learned[-1][1] == len(answered.text)
    assert asked.learned[-1][1] < len(asked.text)


@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_is_cut_for_infilling(template):
    assert document_of(TURNS, template).bodies == ()


TEXTS = st.one_of(
    st.text(min_size=1),
    st.lists(
        st.sampled_from(
            ["Human:", "\n\nHuman:", "\n\nAssistant:", "\n\n-----\n\n", " ", "\n", "x", SYSTEM, END]
        ),
        min_size=1,
    ).map("".join),
).filter(str.strip)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(TEXTS, min_size=2, max_size=6),
    st.one_of(st.none(), TEXTS),
    st.sampled_from(sorted(TEMPLATES)),
)
def test_turns_come_back_whatever_they_hold(texts, system, template):
    turns = [(("user", "assistant")[n % 2], text) for n, text in enumerate(texts)]
    turns = [("system", system), *turns] if system is not None else turns
    assert chat_turns(document_of(turns, template)) == turns


@pytest.mark.parametrize("template", TEMPLATES)
def test_turns_come_back_from_an_edited_document(template):
    turns = [("system", "S"), ("user", "ask me@x.org"), ("assistant", "me@x.org!"), ("user", "c")]
    document = document_of(turns, template)
    first = document.text.index("me@x.org")
    second = document.text.index("me@x.org", first + 1)
    edited = document.edited([(at, at + 8, "<EMAIL>") for at in (first, second)])
    assert chat_turns(edited) == [
        ("system", "S"),
        ("user", "ask <EMAIL>"),
        ("assistant", "<EMAIL>!"),
        ("user", "c"),
    ]


def test_a_sentinels_name_in_a_turn_stays_text():
    document = document_of([("user", END), ("assistant", USER)], "chatml")
    assert [mark.token for mark in document.marks if mark.token] == [
        SYSTEM, END, USER, END, ASSISTANT, END,
    ]  # fmt: skip
    assert learned_texts(document) == [USER]


@pytest.mark.parametrize(
    ("found", "turns"),
    [
        (
            [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
            [("user", "a"), ("assistant", "b")],
        ),
        (
            [
                {"role": "developer", "content": "S"},
                {"role": "user", "content": [{"type": "text", "text": "a"}]},
                {"role": "assistant", "content": "b", "tool_calls": None, "weight": 1},
            ],
            [("system", "S"), ("user", "a"), ("assistant", "b")],
        ),
        (messages([("system", " "), *TURNS[1:]]), TURNS[1:]),
    ],
)
def test_known_forms_of_messages_are_read(found, turns):
    assert turns_of(found) == turns


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, NOT_TURNS),
        ([], NOT_TURNS),
        ("a", NOT_TURNS),
        (["a", "b"], NOT_TURNS),
        ([{"role": ["user"], "content": "a"}], NOT_TURNS),
        ([{"content": "a"}], NOT_TURNS),
        ([{"role": "user", "content": 3}], NOT_TURNS),
        (messages([("user", "a"), ("tool", "4")]), OTHER_ROLE),
        (
            [*messages(TURNS[:2]), {"role": "assistant", "content": None, "tool_calls": [{}]}],
            TOOL_CALL,
        ),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], NOT_TEXT),
        (messages([("user", "a"), ("assistant", "\n")]), NO_TEXT),
        (messages([("user", " "), ("assistant", "b")]), NO_TEXT),
        ([{"role": "user"}, {"role": "assistant", "content": "b"}], NO_TEXT),
        (
            [*messages(TURNS[:2]), {"role": "assistant", "content": "b", "weight": 0}],
            NO_WEIGHT,
        ),
        (messages([*TURNS[1:3], TURNS[0]]), LATE_SYSTEM),
        (messages([("system", "S"), *TURNS]), LATE_SYSTEM),
        (messages([("user", "a"), ("user", "c"), ("assistant", "b")]), OUT_OF_TURN),
        (messages([("user", "a"), ("assistant", "b"), ("assistant", "d")]), OUT_OF_TURN),
        (messages([("assistant", "b"), ("user", "a")]), OUT_OF_TURN),
        (messages([("system", "S"), ("user", "a")]), NO_ANSWER),
        (messages([("system", "S")]), NO_ANSWER),
    ],
)
def test_what_is_no_chat_is_dropped_with_its_reason(found, reason):
    outcome = chat_document(
        {"messages": found},
        columns={"messages": "messages"},
        template="chatml",
        path="t.jsonl:1",
        repo="r",
    )
    assert outcome == Drop(path="t.jsonl:1", repo="r", reason=reason)


def test_a_rows_own_licence_goes_first():
    document = document_of(TURNS, "chatml", licence="MIT", language="Python")
    assert (document.licence, document.language) == ("MIT", "python")


@pytest.mark.parametrize("column", ["messages", "conversations"])
def test_the_column_of_turns_is_found(column):
    assert chat_columns(["id", column], {}, where="t") == {"messages": column}


def test_a_column_of_turns_can_be_named():
    assert chat_columns(["id", "log"], {"messages": "log"}, where="t") == {"messages": "log"}


def test_a_table_without_turns_is_an_error_that_says_how_to_name_them():
    with pytest.raises(ValueError, match=r"^t: .*\(id, log\).*columns: \{messages: \.\.\.\}"):
        chat_columns(["id", "log"], {}, where="t")


@pytest.mark.parametrize("name", ["starcoder-tokenizer", "starcoder2-tokenizer"])
def test_where_plain_text_is_parted_starcoders_tokens_part_anyway(shared, name):
    """So the answers of a chat have the ids that they would have in running text."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(shared / "data" / name / "tokenizer.json"))
    for text in ("def f(): ...", "`f`", "7", "É", "(", "\n```python\n", "    x"):
        turns = [("system", text), *[("user", text), ("assistant", text)] * 2]
        document = document_of(turns, "assistant")
        learned = {place for span in document.learned for place in span}
        bounds = sorted({mark.at for mark in document.marks} | learned | {0})
        runs = [document.text[a:b] for a, b in pairwise(bounds)]
        assert len(runs) == 5
        apart = [id_ for run in runs for id_ in tokenizer.encode(run).ids]
        assert apart == tokenizer.encode(document.text).ids
