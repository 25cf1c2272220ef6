"""Weights as they lie in memory: all finite, and those of the base's files; the head tied or not,
as the config says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from finetune.families import EMBEDDINGS
from finetune.methods import HEADS
from finetune.models.adapters import PRINCIPAL
from finetune.models.loss_head import PLAIN_HEADS
from finetune.recipe.schema import Full, Lora
from finetune.training.doctor.finding import Finding, fault, not_applicable, note, ok
from finetune.training.doctor.stored import Stored, plain_name
from finetune.training.weights import each_whole, gathered

NAMED = 3
"""At most so many tensors are named."""


def look_at_weights(model: Any, folder: Path, *, main: bool) -> list[Finding]:
    """Whether all are finite, and equal to those of `folder`.

    Each is gathered for its turn alone; every rank must call it, the `main` one reads the files.
    """
    stored = Stored(folder)
    principal = {id(weight) for _, weight, _ in principal_parts(model)}
    broken, made_up, others, num = [], [], [], 0
    for name, parameter in each_whole(model, frozen=True):
        if not parameter.is_floating_point():
            continue  # 4 bits: codes, made here
        num += 1
        if not torch.isfinite(parameter).all():
            broken.append(f"{plain_name(name)} ({_how_broken(parameter)})")
            continue
        if not main or ".lora_" in name or id(parameter) in principal:
            continue
        wanted = stored.named(name)
        if wanted is None:
            made_up.append(plain_name(name))
        elif not _is_same(parameter, wanted):
            others.append(plain_name(name))
    return [_finite(broken, num), _as_stored(model, made_up, others, num)]


def _how_broken(parameter: Tensor) -> str:
    nans = int(torch.isnan(parameter).sum())
    return f"{nans} NaN and {int(torch.isinf(parameter).sum())} infinite of {parameter.numel():,}"


def _is_same(parameter: Tensor, wanted: Tensor) -> bool:
    if parameter.shape != wanted.shape:
        return False
    return bool(torch.equal(parameter.detach(), wanted.to(parameter.device, parameter.dtype)))


def _finite(broken: list[str], num: int) -> Finding:
    if broken:
        return fault(
            "finite weights",
            f"{len(broken)} of {num} weights hold values that are no numbers: {_names(broken)}",
            cause="the base was saved from a run that had diverged or in fp16 beyond its range, or "
            "its file is damaged",
            remedy="take an earlier checkpoint of the base, or fetch it again; with fp16 set "
            "train.precision to bf16",
        )
    return ok("finite weights", f"all {num} hold numbers alone")


def _as_stored(model: Any, made_up: list[str], others: list[str], num: int) -> Finding:
    check = "stored weights"
    if made_up and inner_model(model).config.model_type not in PLAIN_HEADS:
        return note(check, f"not compared: no file has {_names(made_up)} by that name")
    if made_up:
        return fault(
            check,
            f"no file of the base has {_names(made_up)}: {len(made_up)} of {num} weights were "
            "drawn at random",
            cause="weights are missing in the files or have other names there; transformers makes "
            "up what it does not find, with a warning",
            remedy="save the base again with transformers' save_pretrained, or mend the names",
        )
    if others:
        return fault(
            check,
            f"{len(others)} of {num} weights in memory are not those of the files: "
            f"{_names(others)}",
            cause="something changed them after they were read, or the engine shared them out "
            "wrongly",
            remedy="load the base in another version of transformers or DeepSpeed, or with engine: "
            "single, and compare",
        )
    return ok(check, f"what is in memory is what lies in the base's files ({num} weights)")


def _names(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def inner_model(model: Any) -> Any:
    """The outermost transformers model, whatever wraps it."""
    return next(part for part in model.modules() if isinstance(part, PreTrainedModel))


def tied_head(model: Any, folder: Path, *, main: bool) -> Finding:
    """Whether input and output embedding are one weight exactly where config.json says so.

    For the `main` rank alone to judge: it reads the files.
    """
    inner = inner_model(model)
    stated = bool(getattr(inner.config, "tie_word_embeddings", False))
    head, embedding = inner.get_output_embeddings(), inner.get_input_embeddings()
    if head is None or not main:
        return not_applicable("tied head", "the model has no output embedding of its own")
    is_one = head.weight is embedding.weight
    stored = Stored(folder)
    of_head = stored.ending(*HEADS)
    if stated and of_head is not None:
        name = stored.ending(*(name for name in EMBEDDINGS if name not in HEADS))
        difference = _difference(stored.read(of_head), stored.read(name)) if name else None
        if difference != 0.0:
            return _untied_although(of_head, difference)
    if not stated and of_head is None:
        return fault(
            "tied head",
            "config.json says that the head is not tied, and no file has one",
            cause="the base's embeddings are tied and its config lost the word, so transformers "
            "makes up a head at random",
            remedy='write "tie_word_embeddings": true into the config.json of the base',
        )
    if is_one != stated:
        return fault(
            "tied head",
            f"config.json says tie_word_embeddings: {str(stated).lower()}, and in memory the two "
            f"embeddings are {'one weight' if is_one else 'two weights'}",
            cause="the model's own code overrides its config",
            remedy="make the base's config.json say what its weights are",
        )
    words = "one weight, tied" if is_one else "two weights, untied"
    return ok("tied head", f"the embeddings are {words}, as config.json says")


def _difference(head: Tensor, embedding: Tensor) -> float | None:
    if head.shape != embedding.shape:
        return None
    return float((head.float() - embedding.float()).abs().max())


def _untied_although(name: str, difference: float | None) -> Finding:
    far = "has another shape" if difference is None else f"is up to {difference:.2g} away"
    return fault(
        "tied head",
        f"config.json says that the embeddings are tied, and {name} {far} from the input's in the "
        "base's files",
        cause="the base was trained with a head of its own and its config lost the word: who loads "
        "it by the config alone gets another model",
        remedy='write "tie_word_embeddings": false into the config.json of the base',
    )


def principal_parts(model: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, weight and module of what PiSSA and OLoRA have taken a part out of."""
    config = getattr(model, "peft_config", {}).get("default")
    if config is None or config.init_lora_weights not in PRINCIPAL:
        return
    for name, module in model.named_modules():
        if len(getattr(module, "lora_A", ())):
            yield name, module.get_base_layer().weight, module


