"""What `finetune plan` tells: the choice, the memory, the effort, and what would have to change."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from finetune.errors import UserError
from finetune.planning.architecture import Architecture
from finetune.planning.bases import base_architecture
from finetune.planning.changes import Change, changes
from finetune.planning.choice import Plan, choose, recomputation
from finetune.planning.effort import Effort, Utilisation, effort_of, utilisation
from finetune.planning.gpus import Machine
from finetune.planning.lengths import Lengths, lengths_of
from finetune.planning.memory import CONTEXT, GIB, NCCL, RESERVE
from finetune.planning.request import Request, request_of
from finetune.planning.tuning import Tuning
from finetune.recipe import Recipe
from finetune.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Everything that is known of a run before it starts."""

    machine: Machine
    request: Request
    plan: Plan
    changes: tuple[Change, ...]
    """What would make it fit; empty where it does."""
    effort: Effort
    lengths: Lengths
    used: Utilisation
    assumptions: tuple[str, ...]

    @property
    def tuning(self) -> Tuning:
        return self.request.tuning


def outlook(
    recipe: Recipe,
    run: RunFolder,
    machine: Machine,
    *,
    mfu: float | None = None,
    price: float | None = None,
) -> Outlook:
    """Plan `recipe` on `machine`. Raises UserError for what cannot be planned.

    `mfu`: share of the GPUs' peak, instead of a published one. `price`: of a GPU for an hour.
    """
    architecture = base_architecture(recipe.base, run)
    _refuse(recipe, architecture, machine)
    offered, processes = machine.count, 1 if recipe.engine == "single" else machine.count
    machine = Machine(gpu=machine.gpu, count=processes)
    request = request_of(
        recipe, architecture, processes=processes, memory=machine.gpu.memory, device="cuda"
    )
    plan = choose(request)
    isolated = recipe.sequences.isolate_documents
    lengths = lengths_of(run, request.length, architecture.window, isolated=isolated)
    used = _used(request, machine, mfu)
    again = recomputation(request) if plan.checkpointing and not used.checkpointed else 1.0
    effort = effort_of(
        architecture,
        request.tuning,
        tokens=recipe.train.tokens,
        batch_tokens=recipe.train.batch_tokens,
        lengths=lengths,
        machine=machine,
        used=used,
        recomputation=again,
        price_per_hour=price,
    )
    return Outlook(
        machine=machine,
        request=request,
        plan=plan,
        changes=tuple(changes(request)),
        effort=effort,
        lengths=lengths,
        used=used,
        assumptions=tuple(_assumptions(request, machine, lengths, used, again, offered)),
    )


def _refuse(recipe: Recipe, architecture: Architecture, machine: Machine) -> None:
    length = recipe.sequences.length
    if length > architecture.positions:
        raise UserError(
            f"sequences.length: {length} is beyond the base's {architecture.positions} positions"
        )
    if recipe.engine == "ddp" and machine.count < 2:
        raise UserError("engine: ddp needs two GPUs, and --gpus has one; use single")
    if recipe.train.precision == "bf16" and not machine.gpu.bf16:
        raise UserError(f"train.precision: a {machine.gpu.name} has no bf16; set it to fp16")


def _used(request: Request, machine: Machine, mfu: float | None) -> Utilisation:
    if mfu is not None:
        return Utilisation(share=mfu, source="given as --mfu", checkpointed=True)
    parameters = request.architecture.parameters
    return utilisation(parameters, request.tune.method, request.length, machine)


def _assumptions(
    request: Request,
    machine: Machine,
    lengths: Lengths,
    used: Utilisation,
    again: float,
    offered: int,
) -> Iterator[str]:
    gpu, several = machine.gpu, request.processes > 1
    yield (
        f"{gpu.name}: {request.memory / GIB:.1f} GiB, of which {RESERVE:.0%} stay free for what "
        "the allocator cannot use"
    )
    nccl = f", {NCCL / GIB:g} GiB for NCCL" if several else ""
    yield f"context: {CONTEXT / GIB:g} GiB for CUDA and its libraries{nccl}"
    if offered > machine.count:
        yield f"engine: single trains on one of the {offered} GPUs; ddp and zero1 to 3 take all"
    yield (
        f"attention by {request.attention}; a token attends to {lengths.attended:,.0f} others on "
        f"average: {lengths.words}"
    )
    yield f"{used.share:.1%} of {gpu.tflops:g} TFLOP/s, model FLOPs alone: {used.source}"
    if again > 1:
        yield f"activations are computed twice: {again:.2f} times the time"
    if request.zero and request.zero.stage == 3:
        yield (
            "gathered weights: the embedding and two blocks; DeepSpeed may hold up to "
            f"{request.zero.max_live:,} numbers"
        )
    if request.zero and request.zero.offloads_states:
        yield "the way to the host and back is not in the hours: expect more"
    yield f"energy at {gpu.watts} W per GPU, its design power, without host and cooling"
    yield "GPU figures are computed; none was measured yet (benchmarks/plan_memory.py does that)"


def verdict(seen: Outlook) -> str:
    """One line: whether it fits, and what it takes."""
    plan, memory = seen.plan, seen.plan.memory
    where = f"{memory.total / GIB:.1f} of {plan.capacity / GIB:.1f} GiB on {_each(seen.machine)}"
    if plan.fits:
        return f"fits: {where}"
    return f"does not fit: {where}, at the smallest"


def _each(machine: Machine) -> str:
    return f"one {machine.gpu.name}" if machine.count == 1 else f"each of {machine.words}"


def as_json(seen: Outlook) -> dict[str, Any]:
    """The same for programs; the README lists the keys."""
    plan, architecture, tuning = seen.plan, seen.request.architecture, seen.tuning
    return {
        "fits": plan.fits,
        "verdict": verdict(seen),
        "gpus": {
            "name": seen.machine.gpu.name,
            "count": seen.machine.count,
            "memory_bytes": seen.machine.gpu.memory,
            "peak_tflops": seen.machine.gpu.tflops,
            "watts": seen.machine.gpu.watts,
        },
        "model": {
            "family": architecture.family,
            "parameters": tuning.base,
            "trainable_parameters": tuning.trained,
        },
        "choice": _choice(plan),
        "memory": {
            "total_bytes": plan.memory.total,
            "capacity_bytes": plan.capacity,
            "moment": plan.memory.moment,
            "parts": plan.memory.parts(),
        },
        "run": {
            **asdict(seen.effort),
            "mfu": seen.used.share,
            "mfu_source": seen.used.source,
            "mean_attended_tokens": seen.lengths.attended,
        },
        "changes": [
            {
                "keys": change.keys,
                "sentence": change.sentence,
                "total_bytes": change.plan.memory.total,
                **_choice(change.plan),
            }
            for change in seen.changes
        ],
        "assumptions": list(seen.assumptions),
    }


def _choice(plan: Plan) -> dict[str, Any]:
    return {
        "micro_batch": plan.micro_batch,
        "accumulation": plan.accumulation,
        "activation_checkpointing": plan.checkpointing,
    }
