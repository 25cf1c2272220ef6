"""What holds for every text, however hostile: Hypothesis looks for one that breaks it."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_formats.document import Document
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Rule, block_stream, tokenise
from finetune.sequences.draws import Draws
from finetune.sequences.encoder import Encoder
from finetune.sequences.segment import Cut, choose_cut, write_segment
from finetune.tokenizer import CodeTokenizer

EOD, PREFIX, MIDDLE, SUFFIX, PAD = range(5)
HIGHEST_SPECIAL = 18
LENGTH = 48

characters = st.characters(exclude_categories=["Cs"])
fragments = st.sampled_from(
    [
        "👩‍👩‍👧‍👦", "e\u0301\u0323", "\r\n", "\n", "\0", "\ufeff", "日本語",
        "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<|endoftext|>", "<reponame>",
        "    ", "\t", "return", " 42",
    ]
)  # fmt: skip
texts = st.lists(fragments | st.text(characters, max_size=6), max_size=24).map("".join)
draws_of_any_kind = st.builds(Draws, *[st.integers(0, 2**64 - 1)] * 5)
bounded = settings(max_examples=150, deadline=None, derandomize=True)


@st.composite
def cut_texts(draw):
    text = draw(texts)
    points = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    return text, Cut(draw(st.sampled_from(["psm", "spm", "spm_v1"])), *points)


def between(ids, after, before=None):
    """The ids behind the sentinel `after`, up to the sentinel `before` or to the end."""
    ids = ids[ids.index(after) + 1 :]
    return ids if before is None else ids[: ids.index(before)]


def parts(ids, layout):
    """Prefix + middle, and suffix, read from a segment's ids by its sentinels alone."""
    ids = ids[:-1]  # the end
    if layout == "psm":
        return between(ids, PREFIX, SUFFIX) + between(ids, MIDDLE), between(ids, SUFFIX, MIDDLE)
    if layout == "spm":
        return between(ids, MIDDLE), between(ids, SUFFIX, MIDDLE)
    return between(ids, PREFIX, MIDDLE) + between(ids, MIDDLE), between(ids, SUFFIX, PREFIX)


def special(ids):
    return [id_ for id_ in ids if id_ <= HIGHEST_SPECIAL]


ORDER = {
    "psm": [PREFIX, SUFFIX, MIDDLE, EOD],
    "spm": [PREFIX, SUFFIX, MIDDLE, EOD],
    "spm_v1": [SUFFIX, PREFIX, MIDDLE, EOD],
}


@cache
def encoder_of(tokenizer):
    return Encoder(tokenizer)


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer) -> CodeTokenizer:
    return CodeTokenizer(tiny_tokenizer)


@pytest.fixture(scope="module")
def encoder(tokenizer) -> Encoder:
    return Encoder(tokenizer)


def written(text, cut, encoder):
    """A whole document, cut or not."""
    return write_segment(encoder.tokens(text), 0, len(text), cut, encoder)


def blocks_of(texts_, tokenizer, fim, length=LENGTH, labels="all"):
    documents = [
        Document(text=text, path=f"{index}.py", repo="r", language="python")
        for index, text in enumerate(texts_)
    ]
    corpus, rules = tokenise(documents, encoder_of(tokenizer)), [Rule(fim, labels)]
    return list(block_stream(corpus, rules, Sequences(length=length), seed=0, epochs=1))


@bounded
@given(cut_texts())
def test_the_parts_of_a_cut_segment_decode_to_its_text(tokenizer, encoder, cut_text):
    text, cut = cut_text
    ids = written(text, cut, encoder).ids.tolist()
    before_suffix, suffix = parts(ids, cut.layout)
    assert tokenizer.decode(before_suffix) == text[: cut.middle_end]
    assert tokenizer.decode(suffix) == text[cut.middle_end :]


@bounded
@given(cut_texts())
def test_the_middle_alone_decodes_to_the_text_between_the_cuts(tokenizer, encoder, cut_text):
    text, cut = cut_text
    segment = written(text, cut, encoder)
    labelled = segment.ids[segment.num_context :].tolist()
    assert labelled[-1] == EOD
    assert tokenizer.decode(labelled[:-1]) == text[cut.prefix_end : cut.middle_end]


@bounded
@given(cut_texts())
def test_a_cut_segment_holds_its_layout_s_sentinels_and_one_end(encoder, cut_text):
    text, cut = cut_text
    ids = written(text, cut, encoder).ids.tolist()
    assert special(ids) == ORDER[cut.layout]
    assert ids[-1] == EOD


