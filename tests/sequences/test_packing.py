"""Windows of exactly the stated length, in which nothing is lost and nothing goes uncounted."""

import random
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from data_formats.document import Document
from finetune.errors import UserError
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Encoder, Rule, block_stream, tokenise
from finetune.sequences.block import make_block
from finetune.sequences.order import Turn
from finetune.sequences.packing import LOOK_AHEAD, SMALLEST_SPLIT, Segment
from finetune.sequences.segment import Written
from finetune.tokenizer import CodeTokenizer

EOD = 0
WORDS = [
    "self",
    "value",
    "items",
    "return",
    "if x:",
    "é",
    "日本",
    "total += 1",
    "for item in items:",
]


def document(text, name="a.py", source=0):
    return Document(text=text, path=name, repo="r", language="python", source=source)


def corpus(count, lines, seed=0):
    """Documents of one to `lines` lines of nonsense; the same for the same arguments."""
    rng = random.Random(seed)

    def line():
        return " " * rng.choice([0, 4, 8]) + " ".join(rng.choices(WORDS, k=rng.randint(1, 6)))

    texts = ["\n".join(line() for _ in range(rng.randint(1, lines))) + "\n" for _ in range(count)]
    return [document(text, f"{index}.py") for index, text in enumerate(texts)]


@cache
def encoder_of(tokenizer):
    return Encoder(tokenizer)


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer) -> CodeTokenizer:
    return CodeTokenizer(tiny_tokenizer)


def stream_of(documents, tokenizer, *, length=64, rate=0.5, isolate=True, epochs=1):
    sequences = Sequences(length=length, isolate_documents=isolate)
    corpus = tokenise(documents, encoder_of(tokenizer))
    return block_stream(corpus, [Rule(Fim(rate=rate))], sequences, seed=0, epochs=epochs)


def segments_by_document(blocks):
    """(start, end, ids) of each document's segments, in the order of their text."""
    found = {}
    for block in blocks:
        for placed in block.placed:
            ids = block.input_ids[placed.start : placed.end].tolist()
            found.setdefault(placed.turn.document, []).append((*placed.segment, ids))
    return {index: sorted(own) for index, own in sorted(found.items())}


MIXED = corpus(60, 30)
"""From a few tokens to many blocks of 64."""
CASES = [(64, 0.0), (64, 0.5), (64, 1.0), (257, 0.5), (4096, 1.0)]


@pytest.mark.parametrize(("length", "rate"), CASES)
def test_every_block_has_exactly_the_stated_length(tokenizer, length, rate):
    for block in stream_of(MIXED, tokenizer, length=length, rate=rate):
        arrays = (block.input_ids, block.labels, block.position_ids)
        assert [array.shape for array in arrays] == [(length,)] * 3


@pytest.mark.parametrize(("length", "rate"), CASES)
def test_each_document_s_segments_cover_its_text_once(tokenizer, length, rate):
    found = segments_by_document(stream_of(MIXED, tokenizer, length=length, rate=rate))
    assert list(found) == list(range(len(MIXED)))
    for index, segments in found.items():
        bounds = [0, *(end for _, end, _ in segments)]
        assert [start for start, _, _ in segments] == bounds[:-1]
        assert bounds[-1] == len(MIXED[index].text)


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_the_roles_of_a_segment_cover_its_tokens(tokenizer, rate):
    for block in stream_of(MIXED, tokenizer, rate=rate):
        for placed in block.placed:
            assert sum(count for _, count in placed.roles) == placed.end - placed.start


def test_the_uncut_ids_of_a_document_decode_to_its_text(tokenizer):
    found = segments_by_document(stream_of(MIXED, tokenizer, rate=0.0))
    for index, segments in found.items():
        assert "".join(tokenizer.decode(ids) for _, _, ids in segments) == MIXED[index].text


@pytest.mark.parametrize(("length", "rate"), CASES)
def test_the_last_segment_of_a_document_ends_it(tokenizer, length, rate):
    found = segments_by_document(stream_of(MIXED, tokenizer, length=length, rate=rate))
    assert all(segments[-1][2][-1] == EOD for segments in found.values())


