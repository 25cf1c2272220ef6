"""Losses by layout, pairs of attention and utilisation, worked out by hand."""

import numpy as np
import pytest
import torch

from finetune.sequences.block import Block, Placed
from finetune.sequences.order import Turn
from finetune.sequences.segment import IGNORED, Cut
from finetune.training.meter import Speed, Tally, Totals, layout_numbers


def placed(start, end, layout=None):
    cut = Cut(layout, 0, 0) if layout else None
    return Placed(Turn(0, 0), (0, 0), cut, (), start, end)


@pytest.fixture
def block():
    """Three documents of 3, 2 and 2 tokens, and one of padding; documents start without label."""
    return Block(
        input_ids=np.arange(8),
        labels=np.array([IGNORED, 1, 2, IGNORED, 4, IGNORED, 6, IGNORED]),
        position_ids=np.array([0, 1, 2, 0, 1, 0, 1, 0]),
        placed=(placed(0, 3), placed(3, 5, "psm"), placed(5, 7, "spm_v1")),
    )


def test_a_place_has_the_layout_of_the_token_that_it_predicts(block):
    assert layout_numbers([block]).tolist() == [[0, 0, 1, 1, 2, 2, 0]]


def test_losses_and_labels_are_added_up_by_layout(block):
    tally = Tally("cpu")
    losses = torch.tensor([[0.5, 1.5, 0.0, 3.0, 0.0, 5.0, 0.0]])
    tally.add([block], losses)
    tally.add([block], losses)
    totals = Totals.of(tally.vector().tolist())
    assert totals.losses() == {"left_to_right": 1.0, "psm": 3.0, "spm": 5.0}
    assert totals.labels == {"left_to_right": 4, "psm": 2, "spm": 2}
    assert totals.loss == pytest.approx((0.5 + 1.5 + 3.0 + 5.0) / 4)


def test_a_token_attends_to_itself_and_those_before_it_in_its_document(block):
    tally = Tally("cpu")
    tally.add([block], torch.zeros(1, 7))
    assert tally.pairs == (1 + 2 + 3) + (1 + 2) + (1 + 2) + 1


def test_a_layout_that_did_not_occur_has_no_loss():
    totals = Totals.of([2.0, 0.0, 0.0, 4.0, 0.0, 0.0, 1.0])
    assert totals.losses() == {"left_to_right": 0.5}


def test_utilisation_is_work_done_over_work_possible():
    speed = Speed(per_token=6e3, per_pair=10.0, peak=1e6)
    assert speed.utilisation(100, 40_000, 2.0) == pytest.approx((6e5 + 4e5) / 2e6)


def test_a_device_of_unknown_peak_has_no_utilisation():
    assert Speed(per_token=1.0, per_pair=1.0, peak=None).utilisation(1, 1, 1.0) is None
