import pytest

from finetune.evaluation.chance import Contrast, contrast_of, interval_of, points, probability


def contrast(difference, low, high, p_value):
    return Contrast(difference=difference, low=low, high=high, p_value=p_value)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (contrast(0.09, 0.04, 0.14, 0.001), "better"),
        (contrast(-0.09, -0.14, -0.04, 0.001), "worse"),
        (contrast(0.04, -0.01, 0.09, 0.08), "within chance"),
        (contrast(0.04, -0.01, 0.09, 0.001), "within chance"),  # the interval holds 0
        (contrast(0.04, 0.01, 0.09, 0.06), "within chance"),  # the test does not agree
        (contrast(0.04, 0.01, 0.09, 0.05), "within chance"),
        (contrast(0.04, 0.0, 0.09, 0.01), "within chance"),
        (contrast(-0.04, 0.01, 0.09, 0.01), "within chance"),  # contradicts itself
        (contrast(0.04, None, None, 0.01), "chance not assessed"),
        (contrast(0.04, 0.01, 0.09, None), "chance not assessed"),
    ],
)
def test_only_what_interval_and_test_both_prove_is_claimed(found, verdict):
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            contrast(0.091, 0.04, 0.142, 0.0012),
            "better by 9.1 points (95%: 4.0 to 14.2; p = 0.0012): beyond chance",
        ),
        (
            contrast(-0.091, -0.142, -0.04, 1e-9),
            "worse by 9.1 points (95%: −14.2 to −4.0; p < 0.001): beyond chance",
        ),
        (
            contrast(0.04, -0.01, 0.09, 0.08),
            "4.0 points higher (95%: −1.0 to 9.0; p = 0.08): within chance",
        ),
        (
            contrast(-0.04, -0.09, 0.01, 0.08),
            "4.0 points lower (95%: −9.0 to 1.0; p = 0.08): within chance",
        ),
        (
            contrast(0.0, -0.01, 0.01, 1.0),
            "no difference (95%: −1.0 to 1.0; p = 1): within chance",
        ),
        (Contrast(difference=0.04), "4.0 points higher: chance not assessed"),
    ],
)
def test_a_comparison_in_words(found, sentence):
    assert found.sentence == sentence


def test_a_bound_beside_zero_keeps_its_sign():
    assert [points(share) for share in (0.0004, -0.0004, 0.0, 0.25)] == [
        "0.04",
        "−0.04",
        "0.0",
        "25.0",
    ]


def test_no_p_value_is_shown_as_zero():
    assert [probability(p) for p in (0.0, 0.0009, 0.001, 0.0481, 1.0)] == [
        "p < 0.001",
        "p < 0.001",
        "p = 0.001",
        "p = 0.048",
        "p = 1",
    ]


def test_a_comparison_is_read_from_scores():
    values = {"difference": 0.5, "interval": [0.25, 0.75], "p_value": 0.01, "wins": 3, "losses": 1}
    assert contrast_of(values) == Contrast(
        difference=0.5, low=0.25, high=0.75, p_value=0.01, wins=3, losses=1
    )


@pytest.mark.parametrize(
    "values", [None, [], "better", {}, {"difference": None}, {"difference": float("nan")}]
)
def test_what_states_no_difference_is_no_comparison(values):
    assert contrast_of(values) is None


@pytest.mark.parametrize("value", [None, [0.1], [0.1, None], [0.1, float("inf")], "0.1, 0.2"])
def test_half_an_interval_is_none(value):
    assert interval_of(value) is None