def test_left_to_right_a_document_ends_only_once(tokenizer):
    found = segments_by_document(stream_of(MIXED, tokenizer, rate=0.0))
    assert max(map(len, found.values())) > 3  # some were split
    for segments in found.values():
        assert sum(ids.count(EOD) for _, _, ids in segments) == 1


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_a_long_document_is_split_at_line_starts(tokenizer, rate):
    lines = [f"value_{index} = total + {index}\n" for index in range(200)]
    text = "".join(lines)
    starts = {text.index(line) for line in lines}
    blocks = list(stream_of([document(text)], tokenizer, rate=rate))
    found = segments_by_document(blocks)[0]
    assert len(found) > 20
    assert {start for start, _, _ in found} <= starts


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_no_document_is_split_within_a_line_that_fits_a_block(tokenizer, rate):
    long_lines = [document("x = " + "ab, " * 11 + "\n" + "y" * 20, f"{i}.py") for i in range(40)]
    found = segments_by_document(stream_of(long_lines, tokenizer, rate=rate))
    for index, segments in found.items():
        assert all(long_lines[index].text[start - 1] == "\n" for start, _, _ in segments[1:])


def test_long_documents_are_dealt_out_among_each_other(tokenizer):
    """Three files of many blocks each: they take turns instead of following one another."""
    text = "".join(f"value_{index} = total + {index}\n" for index in range(200))
    files = [document(text, f"{name}.py") for name in "abc"]
    opening = [block.placed[0].turn.document for block in stream_of(files, tokenizer, rate=0.0)]
    assert len(opening) > 60
    assert all(len(set(opening[at : at + 3])) == 3 for at in range(45))


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_a_huge_line_is_split_without_loss(tokenizer, rate):
    text = "x = [" + "日本 é, 'ab', " * 400 + "]"
    found = segments_by_document(stream_of([document(text)], tokenizer, rate=rate))[0]
    assert len(found) > 50
    assert "".join(text[start:end] for start, end, _ in found) == text


