"""One process of a training run, from the recipe to saved weights.

A launcher starts this through `python -m finetune.training RECIPE [key=value ...] [--runs DIR]`
or `recipes/train.py`; `finetune train` starts the launcher.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from finetune.base import BaseFacts, base_facts, fetch
from finetune.errors import UserError
from finetune.ledger import Basis, Ledger
from finetune.recipe import Recipe
from finetune.recipe.schema import Pretrained
from finetune.run_folder import RunFolder, digest_of, locked, sha256_of, whole_folder
from finetune.sequences import open_corpus
from finetune.tokenizer import CodeTokenizer, prove
from finetune.training.basis import refuse_other_checkpoints, training_basis
from finetune.training.batches import plan_batches
from finetune.training.blocks import training_blocks
from finetune.training.engine import configure, make_accelerator
from finetune.training.feed import Feed
from finetune.training.launch import settle_device
from finetune.training.validation import make_validation


def train(recipe: Recipe, run: RunFolder) -> None:
    """Train and save; rank 0 writes the stage's record.

    Raises UserError (before any training) and Failed (a proof did not hold) on every rank.
    """
    if isinstance(recipe.base, Pretrained) and base_facts(recipe.base, run).folder is None:
        fetch(recipe.base)
    basis = training_basis(recipe, run)
    refuse_other_checkpoints(run, basis)
    settle_device()
    accelerator = make_accelerator(recipe)
    with (
        locked(run, "train") if accelerator.is_main_process else nullcontext(),
        Ledger(run).recording("train", basis, write=accelerator.is_main_process) as outcome,
    ):
        trainer = _make_trainer(recipe, run, basis, accelerator)
        trainer.run()
        outcome.output = _save(recipe, run, trainer, accelerator)
        speed = trainer.step * recipe.train.batch_tokens / max(trainer.seconds, 1e-9)
        outcome.facts = {
            "steps": trainer.step,
            "tokens": trainer.step * recipe.train.batch_tokens,
            "seconds": round(trainer.elapsed, 3),
            "tokens_per_second": round(speed, 1),
            "processes": accelerator.num_processes,
            "packing": trainer.feed.counts.state(),
            "passes": trainer.feed.passes,
        }
        outcome.summary = (
            f"{trainer.step} steps, {trainer.step * recipe.train.batch_tokens:,} tokens, "
            f"{speed:,.0f} tokens/s on {accelerator.num_processes} process(es)"
        )
    accelerator.end_training()


def _make_trainer(recipe: Recipe, run: RunFolder, basis: Basis, accelerator: Any) -> Any:
    from accelerate.utils import set_seed

    from finetune.training.loop import Trainer
    from finetune.training.optimizer import make_optimizer
    from finetune.training.progress import make_progress

    facts = base_facts(recipe.base, run)
    folder = facts.folder
    if folder is None:
        raise UserError(f"base: {facts.description} has no model yet; make it first")
    prove(folder, trust_remote_code=facts.trust_remote_code)
    plan = plan_batches(recipe.train, recipe.sequences.length, accelerator.num_processes)
    configure(accelerator, recipe, plan)
    set_seed(recipe.train.seed, device_specific=True)
    model = _load(recipe, folder, facts)
    optimizer = make_optimizer(model, recipe.train)
    model, optimizer = accelerator.prepare(model, optimizer)
    return Trainer(
        accelerator=accelerator,
        model=model,
        optimizer=optimizer,
        feed=Feed(
            training_blocks(recipe, run, folder),
            accelerator.process_index,
            accelerator.num_processes,
            recipe.train.workers,
        ),
        validation=make_validation(
            open_corpus(run.holdout_corpus, CodeTokenizer(folder)),
            recipe.sequences.length,
            recipe.train.validation_tokens,
        ),
        train=recipe.train,
        plan=plan,
        checkpoints=run.checkpoints,
        log=run.log,
        basis=basis,
        show=make_progress(plan.steps) if accelerator.is_main_process else lambda line: None,
    )


def _load(recipe: Recipe, folder: Path, facts: BaseFacts) -> Any:
    """The base in training mode: adapters attached, or everything trainable."""
    import torch

    from finetune.models.adapters import add_lora
    from finetune.models.load import load_model

    frozen = recipe.tune.method == "lora" and recipe.train.precision == "bf16"
    model = load_model(
        folder,
        dtype=torch.bfloat16 if frozen else torch.float32,
        dropout=recipe.train.dropout,
        attention=recipe.train.attention,
        trust_remote_code=facts.trust_remote_code,
    )
    if recipe.tune.method == "lora":
        model = add_lora(model, recipe.tune, recipe.train.seed)
    return model.train()


def _save(recipe: Recipe, run: RunFolder, trainer: Any, accelerator: Any) -> str:
    """Gather on all ranks, write on rank 0; returns the digest of the weights."""
    from finetune.training.weights import gather_trainable, save_adapter, save_model

    model = accelerator.unwrap_model(trainer.model)
    weights = gather_trainable(model, keep=accelerator.is_main_process)
    if not accelerator.is_main_process:
        return ""
    lora = recipe.tune.method == "lora"
    final = run.adapter if lora else run.model
    with whole_folder(final) as folder:
        (save_adapter if lora else save_model)(model, weights, folder)
    digests = {path.name: sha256_of(path) for path in sorted(final.glob("*.safetensors"))}
    return digest_of(digests)
