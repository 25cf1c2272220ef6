"""The choice: what the recipe fixes stays, the fastest fits, and more memory never hurts."""

from dataclasses import replace
from itertools import pairwise

import pytest

from finetune.errors import UserError
from finetune.planning import changes, choose, misfit
from finetune.planning.choice import TOKENS_PER_PASS
from finetune.recipe.schema import Full, Lora

GIB = 2**30
LORA = Lora(method="lora")
SIZES = [2, 3, *range(4, 180, 2)]
"""GiB"""


def test_no_checkpointing_where_that_fits(ask):
    plan = choose(ask(tune=LORA))
    assert (plan.fits, plan.checkpointing) == (True, False)


def test_checkpointing_where_only_that_fits(ask):
    plan = choose(ask("starcoderbase-7b", tune=LORA, memory=24 * GIB, length=8192, blocks=8))
    assert (plan.fits, plan.checkpointing) == (True, True)


def test_passes_are_no_larger_than_pays(ask):
    plan = choose(ask(tune=LORA, memory=1000 * GIB, length=512, blocks=1024))
    assert 0.3 * TOKENS_PER_PASS <= plan.micro_batch * 512 <= TOKENS_PER_PASS


def test_micro_batch_and_accumulation_make_the_batch(ask):
    plan = choose(ask(tune=LORA, engine="ddp", processes=4, blocks=48))
    assert plan.micro_batch * plan.accumulation * 4 == 48


def test_what_the_recipe_fixes_stays(ask):
    plan = choose(ask(tune=LORA, micro_batch=1, checkpointing=True))
    assert (plan.micro_batch, plan.checkpointing) == (1, True)


def test_the_smallest_plan_is_told_where_none_fits(ask):
    plan = choose(ask("starcoderbase"))
    assert not plan.fits
    assert (plan.micro_batch, plan.checkpointing) == (1, True)
    assert plan.memory.total > plan.capacity


@pytest.mark.parametrize(
    "changed",
    [
        {"tune": LORA},
        {"tune": LORA, "length": 512, "blocks": 256},
        {"tune": LORA, "name": "starcoderbase-7b", "length": 8192},
        {"tune": Lora(method="qlora"), "name": "starcoderbase-3b"},
        {"engine": "zero3", "processes": 8, "name": "starcoderbase-7b"},
        {"tune": Full(method="full"), "name": "starcoder2-3b"},
        {"tune": LORA, "checkpointing": True, "length": 256, "blocks": 512},
        {"tune": LORA, "checkpointing": False, "length": 256, "blocks": 512},
    ],
)
def test_more_memory_never_makes_it_worse(changed, ask):
    """Never a plan that fits no more, never checkpointing turned on, and never smaller passes as
    long as checkpointing is what it was."""
    plans = [choose(ask(**changed, memory=gib * GIB)) for gib in SIZES]
    assert {plan.fits for plan in plans} == {False, True}, "else this test looks at one side alone"
    for less, more in pairwise(plans):
        assert more.fits >= less.fits
        if less.fits:
            assert more.checkpointing <= less.checkpointing
            if more.checkpointing == less.checkpointing:
                assert more.micro_batch >= less.micro_batch


def test_a_batch_that_cannot_be_shared_is_refused(ask):
    with pytest.raises(UserError, match="64 blocks of 2048 tokens cannot be shared evenly by 7"):
        choose(ask(engine="ddp", processes=7))


def test_a_micro_batch_that_does_not_divide_is_refused(ask):
    with pytest.raises(UserError, match=r"train\.micro_batch: 3 does not divide the 64 blocks"):
        choose(ask(micro_batch=3))


def keys(request):
    return [change.keys for change in changes(request)]


def test_nothing_is_to_change_where_it_fits(ask):
    assert changes(ask(tune=LORA)) == []


def test_the_first_change_is_what_the_recipe_forbids_for_nothing(ask):
    request = ask("starcoderbase-7b", tune=LORA, memory=24 * GIB, length=8192, blocks=8)
    assert keys(replace(request, checkpointing=False))[0] == {
        "train.activation_checkpointing": True
    }
    wide = replace(request, checkpointing=True, micro_batch=8)
    assert keys(wide)[0] == {"train.micro_batch": 1}


def test_changes_come_in_order_of_cost_and_every_one_fits(ask):
    request = ask("starcoderbase-7b", engine="ddp", processes=8)
    found = changes(request)
    assert [change.keys for change in found[:4]] == [
        {"engine": "zero1"},
        {"engine": "zero2"},
        {"engine": "zero3"},
        {"engine": "zero3_offload"},
    ] or [change.keys for change in found[:3]] == [
        {"engine": "zero2"},
        {"engine": "zero3"},
        {"engine": "zero3_offload"},
    ]
    methods = [change.keys["tune"]["method"] for change in found if "tune" in change.keys]
    assert methods == ["lora", "qlora"]
    for change in found:
        assert change.plan.fits
        assert change.plan.memory.total <= change.plan.capacity


def test_a_change_is_what_choose_says_of_the_changed_recipe(ask):
    request = ask("starcoderbase", engine="zero3", processes=4, memory=40 * GIB, length=8192)
    found = {tuple(change.keys): change for change in changes(request)}
    more = found["gpus", "engine"]
    again = replace(request, processes=more.keys["gpus"], engine=more.keys["engine"])
    assert choose(again) == more.plan
    half = replace(request, processes=more.keys["gpus"] // 2, engine=more.keys["engine"])
    assert not choose(half).fits, "else fewer GPUs would do"


def test_shorter_blocks_keep_the_tokens_of_a_batch(ask):
    request = ask("starcoderbase-3b", tune=LORA, memory=10 * GIB, length=8192, blocks=16)
    change = next(one for one in changes(request) if "sequences.length" in one.keys)
    blocks = request.blocks * 8192 // change.keys["sequences.length"]
    assert change.plan.micro_batch * change.plan.accumulation == blocks


def test_weights_in_4_bits_are_not_shared_out(ask):
    request = ask("starcoderbase", engine="zero3", processes=4, memory=20 * GIB, length=8192)
    quantised = [
        one.keys for one in changes(request) if one.keys.get("tune") == {"method": "qlora"}
    ]
    assert quantised == [{"tune": {"method": "qlora"}, "engine": "ddp"}]


def test_a_change_reads_as_keys_of_the_recipe(ask):
    request = ask("starcoderbase-7b", memory=40 * GIB, micro_batch=8)
    sentences = [change.sentence for change in changes(request)]
    assert any(
        one.startswith("tune: {method: lora}, train.micro_batch: ") for one in sentences
    ) or any(one.startswith("tune: {method: lora} (") for one in sentences)


def test_a_misfit_is_told_with_the_cheapest_remedy(ask):
    request = ask("starcoderbase-7b", tune=LORA, memory=24 * GIB, length=8192, checkpointing=False)
    message = misfit(request, choose(request))
    assert message.startswith("train: needs ")
    assert "set train.activation_checkpointing: true (compute activations twice)" in message


def test_a_misfit_without_remedy_asks_for_a_smaller_base(ask):
    request = ask("starcoderbase", tune=Lora(method="qlora"), memory=2 * GIB, blocks=1, length=512)
    assert "take a smaller base" in misfit(request, choose(request))
