"""A stream goes on exactly where its stored state was taken."""

import json
from functools import cache
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_formats.document import Document
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Encoder, Rule, block_stream, tokenise
from finetune.tokenizer import CodeTokenizer


def texts():
    for index in range(40):
        yield f"def f_{index}(x):\n    return x + {index}\n" * (1 + index % 7)
    yield "x = [" + "'日本', " * 60 + "]"
    yield "é" * 90
    yield ""


DOCUMENTS = [
    Document(text=text, path=f"{i}.py", repo="r", language="python", source=i % 3)
    for i, text in enumerate(texts())
]


@cache
def encoder_of(tokenizer):
    return Encoder(tokenizer)


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer) -> CodeTokenizer:
    return CodeTokenizer(tiny_tokenizer)


RULES = [Rule(Fim()), Rule(Fim(cut="line"), weight=0.3), Rule(Fim(rate=0.9), "middle", 0.2)]


@pytest.fixture(scope="module")
def corpus(tokenizer):
    return tokenise(DOCUMENTS, encoder_of(tokenizer))


def stream_of(corpus, *, length=64, epochs=None, isolate=True):
    sequences = Sequences(length=length, isolate_documents=isolate)
    return block_stream(corpus, RULES, sequences, seed=5, epochs=epochs)


def as_lists(blocks):
    return [
        (block.input_ids.tolist(), block.labels.tolist(), block.position_ids.tolist())
        for block in blocks
    ]


def stored(stream):
    """The state as a checkpoint holds it."""
    return json.loads(json.dumps(stream.state()))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 150), st.sampled_from([32, 64, 200]))
def test_blocks_after_any_point_are_identical(corpus, at, length):
    running = stream_of(corpus, length=length)
    for _ in range(at):
        next(running)
    resumed = stream_of(corpus, length=length)
    resumed.restore(stored(running))
    assert as_lists(islice(resumed, 12)) == as_lists(islice(running, 12))


def test_a_restored_stream_stores_the_state_that_it_was_given(corpus):
    running = stream_of(corpus)
    for _ in range(50):
        next(running)
    resumed = stream_of(corpus)
    resumed.restore(stored(running))
    assert stored(resumed) == stored(running)


def test_counts_go_on_across_a_resume(corpus):
    running = stream_of(corpus, epochs=1)
    for _ in range(20):
        next(running)
    resumed = stream_of(corpus, epochs=1)
    resumed.restore(stored(running))
    assert sum(1 for _ in resumed) == sum(1 for _ in running) > 0
    assert resumed.counts == running.counts


def test_a_state_is_not_changed_by_what_is_read_after_it(corpus):
    stream = stream_of(corpus)
    for _ in range(20):
        next(stream)
    state = stream.state()
    before = json.dumps(state)
    for _ in range(20):
        next(stream)
    assert json.dumps(state) == before


def test_a_restored_stream_leaves_the_state_as_it_was(corpus):
    stream = stream_of(corpus)
    for _ in range(20):
        next(stream)
    state = stream.state()
    before = json.dumps(state)
    stream.restore(state)
    for _ in range(20):
        next(stream)
    assert json.dumps(state) == before


def test_a_stream_can_be_set_back(corpus):
    stream = stream_of(corpus)
    state = stored(stream)
    first = as_lists(islice(stream, 30))
    stream.restore(state)
    assert as_lists(islice(stream, 30)) == first


def test_an_exhausted_stream_resumes_exhausted(corpus):
    stream = stream_of(corpus, epochs=1)
    assert len(list(stream)) > 20
    resumed = stream_of(corpus, epochs=1)
    resumed.restore(stored(stream))
    assert list(resumed) == []


def test_the_state_stays_small_over_many_passes(corpus):
    stream = stream_of(corpus)
    for _ in range(400):
        next(stream)
    assert stream.state()["order"]["epoch"]["0"] > 1
    assert len(json.dumps(stream.state())) < 4000


def test_blocks_that_are_skipped_are_planned_all_the_same(corpus):
    whole = as_lists(islice(stream_of(corpus), 12))
    stream = stream_of(corpus)
    assert stream.skip_to(7)
    assert stream.position == 7
    assert as_lists(islice(stream, 5)) == whole[7:]


def test_a_stream_that_ends_before_the_block_that_is_asked_for_says_so(corpus):
    assert not stream_of(corpus, epochs=1).skip_to(10_000)


def test_isolation_changes_positions_and_labels_and_no_id(corpus):
    apart = list(islice(stream_of(corpus), 10))
    together = list(islice(stream_of(corpus, isolate=False), 10))
    assert [b.input_ids.tolist() for b in apart] == [b.input_ids.tolist() for b in together]
    assert as_lists(apart) != as_lists(together)
