"""Content is encoded as plain text, by the tokenizer that the files describe."""

import json
import shutil
from itertools import accumulate
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from finetune.errors import UserError
from finetune.tokenizer import (
    FILES,
    CodeTokenizer,
    SentinelIds,
    fim_problem,
    prove,
    train_tokenizer,
)

SPECIAL = [
    "<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<filename>",
    "<gh_stars>", "<issue_start>", "<issue_comment>", "<issue_closed>", "<jupyter_start>",
    "<jupyter_text>", "<jupyter_code>", "<jupyter_output>", "<empty_output>", "<commit_before>",
    "<commit_msg>", "<commit_after>", "<reponame>",
]  # fmt: skip
"""StarCoder's, in the order of their ids; written out here so that the code cannot agree with
itself."""

HOSTILE = {
    "emoji with joiners": "👩‍👩‍👧‍👦 🏳️‍🌈 = '🙂'\n",
    "combining marks": "e\u0301 n\u0303 a\u0308\u0323\n",
    "windows lines": "a\r\n\tb\r\r\n",
    "null": "a\0b\0\0",
    "byte order mark": "\ufeffimport os\n",
    "chinese and japanese": "变量 = '日本語'\n",
    "right to left": "שלום \u202e عالم\n",
    "private use and non-characters": "\ue000 \ufffe \U0010ffff \ufffd",
    "what a clean-up would change": "python3 ./src , don 't ! x ? I 'm do n't\n",
    "white space": " \t\u00a0\u2003\u3000\n\n   \n\v\f\x1c\x85\u2028",
    "digits": "½²³ ٣ 42  1_000\n        7\n",
    "sentinel names": "".join(SPECIAL),
    "sentinel names in text": "x <fim_middle>y\n <|endoftext|> <fim_<fim_pad>",
    "nothing": "",
}


def copied(source: Path, target: Path) -> Path:
    target.mkdir()
    for name in FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    return target


def edited(folder: Path, change) -> Path:
    """The folder, its added tokens passed through `change`."""
    file = folder / "tokenizer.json"
    parsed = json.loads(file.read_text(encoding="utf-8"))
    parsed["added_tokens"] = change(parsed["added_tokens"])
    file.write_text(json.dumps(parsed), encoding="utf-8")
    return folder


def added_token(id_: int, content: str, **flags: bool) -> dict:
    off = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"id": id_, "content": content, **off, **flags}


@pytest.fixture(scope="module", params=["starcoder", "tiny"])
def tokenizer(request, tiny_tokenizer) -> CodeTokenizer:
    if request.param == "tiny":
        return CodeTokenizer(tiny_tokenizer)
    return request.getfixturevalue("starcoder")


@pytest.fixture(scope="module")
def starcoder(shared) -> CodeTokenizer:
    return CodeTokenizer(shared / "data" / "starcoder-tokenizer")


@pytest.fixture
def tiny_copy(tiny_tokenizer, tmp_path) -> Path:
    return copied(tiny_tokenizer, tmp_path / "tokenizer")


def test_golden_ids_of_a_function(starcoder):
    assert starcoder.encode("def f(x):\n    return x\n") == [
        589, 296, 26, 106, 711, 284, 442, 816, 203,
    ]  # fmt: skip


def test_starcoder_agrees_with_all_47_published_vectors(starcoder):
    texts = (starcoder.folder / "vectors.inp").read_text(encoding="utf-8")
    ids = (starcoder.folder / "vectors.out").read_text(encoding="utf-8").split("\n")
    pairs = list(zip(texts.split("\n__ggml_vocab_test__\n"), ids, strict=True))
    wrong = [text for text, line in pairs if starcoder.encode(text) != list(map(int, line.split()))]
    assert (len(pairs), wrong) == (47, [])


def test_the_19_special_tokens_have_the_ids_0_to_18(tokenizer):
    assert [tokenizer.name(id_) for id_ in range(19)] == SPECIAL
    assert tokenizer.name(19) is None


def test_special_ids_are_found_by_name(tokenizer):
    assert tokenizer.sentinels == SentinelIds(prefix=1, middle=2, suffix=3)
    assert (tokenizer.eod, tokenizer.pad) == (0, 4)


def test_size_counts_every_id(starcoder, tiny_tokenizer):
    assert starcoder.size == 49_152
    assert CodeTokenizer(tiny_tokenizer).size == 300


@pytest.mark.parametrize("name", SPECIAL)
def test_the_literal_name_of_a_special_token_is_plain_text(tokenizer, name):
    ids = tokenizer.encode(f"x = '{name}'\n{name}")
    assert min(ids) > 18
    assert tokenizer.decode(ids) == f"x = '{name}'\n{name}"


def test_sentinels_that_are_not_flagged_as_special_are_still_plain_text_in_content(tiny_copy):
    edited(tiny_copy, lambda tokens: [{**token, "special": False} for token in tokens])
    ids = CodeTokenizer(tiny_copy).encode("".join(SPECIAL))
    assert min(ids) > 18


