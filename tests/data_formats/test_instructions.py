"""Prompts and responses, byte for byte, and what carries loss."""

import json
from collections import Counter

import pytest

from data_formats.document import Document, Drop, Mark, rendered
from data_formats.instructions import (
    NO_INSTANCE,
    NO_PROMPT,
    NO_RESPONSE,
    NOT_TEXT,
    instruction_columns,
    instruction_document,
    instruction_documents,
    instruction_parts,
    instruction_prompt,
)
from data_formats.tables import columns_of, read_part, table_parts

ALPACA = {"prompt": "instruction", "input": "input", "response": "output"}


def one(row, template="octopack", columns=ALPACA, **changed):
    (found,) = instruction_documents(
        row, columns=columns, template=template, path="t.jsonl:1", repo="r", **changed
    )
    return found


def outcomes(file, template, named=None):
    """Every outcome of a table's rows, and the rows themselves."""
    (part,) = table_parts(file)
    columns = instruction_columns(columns_of(part), named or {}, where=str(file))
    rows = list(read_part(part))
    assert not [row for row in rows if isinstance(row, Drop)]
    found = [
        outcome
        for number, row in rows
        for outcome in instruction_documents(
            row, columns=columns, template=template, path=f"t:{number}", repo="r"
        )
    ]
    return [row for _, row in rows], found


@pytest.mark.parametrize(
    ("template", "given", "text"),
    [
        ("octopack", "", "Question: Add {x}.\n\nAnswer: x + 1\n"),
        ("octopack", "x = 1", "Question: Add {x}.\nx = 1\n\nAnswer: x + 1\n"),
        (
            "alpaca",
            "",
            "Below is an instruction that describes a task. Write a response that appropriately "
            "completes the request.\n\n### Instruction:\nAdd {x}.\n\n### Response:x + 1\n",
        ),
        (
            "alpaca",
            "x = 1",
            "Below is an instruction that describes a task, paired with an input that provides "
            "further context. Write a response that appropriately completes the request.\n\n"
            "### Instruction:\nAdd {x}.\n\n### Input:\nx = 1\n\n### Response:x + 1\n",
        ),
        ("plain", "", "Add {x}.x + 1\n"),
        ("plain", "x = 1", "Add {x}.\nx = 1x + 1\n"),
    ],
)
def test_a_template_writes_these_bytes(template, given, text):
    row = {"instruction": "Add {x}.", "input": given, "output": "x + 1\n"}
    assert rendered(one(row, template)) == text


def test_only_the_response_is_learned_and_it_is_tokenised_by_itself():
    document = one({"instruction": "a", "input": "", "output": "b\n"})
    assert document.text == "Question: a\n\nAnswer: b\n"
    assert document.learned == ((20, 23),)
    assert document.marks == (Mark(20, ""),)
    assert document.bodies == ()


@pytest.mark.parametrize("template", ["octopack", "alpaca", "plain"])
def test_what_is_not_learned_is_what_a_model_is_given_in_use(template):
    row = {"instruction": "a", "input": "c", "output": " b"}
    prompt, _ = instruction_parts(one(row, template))
    assert prompt == instruction_prompt(template, "a", "c")


def test_whitespace_of_prompt_and_response_stays():
    document = one({"instruction": " a\r\n", "output": "\n\tb  \r\n\n"}, "plain")
    assert instruction_parts(document) == (" a\r\n", "\n\tb  \r\n\n")


def test_a_prompt_and_a_response_come_back_from_their_document():
    document = instruction_document("ab\n", "\ncd", path="p", repo="r")
    assert instruction_parts(document) == ("ab\n", "\ncd")


def test_a_sentinels_name_in_a_response_stays_text():
    document = one({"instruction": "a", "output": "<|endoftext|>"}, "plain")
    assert document.text == "a<|endoftext|>"
    assert [mark.token for mark in document.marks] == [""]


@pytest.mark.parametrize("given", [None, "", " \n"])
def test_an_input_without_content_is_none(given):
    document = one({"instruction": "a", "input": given, "output": "b"})
    assert document.text == "Question: a\n\nAnswer: b"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"instruction": "a", "output": ""}, NO_RESPONSE),
        ({"instruction": "a", "output": " \n"}, NO_RESPONSE),
        ({"instruction": "a", "output": None}, NO_RESPONSE),
        ({"instruction": "a"}, NO_RESPONSE),
        ({"instruction": "\t", "output": "b"}, NO_PROMPT),
        ({"output": "b"}, NO_PROMPT),
        ({"instruction": ["a"], "output": "b"}, NOT_TEXT),
        ({"instruction": "a", "input": {"c": 1}, "output": "b"}, NOT_TEXT),
        ({"instruction": "a", "output": 4}, NOT_TEXT),
    ],
)
def test_a_row_without_both_texts_is_dropped_with_its_place(row, reason):
    assert one(row) == Drop(path="t.jsonl:1", repo="r", reason=reason)


def test_every_instance_of_a_row_is_a_document_of_its_own():
    row = {
        "instruction": "a",
        "instances": [{"input": "", "output": "b"}, {"output": ""}, {"input": "c", "output": "d"}],
    }
    columns = {"prompt": "instruction", "instances": "instances"}
    found = list(
        instruction_documents(row, columns=columns, template="plain", path="t:1", repo="r")
    )
    assert [outcome.path for outcome in found] == ["t:1#1", "t:1#2", "t:1#3"]
    assert [getattr(outcome, "text", outcome.__class__) for outcome in found] == [
        "ab",
        Drop,
        "a\ncd",
    ]


