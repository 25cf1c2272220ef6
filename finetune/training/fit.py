"""What the recipe leaves to the memory plan, chosen for the device that trains; and its speed."""

from typing import Any

from finetune.errors import UserError
from finetune.planning import (
    Request,
    base_architecture,
    choose,
    flops_per_token,
    gpus_here,
    host_memory,
    misfit,
    request_of,
    tuning_of,
)
from finetune.recipe import Recipe
from finetune.run_folder import RunFolder
from finetune.training.meter import Speed


def fitted(recipe: Recipe, run: RunFolder, accelerator: Any) -> Recipe:
    """The recipe with its micro-batch and activation checkpointing decided.

    Raises UserError where nothing fits, with the cheapest change that does, or where the family's
    memory is not known and the recipe decides neither itself.
    """
    train = recipe.train
    if train.micro_batch is not None and train.activation_checkpointing is not None:
        return recipe
    request = request_here(recipe, run, accelerator)
    plan = choose(request)
    if not plan.fits:
        raise UserError(misfit(request, plan))
    chosen = {"micro_batch": plan.micro_batch, "activation_checkpointing": plan.checkpointing}
    return recipe.model_copy(update={"train": train.model_copy(update=chosen)})


def request_here(recipe: Recipe, run: RunFolder, accelerator: Any) -> Request:
    """What the recipe asks of this machine. Raises UserError where the base's size is not known."""
    processes = accelerator.num_processes
    on_gpu = accelerator.device.type == "cuda"
    return request_of(
        recipe,
        base_architecture(recipe.base, run),
        processes=processes,
        memory=_gpu_memory(accelerator.device) if on_gpu else host_memory(processes),
        device="cuda" if on_gpu else "cpu",
    )


def speed_of(recipe: Recipe, run: RunFolder, accelerator: Any) -> Speed:
    """By the formula of `finetune plan`; nothing of what that does not know: a family, a device,
    adapters on embeddings."""
    try:
        architecture = base_architecture(recipe.base, run)
        tuning = tuning_of(recipe.tune, architecture)
        machine = gpus_here() if accelerator.device.type == "cuda" else None
    except UserError:
        return Speed(per_token=0.0, per_pair=0.0, peak=None)
    alone = flops_per_token(architecture, tuning, 0.0)
    peak = machine.gpu.tflops * 1e12 * accelerator.num_processes if machine else None
    pair = flops_per_token(architecture, tuning, 1.0) - alone
    return Speed(per_token=alone, per_pair=pair, peak=peak)


def _gpu_memory(device: Any) -> int:
    import torch

    return int(torch.cuda.get_device_properties(device).total_memory)
