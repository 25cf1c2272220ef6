"""Ids that settings name, against the rows of an embedding."""

from types import SimpleNamespace

import pytest

from finetune.models.special_ids import ids_without_row


def settings(**ids):
    return SimpleNamespace(bos_token_id=None, **ids)


@pytest.mark.parametrize("ids", [[64, 0], [0, 64], 64, -1])
def test_every_id_of_a_list_is_looked_at(ids):
    wrong = -1 if ids == -1 else 64
    told = f"is {wrong}, and the embedding has 64 rows"
    assert ids_without_row(settings(eos_token_id=ids), None, 64) == [f"config.eos_token_id {told}"]
    found = ids_without_row(settings(), settings(eos_token_id=ids), 64)
    assert found == [f"generation.eos_token_id {told}"]


def test_ids_of_the_vocabulary_are_no_problem():
    good = settings(eos_token_id=[0, 63], pad_token_id=None)
    assert ids_without_row(good, good, 64) == []


def test_what_is_no_id_is_told():
    (found,) = ids_without_row(settings(eos_token_id="x"), None, 64)
    assert found == "config.eos_token_id is 'x', and the embedding has 64 rows"
