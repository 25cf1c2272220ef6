"""Accelerate as the recipe wants it: the launcher's configuration checked, never trusted.

A launcher started by hand brings its own configuration; one that contradicts the recipe's
`engine:` is refused before a weight is read.
"""

import os
from typing import Any

from finetune.errors import Failed, UserError
from finetune.recipe.schema import Recipe
from finetune.training.batches import BatchPlan

ZERO_STAGES = {"zero1": 1, "zero2": 2, "zero3": 3}


def make_accelerator(recipe: Recipe) -> Any:
    """An `Accelerator` for the processes of this launch. Raises UserError on a contradiction."""
    import torch
    from accelerate import Accelerator, PartialState

    mixed = "bf16" if recipe.train.precision == "bf16" else "no"
    on_cpu = not torch.cuda.is_available()
    sharded = os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true"
    if on_cpu and sharded:
        PartialState(backend="gloo")  # else Accelerate names no backend and sees one process
    accelerator = Accelerator(mixed_precision=mixed, cpu=on_cpu and not sharded)
    wanted = int(os.environ.get("WORLD_SIZE", "1"))
    if accelerator.num_processes != wanted:
        raise Failed(
            f"the launcher started {wanted} processes but each sees {accelerator.num_processes}: "
            "they would train separate models; use one of deepspeed_configs/"
        )
    launched = launched_engine(accelerator)
    if launched != recipe.engine:
        raise UserError(
            f"engine: the recipe says {recipe.engine}, the launcher started {launched} with "
            f"{accelerator.num_processes} processes; start it with `finetune train`, or with "
            f"--config_file deepspeed_configs/{recipe.engine}.yaml (cpu_{recipe.engine}.yaml "
            "without a GPU)"
        )
    return accelerator


def launched_engine(accelerator: Any) -> str:
    """The engine that the launcher has set up, in the recipe's words."""
    if str(accelerator.distributed_type.value) == "DEEPSPEED":
        stage = accelerator.state.deepspeed_plugin.zero_stage
        return next((name for name, s in ZERO_STAGES.items() if s == stage), f"zero{stage}")
    return "ddp" if accelerator.num_processes > 1 else "single"


def configure(accelerator: Any, recipe: Recipe, plan: BatchPlan) -> None:
    """Tell the engine what the recipe owns: the values that the JSON leaves "auto"."""
    accelerator.gradient_accumulation_steps = plan.accumulation
    if recipe.engine not in ZERO_STAGES:
        return
    config = accelerator.state.deepspeed_plugin.deepspeed_config
    config["train_micro_batch_size_per_gpu"] = plan.micro_batch
    config["gradient_accumulation_steps"] = plan.accumulation
    config["train_batch_size"] = plan.blocks
    config["gradient_clipping"] = recipe.train.clip
    config["bf16"] = {"enabled": recipe.train.precision == "bf16"}
