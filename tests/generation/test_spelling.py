"""Ids as text, and stops that lie across tokens."""

import json
import shutil

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from finetune.generation.spelling import Speller, opening_ids
from finetune.tokenizer import CodeTokenizer


@pytest.fixture
def speller(code_tokenizer):
    return Speller(code_tokenizer)


@pytest.mark.parametrize("text", ["", " x", "\n    return é🙂\n", "  ", "<fim_middle>"])
def test_what_was_encoded_is_spelled_again(speller, code_tokenizer, text):
    assert speller.text(code_tokenizer.encode(text)) == text


def test_special_tokens_are_spelled_by_name(speller, code_tokenizer):
    x = code_tokenizer.encode("x")
    assert speller.text([*x, 5, 6, *x, 0]) == "x<filename><gh_stars>x<|endoftext|>"


@pytest.mark.parametrize("stop", ["\ndef", "```", "é🙂", "<filename>", "x<filename>x"])
def test_a_stop_is_seen_with_its_last_token_and_not_before(speller, code_tokenizer, stop):
    content = stop.split("<filename>")
    ids = code_tokenizer.encode("🙂ü" * 20 + content[0])
    for part in content[1:]:
        ids += [5, *code_tokenizer.encode(part)]
    seen = [speller.has_just_stopped(ids[:end], ["never", stop]) for end in range(1, len(ids) + 1)]
    assert seen == [False] * (len(ids) - 1) + [True]


def test_a_character_torn_at_the_window_hides_no_stop(speller, code_tokenizer):
    """Each emoji is four tokens of one byte: the last tokens looked at begin inside one."""
    for before in range(1, 9):
        ids = code_tokenizer.encode("\U0001f9ff" * before + "xyz")
        assert speller.has_just_stopped(ids, ["xyz"])


def test_starcoders_tokenizer_puts_nothing_before_a_text(code_tokenizer):
    assert opening_ids(code_tokenizer) == ()


@pytest.fixture
def llama_like(tmp_path):
    """`▁` for a space, dropped where a text begins; a token before every text."""
    letters = ["<s>", "</s>", "▁", *"abxy", "\n"]
    tokenizer = Tokenizer(models.BPE({letter: id_ for id_, letter in enumerate(letters)}, []))
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))
    return CodeTokenizer(tmp_path)


def test_what_a_tokenizer_puts_before_every_text_is_put_there(llama_like):
    assert opening_ids(llama_like) == (0,)


def test_a_space_that_begins_a_completion_is_kept(llama_like):
    ids = [2, 3, 2, 4]
    assert llama_like.decode(ids) == "a b", "else there is nothing to keep"
    assert Speller(llama_like).text(ids) == " a b"


def test_another_folder_has_an_opening_of_its_own(llama_like, tiny_tokenizer, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_tokenizer, copy)
    assert opening_ids(CodeTokenizer(copy)) == ()
    assert opening_ids(llama_like) == (0,)


@pytest.mark.parametrize("family", ["starcoder", "starcoder2"])
def test_real_tokenizers_spell_and_open_as_expected(shared, family):
    tokenizer = CodeTokenizer(shared / "data" / f"{family}-tokenizer")
    text = "    return é🙂\n\n\tx = 3.14  # <file_sep>\n"
    ids = [*tokenizer.encode(text), tokenizer.eod]
    assert Speller(tokenizer).text(ids) == text + "<|endoftext|>"
    assert opening_ids(tokenizer) == ()
    next_file = tokenizer.special_id("<file_sep>")
    assert (next_file is not None) == (family == "starcoder2")
    if next_file is not None:
        assert Speller(tokenizer).has_just_stopped([*ids, next_file], ["<file_sep>"])
