"""Losses of held-out code: of which tokens, over which bytes, on which cuts."""

import math
from types import SimpleNamespace

import pytest
import torch

from data_formats.document import Document
from finetune.models.measure import (
    LAYOUTS,
    Measured,
    blank,
    measure,
    measuring_set,
    sum_losses,
)
from finetune.sequences import Encoder, tokenise
from finetune.tokenizer import CodeTokenizer

VOCABULARY = 300


class Uniform(torch.nn.Module):
    """Finds every token equally likely: each costs ln 300."""

    def __init__(self):
        super().__init__()
        self.anything = torch.nn.Parameter(torch.zeros(1))

    def forward(self, input_ids, position_ids, use_cache):
        return SimpleNamespace(logits=torch.zeros(*input_ids.shape, VOCABULARY))


class ByPosition(Uniform):
    """Finds id 0 likelier the further a token stands from the start of its document."""

    def forward(self, input_ids, position_ids, use_cache):
        logits = torch.zeros(*input_ids.shape, VOCABULARY)
        logits[..., 0] = position_ids / 10
        return SimpleNamespace(logits=logits)


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer) -> CodeTokenizer:
    return CodeTokenizer(tiny_tokenizer)


def documents(count=20, source=0):
    return [
        Document(
            text=f"def g_{index}(value):\n    return value * {index}\n" * (1 + index % 3),
            path=f"{index}.py",
            repo="r",
            language="python",
            source=source,
        )
        for index in range(count)
    ]


def one(text):
    return [Document(text=text, path="a.py", repo="r", language="python")]


def set_of(docs, layout, tokenizer, length=64, max_tokens=10_000):
    return measuring_set(tokenise(docs, Encoder(tokenizer)), layout, length, max_tokens)


def test_a_uniform_model_loses_the_logarithm_of_its_vocabulary(tokenizer):
    for layout in LAYOUTS:
        measured = measure(Uniform(), set_of(documents(), layout, tokenizer), 4)
        assert measured.loss == pytest.approx(math.log(VOCABULARY))


def test_left_to_right_every_token_but_the_first_of_a_document_counts(tokenizer):
    text = "x = yz\n"
    tokens = len(tokenizer.encode(text))
    measured = measure(Uniform(), set_of(one(text), "left_to_right", tokenizer), 1)
    assert measured.tokens == tokens + 1 - 1  # with its end, without its first
    assert measured.nats == pytest.approx(tokens * math.log(VOCABULARY), rel=1e-6)


def test_left_to_right_the_bytes_of_the_first_token_are_not_counted(tokenizer):
    assert len(tokenizer.encode("#")) == 1
    assert set_of(one("# é日\n"), "left_to_right", tokenizer).bytes == 1 + 2 + 3 + 1


def test_bits_per_byte_by_hand(tokenizer):
    assert Measured(nats=8 * math.log(2), tokens=3, bytes=4).bits_per_byte == 2.0


@pytest.mark.parametrize("layout", ["psm", "spm"])
def test_in_an_infilling_layout_only_middles_and_their_ends_count(tokenizer, layout):
    measured = set_of(documents(), layout, tokenizer)
    tokens = size = 0
    for block in measured.blocks:
        for placed in block.placed:
            cut, (start, end) = placed.cut, placed.segment
            text = documents()[placed.turn.document].text[start:end]
            middle = text[cut.prefix_end : cut.middle_end]
            tokens += len(tokenizer.encode(middle)) + 1
            size += len(middle.encode())
    assert measured.bytes == size
    assert measure(Uniform(), measured, 4).tokens == tokens > 50


@pytest.mark.parametrize(
    ("layout", "expected"), [("left_to_right", {None}), ("psm", {"psm"}), ("spm", {"spm"})]
)
def test_a_set_holds_its_layout_alone(tokenizer, layout, expected):
    cuts = [
        placed.cut
        for block in set_of(documents(), layout, tokenizer).blocks
        for placed in block.placed
    ]
    assert {cut and cut.layout for cut in cuts} == expected


def test_psm_and_spm_are_measured_on_the_same_cuts(tokenizer):
    def cuts(layout):
        blocks = set_of(documents(), layout, tokenizer, length=512).blocks
        placed = [one for block in blocks for one in block.placed]
        texts = [document.text for document in documents()]
        return {
            one.turn: (one.cut.prefix_end, one.cut.middle_end)
            for one in placed
            if one.segment == (0, len(texts[one.turn.document]))
        }

    psm, spm = cuts("psm"), cuts("spm")
    shared = psm.keys() & spm.keys()
    assert len(shared) > 10
    assert {key: psm[key] for key in shared} == {key: spm[key] for key in shared}


def test_each_document_is_measured_once(tokenizer):
    segments = [
        placed.segment
        for block in set_of(documents(), "left_to_right", tokenizer).blocks
        for placed in block.placed
    ]
    assert sum(end - start for start, end in segments) == sum(
        len(document.text) for document in documents()
    )


def test_the_number_of_blocks_is_limited_by_tokens(tokenizer):
    assert len(set_of(documents(), "psm", tokenizer, max_tokens=3 * 64 + 63).blocks) == 3


def test_at_least_one_block_is_measured(tokenizer):
    assert len(set_of(documents(), "psm", tokenizer, max_tokens=1).blocks) == 1


def test_a_set_is_the_same_every_time(tokenizer):
    first, second = (set_of(documents(), "psm", tokenizer) for _ in range(2))
    pairs = zip(first.blocks, second.blocks, strict=True)
    assert all((a.input_ids == b.input_ids).all() for a, b in pairs)
    assert first.bytes == second.bytes


def test_held_out_code_of_any_source_is_measured(tokenizer):
    assert len(set_of(documents(source=3), "left_to_right", tokenizer).blocks) > 1


def test_the_loss_does_not_depend_on_the_micro_batch(tokenizer):
    measured = set_of(documents(), "left_to_right", tokenizer)
    losses = [measure(ByPosition(), measured, micro_batch).loss for micro_batch in (1, 3, 100)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-6)
    assert losses[0] != pytest.approx(math.log(VOCABULARY), rel=1e-3)


def test_a_blank_block_adds_no_loss_and_no_token(tokenizer):
    blocks = set_of(documents(), "psm", tokenizer).blocks
    nats, tokens = sum_losses(ByPosition(), blocks, 2)
    with_blanks = sum_losses(ByPosition(), [*blocks, blank(blocks[0]), blank(blocks[1])], 2)
    assert with_blanks == (pytest.approx(nats), tokens)


def test_measurements_add_up():
    total = Measured(2.0, 4, 8) + Measured(1.0, 2, 16)
    assert total == Measured(3.0, 6, 24)
    assert total.loss == 0.5


def test_nothing_measured_is_not_a_loss_of_zero():
    assert math.isnan(Measured(0.0, 0, 0).loss)
    assert math.isnan(Measured(0.0, 0, 0).bits_per_byte)
