"""What trains: exactly what the method says, and a gradient arrives at each of it."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor

from finetune.families import lora_targets
from finetune.models.forward import collate, num_labels, token_losses
from finetune.models.tunable import num_weights
from finetune.recipe.schema import Full, Lora
from finetune.training.doctor.finding import Finding, fault, ok
from finetune.training.doctor.stored import plain_name
from finetune.training.doctor.subject import Subject, without_dropout
from finetune.training.doctor.weights import inner_model
from finetune.training.masters import trained

CHECK = "trainable weights"
NAMED = 3


def trainable_weights(model: Any, tune: Lora | Full) -> Finding:
    """Whether what requires a gradient is what the method trains, all of it and nothing else."""
    is_trained = {name: p.requires_grad for name, p in model.named_parameters()}
    wanted = {name: _is_wanted(name, tune) for name in is_trained}
    frozen = [name for name, want in wanted.items() if want and not is_trained[name]]
    extra = [name for name, want in wanted.items() if not want and is_trained[name]]
    bare = _without_adapter(model, tune) if isinstance(tune, Lora) else []
    total = sum(num_weights(p) for p in model.parameters())
    count = sum(num_weights(p) for p in trained(model).values())
    if not frozen and not extra and not bare and count:
        share = f"{count:,} of {total:,} parameters train ({count / total:.2%})"
        return ok(CHECK, f"{share}: what {tune.method} trains")
    words = [
        f"{len(names)} {what}, such as {plain_name(names[0])}"
        for names, what in (
            (frozen, f"weights of {tune.method} are frozen"),
            (extra, "weights train that should be frozen"),
            (bare, "modules have no adapter that should have one"),
        )
        if names
    ]
    return fault(
        CHECK,
        "; ".join(words) or "no weight of the model is trainable",
        cause="something froze or thawed weights after the method was applied: the model's own "
        "code, or a library that attaches adapters for inference",
        remedy="load the base with transformers' own class (trust_remote_code: false), with the "
        "versions of constraints.txt",
    )


def _is_wanted(name: str, tune: Lora | Full) -> bool:
    if isinstance(tune, Lora):
        return ".lora_" in name
    return tune.trainable is None or any(fnmatchcase(name, one) for one in tune.trainable)


def _without_adapter(model: Any, lora: Lora) -> list[str]:
    targets = lora_targets(lora, inner_model(model).config.model_type) or ()
    return [
        name
        for name, module in model.named_modules()
        if name.rpartition(".")[2] in targets
        and hasattr(module, "weight")
        and not len(getattr(module, "lora_A", ()))
    ]


def gradients(subject: Subject) -> Finding:
    """Whether one backward pass brings a gradient to all that trains.

    Each weight tells of its gradient as it arrives and hands on zeros: what engines keep of a
    backward pass is then nothing, whatever they do with it. Every rank must call this.
    """
    trainer = subject.trainer
    weights = trained(trainer.accelerator.unwrap_model(trainer.model))
    arrived: dict[str, Tensor] = {}
    hooks = [weight.register_hook(_teller(name, arrived)) for name, weight in weights.items()]
    blocks = subject.blocks[: trainer.plan.micro_batch]
    labels = max(1, sum(map(num_labels, blocks)))
    with without_dropout(trainer.model):
        losses = token_losses(trainer.model, collate(blocks, trainer.accelerator.device))
        _backward(trainer, losses.sum() / labels)
    for hook in hooks:
        hook.remove()
    sizes = {name: float(arrived[name]) if name in arrived else 0.0 for name in weights}
    return _judged(sizes, isinstance(subject.recipe.tune, Lora))


def _teller(name: str, arrived: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
    def tell(gradient: Tensor) -> Tensor:
        size = gradient.detach().abs().max()  # ()
        arrived[name] = torch.maximum(size, arrived[name]) if name in arrived else size
        return torch.zeros_like(gradient)

    return tell


def _backward(trainer: Any, loss: Tensor) -> None:
    """A backward pass that is no part of a step, and leaves no gradients."""
    engine = trainer.model
    if hasattr(engine, "set_gradient_accumulation_boundary"):  # DeepSpeed; Accelerate would step
        engine.set_gradient_accumulation_boundary(False)
        engine.backward(loss)
        engine.optimizer.zero_grad()
        return
    trainer.accelerator.backward(loss)
    # Not the prepared optimiser's: inside accumulation that one does nothing.
    trainer.model.zero_grad(set_to_none=True)


def _judged(sizes: dict[str, float], has_adapters: bool) -> Finding:
    """Of an adapter whose second matrix is zero only that one has a gradient: one is enough."""
    groups: dict[str, float] = {}
    for name, size in sizes.items():
        group = name.rpartition(".lora_")[0] if has_adapters else name
        # A NaN is no gradient that could train, and stays one.
        groups[group] = size if size != size else max(size, groups.get(group, 0.0))
    silent = [name for name, size in groups.items() if not 0 < size < float("inf")]
    what = "adapted modules" if has_adapters else "weights"
    if not silent:
        least = min(groups.values(), default=0.0)
        return ok("gradients", f"one arrives at each of {len(groups)} {what}, {least:.1g} or more")
    return fault(
        "gradients",
        f"none, or none that is finite, arrives at {len(silent)} of {len(groups)} {what}: "
        + ", ".join(map(plain_name, silent[:NAMED])),
        cause="something between the loss and these weights passes no gradient on: a detached "
        "activation, a checkpoint whose input needs no gradient, weights in 4 bits that were "
        "repacked",
        remedy="set train.activation_checkpointing to false and look again; then load the base "
        "without code of its own",
    )
