"""What people are shown of a block says what is in its ids."""

import pytest

from data_formats.document import Document
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Encoder, Rule, block_stream, tokenise
from finetune.sequences.preview import block_text, described, summary
from finetune.tokenizer import CodeTokenizer


@pytest.fixture(scope="module")
def encoder(tiny_tokenizer) -> Encoder:
    return Encoder(CodeTokenizer(tiny_tokenizer))


def stream_of(texts, encoder, *rules, length=128):
    documents = [
        Document(text=text, path=f"{i}.py", repo="r", language="python", source=i % len(rules))
        for i, text in enumerate(texts)
    ]
    return block_stream(
        tokenise(documents, encoder), rules, Sequences(length=length), seed=0, epochs=1
    )


def shown(text, encoder, rule):
    stream = stream_of([text], encoder, rule)
    (one,) = described(next(stream), stream.corpus)
    return one


@pytest.mark.parametrize("text", ["龘 = 1\n", "é\n", "x = 'é日本🙂'\n", "\0\u3000a\r\n"])
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_the_runs_of_a_segment_hold_its_text_once(encoder, text, rate):
    one = shown(text, encoder, Rule(Fim(rate=rate, spm=1.0), "middle"))
    parts = dict.fromkeys(("prefix", "middle", "suffix", "text"), "")
    for run in one.runs:
        if run.role in parts:
            parts[run.role] += run.text
    together = parts["text"] or parts["prefix"] + parts["middle"] + parts["suffix"]
    assert together == text.replace("\0", "\\x00").replace("\u3000", "\\u3000").replace("\r", "\\r")


def test_a_character_of_several_tokens_is_shown_whole_where_its_first_token_has_no_label(encoder):
    one = shown("龘 = 1\n", encoder, Rule(Fim(rate=0.0)))
    assert [(run.text, run.is_masked) for run in one.runs] == [
        ("", True),
        ("龘 = 1\n", False),
        ("<|endoftext|>", False),
    ]


def test_each_sentinel_is_a_run_of_its_own(encoder):
    one = shown("a = 1\n", encoder, Rule(Fim(rate=1.0, spm=1.0), "middle"))
    assert [run.text for run in one.runs if run.role in ("sentinel", "end")] == [
        "<fim_prefix>",
        "<fim_suffix>",
        "<fim_middle>",
        "<|endoftext|>",
    ]


def test_a_heading_names_document_layout_kind_tokens_and_positions(encoder):
    stream = stream_of(["a = 1\nb = 2\n"], encoder, Rule(Fim(rate=1.0, spm=0.0, cut="line")))
    text = block_text(next(stream), stream.corpus).plain
    assert "r/0.py [0:12]  PSM, line  tokens 0-" in text
    assert ", positions 0-" in text


def test_the_summary_says_what_was_asked_for_and_what_came_of_it(encoder):
    stream = stream_of(["a = 1\n"] * 40, encoder, Rule(Fim(rate=0.0)), Rule(Fim(rate=1.0)))
    assert sum(1 for _ in stream) == stream.counts.windows
    lines = "\n".join(summary(stream))
    assert "nominal rate 0.500, effective 0.500 of what may be cut" in lines
    assert "documents split 0 times, 0 of them inside a line" in lines
    assert "cuts by character: 20" in lines
    assert "source 1: 0.500 of the tokens read ahead, 1.000 passes" in lines


def test_the_summary_says_where_parts_are_encoded_again(tiny_tokenizer):
    plain = Encoder(CodeTokenizer(tiny_tokenizer), is_spliced=False)
    lines = summary(stream_of(["a = 1\n"], plain, Rule(Fim())))
    assert lines[-1] == "parts are encoded again at every cut: splicing is turned off"
