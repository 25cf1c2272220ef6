"""The next token: nucleus and draw, against transformers' own and by hand."""

import random
from itertools import islice

import pytest
import torch
from transformers import TemperatureLogitsWarper, TopPLogitsWarper

from finetune.errors import UserError
from finetune.generation.choice import choose, nucleus
from finetune.generation.sampling import Sampling, seed_of, uniforms

QUARTERS = torch.tensor([[0.25, 0.5, 0.125, 0.125]]).log()


@pytest.mark.parametrize(
    ("draw", "token"),
    [(0.0, 0), (0.2499, 0), (0.2501, 1), (0.7499, 1), (0.7501, 2), (0.8749, 2), (0.9999, 3)],
)
def test_a_draw_picks_by_cumulative_probability_in_order_of_ids(draw, token):
    assert choose(QUARTERS, [draw], 1.0, 1.0) == [token]


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [
        (0.4, [1]),
        (0.499, [1]),
        (0.51, [0, 1]),
        (0.7499, [0, 1]),
        (0.76, [0, 1, 2]),
        (1.0, [0, 1, 2, 3]),
    ],
)
def test_the_nucleus_is_the_fewest_likeliest_that_reach_top_p(top_p, kept):
    chances = nucleus(torch.tensor([[0.25, 0.5, 0.125, 0.125]]), top_p)
    assert chances[0].nonzero()[:, 0].tolist() == kept


def test_a_draw_just_below_one_never_leaves_the_nucleus():
    logits = torch.randn(400, 50, generator=torch.Generator().manual_seed(0))
    picked = choose(logits, [1 - 2**-53] * 400, 1.0, 0.9)
    kept = nucleus(torch.softmax(logits.double(), -1), 0.9) > 0
    assert picked == [int(row.nonzero().max()) for row in kept]


def test_rows_are_chosen_each_for_itself():
    logits = torch.tensor([[0.0, 9.0, 0.0], [9.0, 0.0, 0.0], [0.0, 0.0, 9.0]])
    assert choose(logits, [0.5] * 3, 0.0, 1.0) == choose(logits, [0.5] * 3, 1.0, 0.9) == [1, 0, 2]


@pytest.mark.parametrize("top_p", [0.05, 0.3, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("temperature", [0.2, 1.0, 1.7])
def test_nucleus_and_temperature_are_those_of_transformers(temperature, top_p):
    logits = torch.randn(40, 300, generator=torch.Generator().manual_seed(0)) * 3
    warped = TopPLogitsWarper(top_p)(None, TemperatureLogitsWarper(temperature)(None, logits))
    ours = nucleus(torch.softmax(logits.double() / temperature, -1), top_p)
    assert torch.equal(ours > 0, warped > -torch.inf)
    expected = torch.softmax(warped.double(), -1)
    torch.testing.assert_close(ours / ours.sum(-1, keepdim=True), expected, atol=1e-6, rtol=0)


def test_draws_follow_the_probabilities():
    """20000 draws; four standard deviations are 0.0141 at most."""
    numbers = list(islice(uniforms(1), 20000))
    picked = choose(QUARTERS.expand(20000, -1), numbers, 1.0, 1.0)
    shares = torch.bincount(torch.tensor(picked), minlength=4) / 20000
    torch.testing.assert_close(shares, torch.tensor([0.25, 0.5, 0.125, 0.125]), atol=0.0142, rtol=0)


def test_numbers_are_pythons_own_and_keyed_by_every_part():
    assert list(islice(uniforms(7), 2)) == [random.Random(7).random(), pytest.approx(0.15084917392)]
    seeds = {
        seed_of(0, "a", "b", 0),
        seed_of(1, "a", "b", 0),
        seed_of(0, "c", "b", 0),
        seed_of(0, "a", "c", 0),
        seed_of(0, "a", "b", 1),
        seed_of(0, "a\0b", "", 0),
    }
    assert len(seeds) == 6
    assert max(seeds) < 2**128


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"max_new_tokens": 0},
        {"max_length": 0},
        {"samples": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(wrong):
    (name,) = wrong
    with pytest.raises(UserError, match=f"{name}: .* is not "):
        Sampling(**wrong)


@pytest.mark.parametrize(
    ("limits", "room"),
    [
        ({"max_new_tokens": 25}, 25),
        ({"max_length": 30}, 20),
        ({"max_new_tokens": 25, "max_length": 30}, 20),
        ({"max_new_tokens": 99}, 54),
        ({"max_length": 8}, -2),
    ],
)
def test_the_nearest_limit_holds(limits, room):
    assert Sampling(**limits).room(10, 64) == room


def test_without_any_limit_it_is_asked_for():
    with pytest.raises(UserError, match="max_new_tokens or max_length"):
        Sampling().room(10)
