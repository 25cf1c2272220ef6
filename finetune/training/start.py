"""One process of a training run, from the recipe to saved weights.

A launcher starts this through `python -m finetune.training RECIPE [key=value ...] [--runs DIR]`
or `recipes/train.py`; `finetune train` starts the launcher.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from safetensors import SafetensorError

from finetune.base import BaseFacts, base_facts, fetch
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
from finetune.training.checkpoint import complete_checkpoints
from finetune.training.doctor import Doctor
from finetune.training.engine import configure, make_accelerator
from finetune.training.feed import Feed
from finetune.training.hardware import gpu_energy, ran_on
from finetune.training.launch import num_gpus, settle_device
from finetune.training.together import from_main
from finetune.training.validation import make_validation


def train(recipe: Recipe, run: RunFolder, *, despite_doctor: bool = False) -> None:
    """Train and save; rank 0 writes the stage's record. A run that does not go on from a checkpoint
    is examined first, and trained with faults only `despite_doctor`.

    Raises UserError and Refused (before any training) and Failed (a proof did not hold) on every
    rank.
    """
    from finetune.models.tunable import tuning_facts

    accelerator = _accelerator(recipe, run)
    with ExitStack() as held:
        basis = from_main(accelerator, lambda: _begin(recipe, run, held))
        is_new = from_main(accelerator, lambda: not any(complete_checkpoints(run.checkpoints)))
        recording = Ledger(run).recording("train", basis, write=accelerator.is_main_process)
        outcome = held.enter_context(recording)
        facts = _base(recipe, run)
        doctor = Doctor(recipe, run, accelerator, facts, is_overruled=despite_doctor)
        trainer = _make_trainer(facts, recipe, run, basis, accelerator, doctor if is_new else None)
        if accelerator.is_main_process:
            trainer.show = _make_show(recipe, run, trainer.plan.steps)
        energy = gpu_energy(accelerator.device)
        trainer.run()
        ran = ran_on(accelerator, energy if is_new else None)  # else of a part alone
        outcome.output = _save(recipe, run, trainer, accelerator)
        outcome.facts = {
            **_facts(recipe, trainer),
            **ran,
            **tuning_facts(accelerator.unwrap_model(trainer.model)),
        }
        outcome.summary = _in_words(outcome.facts)
    accelerator.end_training()


def examine(recipe: Recipe, run: RunFolder) -> None:
    """What the doctor finds, and nothing else: for `finetune doctor`.

    Raises UserError, and Refused where there is a fault, on every rank.
    """
    accelerator = _accelerator(recipe, run)
    with ExitStack() as held:
        basis = from_main(accelerator, lambda: _hold(recipe, run, held))
        facts = _base(recipe, run)
        doctor = Doctor(recipe, run, accelerator, facts, is_alone=True)
        _make_trainer(facts, recipe, run, basis, accelerator, doctor)
    accelerator.end_training()


def _accelerator(recipe: Recipe, run: RunFolder) -> Any:
    """The processes of this launch, with the base's files on every machine."""
    settle_device()
    refuse_without_gpu(recipe.train, num_gpus())
    accelerator = make_accelerator(recipe)
    with accelerator.local_main_process_first():  # each machine has a cache of its own
        if isinstance(recipe.base, Pretrained) and base_facts(recipe.base, run).folder is None:
            fetch(recipe.base)
            _refuse_unlicensed(base_facts(recipe.base, run))
    return accelerator


def _refuse_unlicensed(facts: BaseFacts) -> None:
    """Of a base that a bare launcher fetched, the licence is known only now."""
    if facts.licence is None:
        raise UserError(
            f"base: {facts.description} states no licence, and a derivative needs one: which is "
            "it? Write base: {model: ..., licence: ID}"
        )


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
    basis = _hold(recipe, run, held)
    refuse_other_checkpoints(run, basis)
    return basis


def _hold(recipe: Recipe, run: RunFolder, held: ExitStack) -> Basis:
    held.enter_context(locked(run, "train"))
    return training_basis(recipe, run)


def _base(recipe: Recipe, run: RunFolder) -> BaseFacts:
    """Raises UserError where there is none, or it does not fit."""
    facts = base_facts(recipe.base, run)
    if facts.folder is None:
        raise UserError(f"base: {facts.description} has no model yet; make it first")
    refuse_unfit(recipe, facts)
    return facts


def _make_trainer(
    facts: BaseFacts,
    recipe: Recipe,
    run: RunFolder,
    basis: Basis,
    accelerator: Any,
    doctor: Doctor | None,
) -> Any:
    """Everything that training needs, examined on the way where there is a `doctor`."""
    from finetune.training.fit import fitted, speed_of
    from finetune.training.loop import Trainer

    folder = facts.folder
    assert folder is not None, "asked for by _base"
    if doctor:
        doctor.look_at_files()
    else:
        prove(folder, trust_remote_code=facts.trust_remote_code)
    recipe = fitted(recipe, run, accelerator)
    if accelerator.is_main_process and not (doctor and doctor.is_alone):
        write_text(run.recipe, as_yaml(recipe))
    plan = plan_batches(recipe.train, recipe.sequences.length, accelerator.num_processes)
    configure(accelerator, recipe, plan)
    model, optimizer = _prepared(facts, recipe, accelerator, doctor)
    trainer = Trainer(
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
        show=_hide,
        speed=speed_of(recipe, run, accelerator),
    )
    if doctor:
        doctor.look_at_trainer(trainer, recipe)
    return trainer


def _prepared(
    facts: BaseFacts, recipe: Recipe, accelerator: Any, doctor: Doctor | None
) -> tuple[Any, Any]:
    """The model and its optimiser, as the engine wraps them."""
    from accelerate.utils import set_seed

    from finetune.models.tunable import tunable_model
    from finetune.training.optimizer import make_optimizer

    assert facts.folder is not None, "asked for by _base"
    set_seed(recipe.train.seed, device_specific=True)
    model = tunable_model(
        facts.folder, recipe.tune, recipe.train, trust_remote_code=facts.trust_remote_code
    )
    if doctor:
        doctor.look_at_model(model)
    optimizer = make_optimizer(model, recipe.train)
    model, optimizer = accelerator.prepare(model, optimizer)
    return model, optimizer


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
    """Of other ranks nothing is shown, and nothing of an examination."""


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
