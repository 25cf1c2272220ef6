"""One process of a training run, from the recipe to saved weights.

A launcher starts this through `python -m finetune.training RECIPE [key=value ...] [--runs DIR]`
or `recipes/train.py`; `finetune train` starts the launcher.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from safetensors import SafetensorError

from finetune.base import base_facts, fetch
from finetune.errors import Failed, UserError
from finetune.ledger import Basis, Ledger
from finetune.methods import refuse_unfit, refuse_without_gpu
from finetune.recipe import Recipe
from finetune.recipe.resolved import as_yaml
from finetune.recipe.schema import Lora, Pretrained
from finetune.run_folder import (
    RunFolder,
    digest_of,
    locked,
    sha256_of,
    whole_folder,
    write_text,
)
from finetune.sequences import open_corpus
from finetune.tokenizer import CodeTokenizer, prove
from finetune.training.basis import refuse_other_checkpoints, training_basis
from finetune.training.batches import plan_batches
from finetune.training.blocks import training_blocks
from finetune.training.engine import configure, make_accelerator
from finetune.training.feed import Feed
from finetune.training.launch import num_gpus, settle_device
from finetune.training.together import from_main
from finetune.training.validation import make_validation


def train(recipe: Recipe, run: RunFolder) -> None:
    """Train and save; rank 0 writes the stage's record.

    Raises UserError (before any training) and Failed (a proof did not hold) on every rank.
    """
    settle_device()
    refuse_without_gpu(recipe.train, num_gpus())
    from finetune.models.tunable import tuning_facts

    accelerator = make_accelerator(recipe)
    with accelerator.local_main_process_first():  # each machine has a cache of its own
        if isinstance(recipe.base, Pretrained) and base_facts(recipe.base, run).folder is None:
            fetch(recipe.base)
    with ExitStack() as held:
        basis = from_main(accelerator, lambda: _begin(recipe, run, held))
        recording = Ledger(run).recording("train", basis, write=accelerator.is_main_process)
        outcome = held.enter_context(recording)
        trainer = _make_trainer(recipe, run, basis, accelerator)
        trainer.run()
        outcome.output = _save(recipe, run, trainer, accelerator)
        outcome.facts = {
            **_facts(recipe, trainer),
            **tuning_facts(accelerator.unwrap_model(trainer.model)),
        }
        outcome.summary = _in_words(outcome.facts)
    accelerator.end_training()


def _facts(recipe: Recipe, trainer: Any) -> dict[str, Any]:
    tokens = trainer.step * recipe.train.batch_tokens
    return {
        "steps": trainer.step,
        "tokens": tokens,
        "seconds": round(trainer.elapsed, 3),
        "tokens_per_second": round(tokens / max(trainer.seconds, 1e-9), 1),
        "processes": trainer.accelerator.num_processes,
        "micro_batch": trainer.plan.micro_batch,
        "activation_checkpointing": trainer.train.activation_checkpointing,
        "packing": trainer.feed.counts.state(),
        "passes": trainer.feed.passes,
        **({"kept_step": trainer.best.step} if recipe.train.early_stopping else {}),
    }


def _in_words(facts: dict[str, Any]) -> str:
    kept = facts.get("kept_step")
    return (
        f"{facts['steps']} steps, {facts['tokens']:,} tokens, "
        f"{facts['tokens_per_second']:,.0f} tokens/s on {facts['processes']} process(es)"
        + (f"; kept the weights of step {kept}, the best measured" if kept is not None else "")
    )


def _begin(recipe: Recipe, run: RunFolder, held: ExitStack) -> Basis:
    """Hold the run for this training; what it stands on. For rank 0, on behalf of all."""
    held.enter_context(locked(run, "train"))
    basis = training_basis(recipe, run)
    refuse_other_checkpoints(run, basis)
    return basis


def _make_trainer(recipe: Recipe, run: RunFolder, basis: Basis, accelerator: Any) -> Any:
    from accelerate.utils import set_seed

    from finetune.models.tunable import tunable_model
    from finetune.training.fit import fitted, speed_of
    from finetune.training.loop import Trainer
    from finetune.training.optimizer import make_optimizer

    facts = base_facts(recipe.base, run)
    folder = facts.folder
    if folder is None:
        raise UserError(f"base: {facts.description} has no model yet; make it first")
    refuse_unfit(recipe, facts)
    prove(folder, trust_remote_code=facts.trust_remote_code)
    recipe = fitted(recipe, run, accelerator)
    if accelerator.is_main_process:
        write_text(run.recipe, as_yaml(recipe))
    plan = plan_batches(recipe.train, recipe.sequences.length, accelerator.num_processes)
    configure(accelerator, recipe, plan)
    set_seed(recipe.train.seed, device_specific=True)
    model = tunable_model(
        folder, recipe.tune, recipe.train, trust_remote_code=facts.trust_remote_code
    )
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
        show=_make_show(recipe, run, plan.steps) if accelerator.is_main_process else _hide,
        speed=speed_of(recipe, run, accelerator),
    )


def _make_show(recipe: Recipe, run: RunFolder, steps: int) -> Callable[[dict[str, Any]], None]:
    """The terminal, and the trackers that the recipe names."""
    from finetune.training.progress import make_progress
    from finetune.training.trackers import start_trackers

    shown, sent = make_progress(steps), start_trackers(recipe, run.path)

    def show(line: dict[str, Any]) -> None:
        shown(line)
        if "step" in line:
            sent(line)

    return show


def _hide(line: dict[str, Any]) -> None:
    """Of other ranks nothing is shown."""


def _save(recipe: Recipe, run: RunFolder, trainer: Any, accelerator: Any) -> str:
    """Gather on all ranks, write on rank 0; returns the digest of the weights."""
    from finetune.training.weights import gather_trainable, save_adapter, save_model

    model = accelerator.unwrap_model(trainer.model)
    lora = isinstance(recipe.tune, Lora)
    # A model folder is whole, whatever part of it was trained; an adapter is what was trained.
    weights = gather_trainable(model, keep=accelerator.is_main_process, frozen=not lora)
    if not accelerator.is_main_process:
        return ""
    final = run.adapter if lora else run.model
    try:
        with whole_folder(final) as folder:
            (save_adapter if lora else save_model)(model, weights, folder)
    except (OSError, SafetensorError) as error:
        raise Failed(f"{final} could not be written: {error}") from error
    digests = {path.name: sha256_of(path) for path in sorted(final.glob("*.safetensors"))}
    return digest_of(digests)
