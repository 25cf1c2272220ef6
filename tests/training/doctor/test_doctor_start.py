"""Training begins at the base: adapters that begin at zero, and those that begin in the weights."""

import pytest
import torch

import finetune.models.tunable as tunable


@pytest.mark.parametrize("initial", ["pissa", "olora"])
def test_adapters_that_take_part_of_the_weights_add_up_to_them(initial, doctor):
    found = doctor(f"tune={{method: lora, rank: 4, alpha: 8, initial: {initial}}}")
    assert found.message is None
    assert "add up to the base's within" in found.findings["start"]["what"]


@pytest.fixture
def attached(monkeypatch):
    """`attached(change)`: adapters as `change` leaves them."""
    add_lora = tunable.add_lora

    def plant(change):
        def add(*arguments):
            model = add_lora(*arguments)
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    if "lora_B" in name:
                        change(weight)
            return model

        monkeypatch.setattr(tunable, "add_lora", add)

    return plant


def test_adapters_that_do_not_begin_at_zero(attached, doctor):
    attached(lambda weight: weight.add_(0.02))
    found = doctor()
    assert found.faults == {"start"}
    assert found.findings["start"]["cause"] == "adapters do not begin at zero"


def test_a_principal_part_that_is_lost(attached, doctor):
    attached(lambda weight: weight.mul_(0.9))
    found = doctor("tune={method: lora, rank: 4, alpha: 8, initial: pissa}")
    assert found.faults == {"start"}
