"""Parts of the weights, activation checkpointing, and what a base must fit before it is trained."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from finetune.errors import UserError
from finetune.models.forward import collate, token_losses
from finetune.models.tunable import tunable_model, tuning_facts
from finetune.recipe.schema import Full, Lora, Train
from finetune.sequences import Block
from finetune.training.optimizer import make_optimizer
from finetune.training.weights import gather_trainable, save_model

PLAIN = Train(tokens=1, precision="fp32")
LAST = Full(method="full", trainable=("*.h.1.*", "*ln_f*"))


def block_of(lengths, seed=0):
    ids = np.random.default_rng(seed).integers(19, 300, sum(lengths))
    labels = ids.copy()
    labels[np.cumsum([0, *lengths[:-1]])] = -100
    positions = np.concatenate([np.arange(one) for one in lengths])
    return Block(ids, labels, positions, ())


def a_step(model, batch):
    """Losses and gradients, dropout drawn from the same state every time."""
    torch.manual_seed(3)
    model.zero_grad(set_to_none=True)
    losses = token_losses(model, batch)
    losses.sum().backward()
    return losses.detach(), {
        n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None
    }


def test_patterns_choose_what_trains_and_nothing_else_gets_a_gradient(small_folder):
    model = tunable_model(small_folder, LAST, PLAIN)
    names = {n for n, p in model.named_parameters() if p.requires_grad}
    assert names == {n for n, _ in model.named_parameters() if ".h.1." in n or "ln_f" in n}
    _, gradients = a_step(model, collate([block_of([20, 12])]))
    assert set(gradients) == names
    facts = tuning_facts(model)
    assert facts["trainable_parameters"] == sum(g.numel() for g in gradients.values())
    assert "adapted_modules" not in facts


def test_a_partly_trained_model_is_saved_whole(small_folder, tmp_path):
    model = tunable_model(small_folder, LAST, PLAIN)
    optimizer = make_optimizer(model, PLAIN)
    a_step(model, collate([block_of([20, 12])]))
    optimizer.step()
    save_model(model, gather_trainable(model, keep=True, frozen=True), tmp_path / "model")
    before = load_file(small_folder / "model.safetensors")
    after = load_file(tmp_path / "model" / "model.safetensors")
    assert after.keys() == before.keys()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {name for name in after if ".h.1." in name or "ln_f" in name}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("*.h.7.*", r"`\*\.h\.7\.\*` matches no weight of the base; its names are like"),
        ("transformer.ln_f.wieght", r"its names are like transformer\.ln_f\.weight"),
        ("lm_head*", r"tied to the input's.*write `transformer\.wte\.weight`"),
    ],
)
def test_a_pattern_that_matches_nothing_is_a_mistake(small_folder, pattern, message):
    with pytest.raises(UserError, match=message):
        tunable_model(small_folder, Full(method="full", trainable=("*ln_f*", pattern)), PLAIN)


def test_tokens_without_rows_in_the_embedding_are_a_mistake(small_folder, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(small_folder, folder)
    file = folder / "tokenizer.json"
    parsed = json.loads(file.read_text())
    parsed["added_tokens"].append({**parsed["added_tokens"][-1], "id": 300, "content": "<mine>"})
    file.write_text(json.dumps(parsed))
    message = "base: its tokenizer has 301 ids and its embedding 300 rows"
    with pytest.raises(UserError, match=re.escape(message)):
        tunable_model(folder, Lora(method="lora"), PLAIN)


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_what_trains_is_in_fp32_and_what_does_not_in_the_type_of_the_arithmetic(
    small_folder, precision, dtype
):
    train = Train(tokens=1, precision=precision)
    for tune in (Full(method="full"), LAST, Lora(method="lora"), Lora(method="dora")):
        model = tunable_model(small_folder, tune, train)
        kinds = {True: set(), False: set()}
        for parameter in model.parameters():
            kinds[parameter.requires_grad].add(parameter.dtype)
        assert kinds[True] == {torch.float32}
        frozen = {dtype} if isinstance(tune, Lora) else {torch.float32}
        assert kinds[False] <= frozen  # part of the weights: saved as exactly as the base's


METHODS = {
    "full": Full(method="full"),
    "part": LAST,
    "lora": Lora(method="lora", rank=4, initial="gaussian", dropout=0.1),
    "dora": Lora(method="dora", rank=4),
}


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("tune", METHODS.values(), ids=METHODS)
def test_checkpointed_activations_change_neither_losses_nor_gradients(small_folder, tune, dropout):
    plain = Train(tokens=1, precision="fp32", dropout=dropout)
    saving = plain.model_copy(update={"activation_checkpointing": True})
    batch = collate([block_of([20, 12]), block_of([32], seed=1)])
    losses, gradients = a_step(tunable_model(small_folder, tune, plain), batch)
    again, of_them = a_step(tunable_model(small_folder, tune, saving), batch)
    assert torch.equal(losses, again)
    assert gradients.keys() == of_them.keys()
    for name, gradient in gradients.items():
        assert torch.allclose(of_them[name], gradient, rtol=0, atol=1e-6), name


@pytest.mark.parametrize("tune", [METHODS["full"], METHODS["lora"]], ids=["full", "lora"])
def test_checkpointed_activations_are_fewer(small_folder, tune):
    def kept(checkpointing):
        train = Train(tokens=1, precision="fp32", activation_checkpointing=checkpointing)
        model, sizes = tunable_model(small_folder, tune, train), []
        own = {parameter.data_ptr() for parameter in model.parameters()}

        def pack(tensor):
            if tensor.data_ptr() not in own:
                sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            token_losses(model, collate([block_of([32])]))
        return sum(sizes)

    assert kept(True) < kept(None) / 3


def test_documents_stay_apart_under_checkpointing(small_folder):
    """The second document's losses, and what it teaches, are those it has without the first."""
    saving = PLAIN.model_copy(update={"activation_checkpointing": True})
    model = tunable_model(small_folder, METHODS["full"], saving)
    block, other = block_of([20, 12]), block_of([20, 12], seed=5)
    ids = block.input_ids.copy()
    ids[:20] = other.input_ids[:20]
    labels = block.labels.copy()
    labels[:20] = -100
    one = Block(block.input_ids, labels, block.position_ids, ())
    two = Block(ids, labels, block.position_ids, ())
    losses, gradients = a_step(model, collate([one]))
    again, of_them = a_step(model, collate([two]))
    assert torch.allclose(losses, again, atol=1e-6)
    for name, gradient in gradients.items():
        if "wte" not in name:
            assert torch.allclose(of_them[name], gradient, atol=1e-5), name


def test_decay_is_for_matrices_alone(small_folder):
    train = Train(tokens=1, precision="fp32", weight_decay=0.3)
    dora = Lora(method="dora", rank=4, targets=("c_fc",))
    model = tunable_model(small_folder, dora, train)
    names = {id(p): n for n, p in model.named_parameters()}
    decayed, plain = make_optimizer(model, train).param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)
    assert {names[id(p)].split(".")[-3] for p in decayed["params"]} == {"lora_A", "lora_B"}
    assert {names[id(p)].split(".")[-3] for p in plain["params"]} == {"lora_magnitude_vector"}
    full = tunable_model(small_folder, METHODS["full"], train)
    names = {id(p): n for n, p in full.named_parameters()}
    decayed, plain = make_optimizer(full, train).param_groups
    assert all("ln_" not in names[id(p)] and "bias" not in names[id(p)] for p in decayed["params"])
    assert all("ln_" in names[id(p)] or "bias" in names[id(p)] for p in plain["params"])