@pytest.mark.parametrize("instances", [None, [], "b", ["b"], {"output": "b"}])
def test_a_row_without_instances_is_dropped(instances):
    columns = {"prompt": "instruction", "instances": "instances"}
    dropped = one({"instruction": "a", "instances": instances}, columns=columns)
    assert dropped == Drop(path="t.jsonl:1", repo="r", reason=NO_INSTANCE)


def test_a_rows_own_licence_and_language_go_first():
    columns = {"prompt": "q", "response": "a", "licence": "license", "language": "lang"}
    row = {"q": "a", "a": "b", "license": ["mit", "bsd-3-clause"], "lang": "Python"}
    document = one(row, columns=columns, licence="Apache-2.0")
    assert (document.licence, document.language) == ("mit AND bsd-3-clause", "python")


def test_without_its_own_a_row_has_the_licence_of_its_source():
    columns = {"prompt": "q", "response": "a", "licence": "license"}
    document = one({"q": "a", "a": "b", "license": " "}, columns=columns, licence="MIT")
    assert (document.licence, document.language) == ("MIT", "instruction")


@pytest.mark.parametrize(
    ("available", "columns"),
    [
        (["instruction", "input", "output", "text"], ALPACA),
        (["instruction", "output"], {"prompt": "instruction", "response": "output"}),
        (["prompt", "completion"], {"prompt": "prompt", "response": "completion"}),
        (["answer", "id", "question"], {"prompt": "question", "response": "answer"}),
        (
            ["id", "instruction", "instances"],
            {"prompt": "instruction", "instances": "instances"},
        ),
    ],
)
def test_a_known_form_is_told_by_its_columns(available, columns):
    assert instruction_columns(available, {}, where="t") == columns


def test_a_named_licence_leaves_the_known_form_in_force():
    columns = instruction_columns(
        ["prompt", "completion", "spdx"], {"licence": "spdx"}, where="t.jsonl"
    )
    assert columns == {"prompt": "prompt", "response": "completion", "licence": "spdx"}


@pytest.mark.parametrize(
    ("available", "named", "words"),
    [
        (["text", "code"], {}, ["t: ", "text, code", "columns: {prompt: ..., response: ...}"]),
        (
            ["text", "code"],
            {"prompt": "txt", "response": "codes"},
            ["no column `txt` for `prompt`, did you mean `text`?", "`codes`", "text, code"],
        ),
        (["text"], {"question": "text"}, ["`question` is no field", "prompt, input, response"]),
        (["text", "code"], {"prompt": "text"}, ["name `prompt`, and `response`"]),
        (["text", "code"], {"response": "code"}, ["name `prompt`"]),
    ],
)
def test_columns_that_cannot_be_resolved_are_an_error_that_says_how(available, named, words):
    with pytest.raises(ValueError, match=r"^t: ") as caught:
        instruction_columns(available, named, where="t")
    assert [word for word in words if word not in str(caught.value)] == []


def test_every_row_of_octopacks_instructions_is_read(shared):
    rows, found = outcomes(
        shared / "data/samples/octopack_oasst_commitpackft.jsonl", template="octopack"
    )
    assert Counter(type(outcome) for outcome in found) == {Document: 151}
    for row, document in zip(rows, found, strict=True):
        # OctoPack's own way of writing a sample, in its finetuning script
        assert document.text == f"Question: {row['prompt']}\n\nAnswer: {row['completion']}"
        assert instruction_parts(document)[1] == f" {row['completion']}"


def test_every_row_of_the_self_instruct_seed_tasks_is_read(shared):
    rows, found = outcomes(
        shared / "data/samples/self_instruct_seed_tasks.jsonl", template="alpaca"
    )
    assert Counter(type(outcome) for outcome in found) == {Document: 175}
    assert sum("\n\n### Input:\n" in document.text for document in found) == 125
    for row, document in zip(rows, found, strict=True):
        assert instruction_parts(document)[1] == row["instances"][0]["output"]


def test_every_row_of_mbpps_train_split_is_read_through_named_columns(shared):
    file = shared / "data/samples/mbpp_train.jsonl"
    _, found = outcomes(file, template="plain", named={"prompt": "text", "response": "code"})
    assert Counter(type(outcome) for outcome in found) == {Document: 374}
    # by an independent path: line ends are part of the code and stay
    raw = [json.loads(line) for line in file.read_bytes().splitlines()]
    pairs = [(row["text"], row["code"]) for row in raw]
    assert [instruction_parts(document) for document in found] == pairs
    assert sum("\r\n" in code for _, code in pairs) == 373


@pytest.mark.parametrize("name", ["starcoder-tokenizer", "starcoder2-tokenizer"])
def test_octopacks_seam_lies_where_starcoders_tokens_part_anyway(shared, name):
    """Behind the space that follows it would not: that space belongs to the next word's token."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(shared / "data" / name / "tokenizer.json"))
    for response in ("Sure", "`f`", "7", "É", "(", "\n```python\n", "    x"):
        document = one({"instruction": "a", "output": response})
        parts = instruction_parts(document)
        apart = [id_ for part in parts for id_ in tokenizer.encode(part).ids]
        assert apart == tokenizer.encode(document.text).ids
