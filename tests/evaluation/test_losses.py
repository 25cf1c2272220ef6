"""Totals are of the languages that were trained on; the others stand by themselves."""

from finetune.evaluation.losses import loss_scores
from finetune.models.measure import Measured


def both(losses):
    return {"base": losses, "tuned": losses}


def one(nats, tokens):
    return {"left_to_right": Measured(nats, tokens, 2 * tokens)}


LOSSES = both({"c": one(10.0, 10), "python": one(60.0, 20), "ruby": one(900.0, 100)})


def test_languages_that_were_brought_are_in_no_total():
    found = loss_scores(LOSSES, {"c", "python"}, {"ruby"})
    assert found["losses"]["tuned"] == {"left_to_right": round(70 / 30, 6)}
    assert found["losses_by_language"]["ruby"]["base"] == {"left_to_right": 9.0}
    assert found["trained_languages"] == ["c", "python"]


def test_a_language_that_is_held_out_alone_is_in_no_total():
    found = loss_scores(LOSSES, {"python"}, ())
    assert found["losses"]["tuned"] == {"left_to_right": 3.0}


def test_where_no_trained_language_is_held_out_all_of_the_run_s_own_are_the_total():
    found = loss_scores(LOSSES, {"go"}, {"ruby"})
    assert found["losses"]["tuned"] == {"left_to_right": round(70 / 30, 6)}


def test_bits_per_byte_are_told_by_language_too():
    found = loss_scores(both({"c": one(8 * 0.6931471805599453, 2)}), {"c"}, ())
    assert found["bits_per_byte_by_language"]["c"]["tuned"] == {"left_to_right": 2.0}