@pytest.mark.parametrize("line", ["f(a,'日')+", "x", " "])
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_a_megabyte_on_one_line_is_placed_whole(tokenizer, line, rate):
    text = line * (1_000_000 // len(line))
    blocks = list(stream_of([document(text)], tokenizer, length=8192, rate=rate))
    found = segments_by_document(blocks)[0]
    assert "".join(text[start:end] for start, end, _ in found) == text
    assert all(block.placed[-1].end > 8000 for block in blocks[:-1])


def test_a_huge_line_fills_its_blocks(tokenizer):
    text = "x = [" + "'ab', " * 1000 + "]"
    stream = stream_of([document(text)], tokenizer, rate=0.0)
    blocks = list(stream)
    assert all(block.placed[-1].end == 64 for block in blocks[:-1])
    assert stream.counts.splits == stream.counts.splits_in_lines == len(blocks) - 1


@pytest.mark.parametrize(("length", "rate"), CASES)
def test_the_counts_add_up(tokenizer, length, rate):
    stream = stream_of(MIXED, tokenizer, length=length, rate=rate)
    blocks, counts = list(stream), stream.counts
    placed = [one for block in blocks for one in block.placed]
    layouts = [one.cut and one.cut.layout for one in placed]
    sizes = [one.end - one.start for one in placed]
    assert counts.windows == len(blocks)
    assert counts.segments == len(placed) == len(MIXED) + counts.splits
    assert counts.tokens == sum(sizes)
    assert counts.transformed_tokens == sum(
        size for size, layout in zip(sizes, layouts, strict=True) if layout
    )
    assert counts.nominal_rate == pytest.approx(rate)
    assert counts.tokens + counts.padding == len(blocks) * length
    assert (counts.psm, counts.spm) == (layouts.count("psm"), layouts.count("spm"))
    assert counts.effective_rate == pytest.approx(1 - layouts.count(None) / len(layouts))


def test_no_document_is_split_where_all_fit_one_block(tokenizer):
    stream = stream_of(corpus(5, 4), tokenizer, length=4096)
    assert len(list(stream)) == 1
    assert stream.counts.splits == 0


def test_isolated_positions_restart_at_each_segment_and_at_the_padding(tokenizer):
    for block in stream_of(MIXED, tokenizer):
        bounds = [*(placed.start for placed in block.placed), block.placed[-1].end, 64]
        expected = [position for start, end in pairwise(bounds) for position in range(end - start)]
        assert block.position_ids.tolist() == expected


def test_without_isolation_positions_run_on(tokenizer):
    for block in stream_of(MIXED, tokenizer, isolate=False):
        assert block.position_ids.tolist() == list(range(64))


def test_isolated_segments_have_no_label_on_their_first_token_and_on_no_other_less(tokenizer):
    for block in stream_of(MIXED, tokenizer):
        firsts = {placed.start for placed in block.placed}
        for position in range(block.placed[-1].end):
            label = -100 if position in firsts else block.input_ids[position]
            assert block.labels[position] == label


def test_without_isolation_every_token_keeps_its_label(tokenizer):
    for block in stream_of(MIXED, tokenizer, isolate=False):
        end = block.placed[-1].end
        assert block.labels[:end].tolist() == block.input_ids[:end].tolist()


def segment_of(ids):
    written = Written(0, 1, (np.array(ids),), len(ids), None, {"text": len(ids) - 1}, True)
    return Segment(Turn(0, 0), 0, 1, (written,), Rule(Fim()), len(ids))


def test_padding_is_masked_by_position_where_its_id_is_the_end_s():
    block = make_block([segment_of([7, 8, EOD])], length=6, isolate=True, pad=EOD)
    assert block.input_ids.tolist() == [7, 8, EOD, EOD, EOD, EOD]
    assert block.labels.tolist() == [-100, 8, EOD, -100, -100, -100]
    assert block.position_ids.tolist() == [0, 1, 2, 0, 1, 2]


def test_a_block_of_two_segments_without_isolation():
    window = [segment_of([7, EOD]), segment_of([8, EOD])]
    block = make_block(window, length=5, isolate=False, pad=4)
    assert block.input_ids.tolist() == [7, EOD, 8, EOD, 4]
    assert block.labels.tolist() == [7, EOD, 8, EOD, -100]
    assert block.position_ids.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_small_files_fill_at_least_95_in_100_positions(tokenizer, rate):
    stream = stream_of(corpus(400, 12), tokenizer, length=256, rate=rate)
    assert sum(1 for _ in stream) > 80
    assert stream.counts.fill > 0.95


def test_only_the_last_block_is_padded_by_more_than_the_smallest_split(tokenizer):
    one_line = [document(f"value = {index}\n" * 9, f"{index}.py") for index in range(300)]
    blocks = list(stream_of(one_line, tokenizer, length=128, rate=0.0))
    rooms = [128 - block.placed[-1].end for block in blocks]
    assert max(rooms[:-1]) < SMALLEST_SPLIT


def test_no_more_documents_are_held_than_the_look_ahead(tokenizer):
    stream = stream_of(corpus(300, 12), tokenizer, length=256, epochs=None)
    unfinished = set()
    for _ in range(300):
        block = next(stream)
        for placed in block.placed:
            turn = placed.turn
            last = placed.segment[1] == stream.corpus.rows["characters"][turn.document]
            unfinished.discard(turn) if last else unfinished.add(turn)
        assert len(stream.state()["waiting"]) <= stream.packer.look_ahead == 75
        assert len(unfinished) <= 75
    assert stream.packer.order.passes[0] > 1.5


def test_no_document_waits_for_ever(tokenizer):
    """The oldest candidate opens each block, so a pass is over soon after the next has begun."""
    stream = stream_of(corpus(100, 12), tokenizer, length=256, epochs=None)
    first_of_third_pass = None
    for number in range(2000):
        epochs = {placed.turn.epoch for placed in next(stream).placed}
        if 2 in epochs and first_of_third_pass is None:
            first_of_third_pass = number
        if first_of_third_pass is not None and number > first_of_third_pass + LOOK_AHEAD:
            assert 0 not in epochs
        if 6 in epochs:
            return
    pytest.fail("six passes took too long")


def test_an_empty_document_is_its_end_alone(tokenizer):
    (block,) = stream_of([document("")], tokenizer, length=4, rate=1.0)
    assert block.input_ids.tolist() == [EOD, 4, 4, 4]


def test_a_document_of_exactly_one_block_is_not_split(tokenizer):
    text = "x" * 63
    assert len(tokenizer.encode(text)) == 63
    stream = stream_of([document(text)], tokenizer, length=64, rate=0.0)
    (block,) = stream
    assert block.input_ids[-1] == EOD
    assert stream.counts.splits == stream.counts.padding == 0


@pytest.mark.parametrize(("length", "rate"), [(1, 0.0), (4, 1.0)])
def test_a_length_that_holds_no_character_is_refused_and_not_padded_for_ever(
    tokenizer, length, rate
):
    with pytest.raises(UserError, match=r"sequences\.length: \d tokens are too few"):
        list(stream_of([document("xyz\n" * 9)], tokenizer, length=length, rate=rate))


def test_no_documents_give_no_blocks(tokenizer):
    assert list(stream_of([], tokenizer)) == []