def test_an_unknown_family_s_unflagged_sentinel_is_plain_text_in_content(tiny_copy):
    edited(tiny_copy, lambda tokens: [*tokens, added_token(300, "<|fim_prefix|>")])
    tokenizer = CodeTokenizer(tiny_copy)
    assert 300 not in tokenizer.encode("x<|fim_prefix|>y")
    assert tokenizer.name(300) == "<|fim_prefix|>"


def test_an_added_run_of_spaces_is_content(tiny_copy):
    edited(tiny_copy, lambda tokens: [*tokens, added_token(300, " " * 7)])
    tokenizer = CodeTokenizer(tiny_copy)
    ids = tokenizer.encode("x" + " " * 7 + "y")
    assert 300 in ids
    assert tokenizer.decode(ids) == "x" + " " * 7 + "y"
    assert tokenizer.name(300) is None


def test_digits_are_split_one_by_one(starcoder):
    assert starcoder.encode("121") == [35, 36, 35]


def test_a_trained_tokenizer_never_merges_digits(tmp_path):
    train_tokenizer(["x = 12345\n"] * 100, vocabulary=300, positions=8, folder=tmp_path)
    tokenizer = CodeTokenizer(tmp_path)
    assert [tokenizer.decode([id_]) for id_ in tokenizer.encode("12345")] == list("12345")
    assert len(tokenizer.encode("x = ")) < 4  # it did learn to merge what is no digit


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_decoding_gives_the_text_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_decoding_leaves_special_tokens_out(tokenizer):
    assert tokenizer.decode([1, *tokenizer.encode("a "), 2, *tokenizer.encode("b"), 0]) == "a b"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_each_token_starts_at_the_character_of_its_first_byte(tokenizer, text):
    plain = Tokenizer.from_file(str(tokenizer.folder / "tokenizer.json"))
    lengths = [len(plain.id_to_token(id_)) for id_ in tokenizer.encode(text)]  # a letter per byte
    of_byte = [index for index, char in enumerate(text) for _ in char.encode()]
    first_bytes = [0, *accumulate(lengths)][: len(lengths)]
    ids, starts = tokenizer.encode_with_starts(text)
    assert ids == tokenizer.encode(text)
    assert starts == [of_byte[byte] for byte in first_bytes]


@pytest.mark.parametrize("call", ["encode", "encode_with_starts"])
def test_a_lone_surrogate_is_named_with_its_place(tokenizer, call):
    with pytest.raises(UserError, match=r"lone surrogate U\+D83D at character 2"):
        getattr(tokenizer, call)("ab\ud83d")


def test_a_missing_tokenizer_json_is_the_user_s_to_mend(tmp_path):
    for call in (CodeTokenizer(tmp_path).encode, lambda _: fim_problem(tmp_path)):
        with pytest.raises(UserError, match=r"no tokenizer\.json"):
            call("x")
    with pytest.raises(UserError, match=r"no tokenizer\.json"):
        prove(tmp_path)


def test_a_broken_tokenizer_json_is_the_user_s_to_mend(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"added_tokens": [')
    with pytest.raises(UserError, match="cannot be read"):
        CodeTokenizer(tmp_path).encode("x")


def test_an_end_of_document_that_is_no_token_is_the_user_s_to_mend(tiny_copy):
    (tiny_copy / "tokenizer_config.json").write_text('{"eos_token": "</s>"}')
    with pytest.raises(UserError, match="</s> is not in its tokens"):
        _ = CodeTokenizer(tiny_copy).eod


def test_the_end_of_document_may_be_spelt_as_an_object(tiny_copy):
    config = {"eos_token": {"content": "<fim_pad>", "special": True}}
    (tiny_copy / "tokenizer_config.json").write_text(json.dumps(config))
    assert CodeTokenizer(tiny_copy).eod == 4


def test_fim_is_possible_with_the_right_sentinels(tokenizer):
    assert fim_problem(tokenizer.folder) is None


def test_fim_is_impossible_where_a_sentinel_is_missing(tiny_copy):
    edited(tiny_copy, lambda tokens: [t for t in tokens if t["content"] != "<fim_middle>"])
    assert "no fill-in-the-middle sentinels" in fim_problem(tiny_copy)
    assert CodeTokenizer(tiny_copy).sentinels is None


@pytest.mark.parametrize("side", ["lstrip", "rstrip"])
def test_fim_is_impossible_where_a_sentinel_strips_white_space(tiny_copy, side):
    def strip(tokens):
        return [{**t, side: t["content"] == "<fim_suffix>"} for t in tokens]

    assert "<fim_suffix> strips the white space" in fim_problem(edited(tiny_copy, strip))


def test_starcoder_s_files_without_a_config_are_refused(starcoder, tmp_path):
    folder = copied(starcoder.folder, tmp_path / "bare")
    with pytest.raises(UserError, match=r"config\.json beside it"):
        prove(folder)


def test_starcoder_s_files_beside_their_config_are_accepted(starcoder, tmp_path):
    folder = copied(starcoder.folder, tmp_path / "whole")
    (folder / "config.json").write_text('{"model_type": "gpt_bigcode"}')
    prove(folder)


def test_a_trained_tokenizer_is_accepted_without_a_config(tiny_tokenizer):
    prove(tiny_tokenizer)