@torch.no_grad()
def principal_start(model: Any, tune: Lora | Full, folder: Path, *, main: bool) -> Finding | None:
    """Whether weights and adapters of PiSSA or OLoRA add up to the base's; None for others.

    Every rank must call it.
    """
    if not isinstance(tune, Lora) or tune.initial not in PRINCIPAL:
        return None
    stored, worst, where = Stored(folder), 0.0, ""
    for name, weight, module in principal_parts(model):
        first, second = module.lora_A["default"].weight, module.lora_B["default"].weight
        with gathered(weight, first, second):
            if not main:
                continue
            wanted = stored.named(f"{name}.weight")
            assert wanted is not None, "asked of the files before"
            update = (second.float() @ first.float()) * module.scaling["default"]  # (out, in)
            whole = weight.float() + update.to(weight.device)  # (out, in)
            wanted = wanted.to(weight.device, torch.float32)
            off = float((whole - wanted).abs().max() / wanted.abs().max())
            if not off <= worst:
                worst, where = off, name
    allowed = max(4 * torch.finfo(_type_of_weights(model)).eps, 1e-4)
    words = f"weights and {tune.initial} adapters add up to the base's within {worst:.1g}"
    if worst <= allowed:
        return ok("start", f"{words} of the largest ({allowed:.1g} allowed)")
    return fault(
        "start",
        f"at {where} weight and {tune.initial} adapter are {worst:.1g} of its largest away from "
        f"the base ({allowed:.1g} allowed): training would not begin at the base",
        cause="the principal part was taken out of another weight, or lost in rounding",
        remedy="set tune.initial to zero, or train.precision to fp32",
    )


def _type_of_weights(model: Any) -> torch.dtype:
    return next(weight.dtype for _, weight, _ in principal_parts(model))
