"""How many weights a method trains, against PEFT and against the model that training makes."""

import pytest
from plan_models import small_gpt_bigcode, small_starcoder2

from finetune.errors import UserError
from finetune.models.adapters import add_lora
from finetune.models.tunable import train_only
from finetune.planning import architecture_of, tuning_of
from finetune.recipe.schema import Full, Lora

MODELS = {"gpt_bigcode": small_gpt_bigcode, "starcoder2": small_starcoder2}


def trained(model):
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize(
    "how",
    [
        {"method": "lora", "rank": 4},
        {"method": "lora", "rank": 7},
        {"method": "dora", "rank": 4},
        {"method": "lora", "rank": 4, "targets": ("c_proj",)},
        {"method": "lora", "rank": 4, "initial": "gaussian", "rank_stabilised": True},
    ],
)
def test_adapters_are_as_many_as_peft_makes(family, how):
    model, lora = MODELS[family](), Lora(**how)
    architecture = architecture_of(model.config.to_dict())
    assert tuning_of(lora, architecture).trained == trained(add_lora(model, lora, 0))


@pytest.mark.parametrize(
    "patterns", [("*.h.1.*",), ("*ln_f*", "*.c_fc.weight"), ("transformer.wte.weight",), ("*",)]
)
def test_parts_are_as_many_as_training_leaves_trainable(patterns):
    model = small_gpt_bigcode()
    tuning = tuning_of(
        Full(method="full", trainable=patterns), architecture_of(model.config.to_dict())
    )
    train_only(model, patterns)
    assert tuning.trained == trained(model) > 0


def test_adapters_of_the_15b_at_rank_16_worked_out_by_hand(known):
    """A block: 16 x ((6144 + 6400) + (6144 + 6144) + 2 x (6144 + 24576)) = 1,380,352."""
    tuning = tuning_of(Lora(method="lora", rank=16), known("starcoderbase"))
    assert tuning.trained == 40 * 1_380_352 == 55_214_080


def test_qlora_quantises_the_matrices_of_blocks_and_nothing_else(known):
    """Embeddings, biases, norms stay: 1,137,207,296 - 2048 x (49152 + 8192) - 24 x (2304 + 2048 +
    8192 + 2048 + 4 x 2048) - 2 x 2048 = 1,019,215,872 = 24 x (10 x 2048^2 + 256 x 2048)."""
    tuning = tuning_of(Lora(method="qlora"), known("starcoderbase-1b"))
    assert tuning.quantised == 24 * (10 * 2048**2 + 256 * 2048) == 1_019_215_872


def test_nothing_flows_below_the_lowest_trained_block(known):
    tuning = tuning_of(Full(method="full", trainable=("*.h.20.*",)), known("starcoderbase-1b"))
    assert (tuning.lowest, tuning.reaches_embeddings, tuning.trains_head) == (20, False, False)


def test_a_trained_embedding_is_the_head_and_reaches_down(known):
    tuning = tuning_of(Full(method="full", trainable=("*wte*",)), known("starcoderbase-1b"))
    assert (tuning.lowest, tuning.reaches_embeddings, tuning.trains_head) == (0, True, True)


def test_a_pattern_without_a_match_is_refused(known):
    with pytest.raises(UserError, match=r"tune.trainable: `\*\.h\.99\.\*` matches no weight"):
        tuning_of(Full(method="full", trainable=("*.h.99.*",)), known("starcoderbase-1b"))


def test_a_target_without_a_match_is_refused(known):
    with pytest.raises(UserError, match=r"tune.targets: q_proj matches no module of the base"):
        tuning_of(Lora(method="lora", targets=("q_proj",)), known("starcoderbase-1b"))


def test_an_adapter_on_a_tied_embedding_is_refused_for_its_merge(known):
    with pytest.raises(UserError, match=r"tune.targets: .*lm_head breaks the model when merged"):
        tuning_of(Lora(method="lora", targets=("lm_head",)), known("starcoderbase-1b"))


@pytest.mark.parametrize(
    ("name", "target"), [("starcoder2-15b", "lm_head"), ("starcoderbase-1b", "wpe")]
)
def test_an_adapter_on_another_embedding_is_not_planned_and_says_what_to_do(known, name, target):
    with pytest.raises(UserError, match=f"adapter on {target} cannot be planned; .*micro_batch"):
        tuning_of(Lora(method="lora", targets=("c_fc", target)), known(name))
