"""Accelerate as the recipe wants it: the launcher's configuration checked, never trusted.

A launcher started by hand brings its own configuration; one that contradicts the recipe's
`engine:` is refused before a weight is read.
"""

import os
from typing import Any

from finetune.errors import Failed, UserError
from finetune.recipe.schema import Recipe
from finetune.training.batches import BatchPlan

ZERO_STAGES = {"zero1": 1, "zero2": 2, "zero3": 3, "zero3_offload": 3}


def make_accelerator(recipe: Recipe) -> Any:
    """An `Accelerator` for the processes of this launch. Raises UserError on a contradiction."""
    import torch
    from accelerate import Accelerator, PartialState

    precision = recipe.train.precision
    on_cpu = not torch.cuda.is_available()
    sharded = os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true"
    if on_cpu and sharded:
        PartialState(backend="gloo")  # else Accelerate names no backend and sees one process
    accelerator = Accelerator(
        mixed_precision="no" if precision == "fp32" else precision,
        cpu=on_cpu and not sharded,
    )
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
        zero = accelerator.state.deepspeed_plugin.deepspeed_config["zero_optimization"]
        device = zero.get("offload_optimizer", {}).get("device", "none")
        name = f"zero{zero['stage']}" + ("" if device == "none" else "_offload")
        return name if name in ZERO_STAGES else f"{name}, which is none of the recipe's engines"
    return "ddp" if accelerator.num_processes > 1 else "single"


def configure(accelerator: Any, recipe: Recipe, plan: BatchPlan) -> None:
    """Tell the engine what the recipe owns: the values that the JSON leaves "auto"."""
    accelerator.gradient_accumulation_steps = plan.accumulation
    if recipe.engine in ZERO_STAGES:
        config = accelerator.state.deepspeed_plugin.deepspeed_config
        for key, value in owned_by_recipe(recipe, plan).items():
            section, _, name = key.rpartition(".")
            (config[section] if section else config)[name] = value


def owned_by_recipe(recipe: Recipe, plan: BatchPlan) -> dict[str, Any]:
    """DeepSpeed's names for what the recipe says, and their values."""
    return {
        "train_micro_batch_size_per_gpu": plan.micro_batch,
        "gradient_accumulation_steps": plan.accumulation,
        "train_batch_size": plan.blocks,
        "gradient_clipping": recipe.train.clip,
        "bf16.enabled": recipe.train.precision == "bf16",
        "fp16.enabled": recipe.train.precision == "fp16",
    }