@bounded
@given(cut_texts())
def test_a_cut_segment_is_its_parts_encoded_one_by_one(tokenizer, encoder, cut_text):
    text, cut = cut_text
    prefix, middle, suffix = (
        tokenizer.encode(part)
        for part in (
            text[: cut.prefix_end],
            text[cut.prefix_end : cut.middle_end],
            text[cut.middle_end :],
        )
    )
    expected = {
        "psm": [PREFIX, *prefix, SUFFIX, *suffix, MIDDLE, *middle, EOD],
        "spm": [PREFIX, SUFFIX, *suffix, MIDDLE, *prefix, *middle, EOD],
        "spm_v1": [SUFFIX, *suffix, PREFIX, *prefix, MIDDLE, *middle, EOD],
    }
    assert written(text, cut, encoder).ids.tolist() == expected[cut.layout]


@bounded
@given(st.lists(texts, min_size=1, max_size=6), st.sampled_from(["all", "middle"]))
def test_middles_and_ends_never_lose_their_labels(tokenizer, documents, labels):
    """But for a segment's very first token, which nothing of its document precedes."""
    for block in blocks_of(documents, tokenizer, Fim(rate=1.0), labels=labels):
        for placed in block.placed:
            at = placed.start
            for role, count in placed.roles:
                if role in ("middle", "end"):
                    span = slice(max(at, placed.start + 1), at + count)
                    assert block.labels[span].tolist() == block.input_ids[span].tolist()
                at += count


@bounded
@given(texts, st.booleans())
def test_an_uncut_segment_holds_no_special_token_but_its_end(tokenizer, encoder, text, ends):
    tokens = encoder.tokens(text if ends else text + "\n")
    ids = write_segment(tokens, 0, len(text), None, encoder).ids.tolist()
    assert special(ids) == [EOD] * ends
    assert tokenizer.decode(ids) == text


@bounded
@given(texts.filter(bool), draws_of_any_kind)
def test_cuts_are_ordered_points_of_the_text(text, drawn):
    cut = choose_cut(text, 0, len(text), "python", Fim(rate=1.0), drawn)
    assert 0 <= cut.prefix_end <= cut.middle_end <= len(text)


@bounded
@given(texts, draws_of_any_kind)
def test_at_rate_zero_nothing_is_ever_cut(text, drawn):
    assert choose_cut(text, 0, len(text), "python", Fim(rate=0.0), drawn) is None


@bounded
@given(st.lists(texts, min_size=1, max_size=6), st.sampled_from([0.0, 0.5, 1.0]))
def test_the_segments_of_a_stream_give_each_document_back(tokenizer, documents, rate):
    found = {index: {} for index in range(len(documents))}
    for block in blocks_of(documents, tokenizer, Fim(rate=rate)):
        for placed in block.placed:
            ids = block.input_ids[placed.start : placed.end].tolist()
            cut = placed.cut
            text = (
                "".join(map(tokenizer.decode, parts(ids, cut.layout)))
                if cut
                else tokenizer.decode(ids)
            )
            found[placed.turn.document][placed.segment[0]] = text
    together = ["".join(text for _, text in sorted(one.items())) for one in found.values()]
    assert together == documents


@bounded
@given(st.lists(texts, min_size=1, max_size=6), st.sampled_from([0.5, 1.0]))
def test_no_sentinel_stands_outside_the_segments_that_were_cut(tokenizer, documents, rate):
    for block in blocks_of(documents, tokenizer, Fim(rate=rate)):
        for placed in block.placed:
            ids = block.input_ids[placed.start : placed.end].tolist()
            cut = placed.cut
            last = placed.segment[1] == len(documents[placed.turn.document])
            assert special(ids) == (ORDER[cut.layout] if cut else [EOD] * last)
        assert set(block.input_ids[placed.end :].tolist()) <= {PAD}


@bounded
@given(texts)
def test_at_rate_zero_a_document_that_fits_is_its_plain_ids_and_an_end(tokenizer, text):
    plain = tokenizer.encode(text)
    (block,) = blocks_of([text], tokenizer, Fim(rate=0.0), length=len(plain) + 1)
    assert block.input_ids.tolist() == [*plain, EOD]


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_lone_surrogate_stops_the_stream_with_a_clear_error(tokenizer, rate):
    with pytest.raises(ValueError, match="surrogate"):
        blocks_of(["a = '\ud83d'\n"], tokenizer, Fim(rate=rate))
