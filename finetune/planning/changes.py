"""What to change where a recipe does not fit, the cheapest first; each change is planned anew."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from finetune.planning.choice import Plan, choose
from finetune.planning.memory import GIB
from finetune.planning.request import Request
from finetune.recipe.schema import Lora

MOST_GPUS = 512
SHORTEST = 512
"""Tokens of a block below which a shorter one is not proposed."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """Keys to set, and the plan that fits then."""

    keys: dict[str, Any]
    """Dotted keys of the recipe; `gpus` for the machine."""
    sentence: str
    plan: Plan


def changes(request: Request) -> list[Change]:
    """Changes that make `request` fit, in order of what they cost; each was planned and fits.

    Empty where it fits already, or where nothing that is known here helps.
    """
    if choose(request).fits:
        return []
    found = []
    for keys, changed, words in _proposals(request):
        plan = choose(changed)
        if plan.fits:
            found.append(_change(request, keys, changed, words, plan))
    return found


def misfit(request: Request, plan: Plan) -> str:
    """Why training would run out of memory, and the cheapest remedy; for a plan that does not
    fit."""
    assert not plan.fits
    found = changes(request)
    remedy = f"set {found[0].sentence}" if found else "take a smaller base"
    need, have = plan.memory.total / GIB, plan.capacity / GIB
    return (
        f"train: needs {need:.1f} GiB per process at the least, of {have:.1f}; {remedy} "
        "(`finetune plan` shows the parts and more ways)"
    )


def _proposals(request: Request) -> Iterator[tuple[dict[str, Any], Request, str]]:
    """In order of cost; all but the first two leave micro-batch and checkpointing free."""
    if request.checkpointing is False:
        only = replace(request, checkpointing=True)
        yield {"train.activation_checkpointing": True}, only, "compute activations twice"
    if request.micro_batch is not None and request.micro_batch > 1:
        yield {}, replace(request, micro_batch=None), "fewer blocks at a time"
    free = replace(request, micro_batch=None, checkpointing=None)
    if free != request:
        yield {}, free, "fewer blocks at a time, activations computed twice"
    for engine, words in _engines(request):
        yield {"engine": engine}, replace(free, engine=engine), words
    for method, words in _methods(request):
        yield from _adapters(free, method, words)
    shorter = next(_that_fit(_shorter(free)), None)
    if shorter:
        yield {"sequences.length": shorter.length}, shorter, "shorter blocks"
    more = next(_that_fit(_more_gpus(free)), None)
    if more:
        words = f"share the work over {more.processes} GPUs"
        yield {"gpus": more.processes, "engine": more.engine}, more, words


def _engines(request: Request) -> Iterator[tuple[str, str]]:
    """Those that share more than the recipe's own."""
    order = {
        "zero1": "share the optimiser's states over the GPUs",
        "zero2": "share states and gradients over the GPUs",
        "zero3": "share states, gradients and weights over the GPUs",
        "zero3_offload": "keep states and weights in the memory of the host: slow",
    }
    names = list(order)
    after = names.index(request.engine) + 1 if request.engine in names else 0
    for name in names[after:]:
        is_quantised = request.tune.method == "qlora" and name.startswith("zero3")
        if (request.processes > 1 or name == "zero3_offload") and not is_quantised:
            yield name, order[name]


def _methods(request: Request) -> Iterator[tuple[str, str]]:
    if request.tune.method == "full":
        yield "lora", "train adapters instead of the weights"
    if request.tune.method != "qlora":
        yield "qlora", "train adapters on weights in 4 bits"


def _adapters(
    request: Request, method: str, words: str
) -> Iterator[tuple[dict[str, Any], Request, str]]:
    """The method with the recipe's engine, and where that is not enough with one that shares more.

    ZeRO-3 cannot share out weights in 4 bits; adapters are small enough to share nothing.
    """
    changed, keys = replace(request, tune=_tune(request, method)), {"tune.method": method}
    if method == "qlora" and request.engine.startswith("zero3"):
        engine = "ddp" if request.processes > 1 else "single"
        yield keys | {"engine": engine}, replace(changed, engine=engine), words
        return
    yield keys, changed, words
    if not choose(changed).fits:
        for engine, more in _engines(changed):
            yield keys | {"engine": engine}, replace(changed, engine=engine), f"{words}; {more}"


def _tune(request: Request, method: str) -> Lora:
    """The recipe's own adapters by another method; those of the defaults where it has none."""
    if isinstance(request.tune, Lora):
        return request.tune.model_copy(update={"method": method})
    return Lora.model_validate({"method": method})


def _shorter(request: Request) -> Iterator[Request]:
    length = request.length // 2
    while length >= SHORTEST:
        blocks = request.blocks * request.length // length
        yield replace(request, length=length, blocks=blocks)
        length //= 2


def _more_gpus(request: Request) -> Iterator[Request]:
    """Twice as many, and so on, under the engine that shares the most."""
    engine = request.engine if request.engine.startswith("zero3") else "zero3"
    processes = 2 * request.processes
    while processes <= min(MOST_GPUS, request.blocks):
        if request.blocks % processes == 0:
            yield replace(request, processes=processes, engine=engine)
        processes *= 2


def _that_fit(requests: Iterator[Request]) -> Iterator[Request]:
    return (request for request in requests if choose(request).fits)


def _change(
    request: Request, keys: dict[str, Any], changed: Request, words: str, plan: Plan
) -> Change:
    """With what the choice needs beside: what the recipe had fixed otherwise. A section `tune` of
    full tuning is replaced as a whole, for its keys are not those of adapters."""
    whole = dict(keys)
    if request.micro_batch is not None and plan.micro_batch != request.micro_batch:
        whole["train.micro_batch"] = plan.micro_batch
    if request.checkpointing is not None and plan.checkpointing != request.checkpointing:
        whole["train.activation_checkpointing"] = plan.checkpointing
    if changed.tune.method != request.tune.method and request.tune.method == "full":
        whole = {"tune": {"method": whole.pop("tune.method")}, **whole}
    settings = ", ".join(f"{key}: {_as_yaml(value)}" for key, value in whole.items())
    return Change(keys=whole, sentence=f"{settings} ({words})", plan=plan)


def _as_yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_as_yaml(one)}" for key, one in value.items()) + "}"
    return str(value)
