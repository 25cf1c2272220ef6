"""prepare -> train -> merge -> evaluate -> release -> push: how a run goes from one to the next.

Each stage reads what the one before it left in the run folder, is skipped when it is done and
nothing that it stands on has changed, and says in one line what it did. The rooms that do the
work are imported inside the stages: this module costs nothing to load.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from finetune.base import BaseFacts, base_facts
from finetune.errors import Failed, Refused, UserError
from finetune.job import Job
from finetune.ledger import Basis, basis_of
from finetune.methods import refuse_without_gpu
from finetune.preflight import refuse_missing_base
from finetune.recipe import Recipe
from finetune.recipe.resolved import as_yaml
from finetune.recipe.schema import Scratch
from finetune.run_folder import digest_of, locked, read_json, sha256_of, write_text
from finetune.training.basis import training_basis

if TYPE_CHECKING:
    from finetune.publishing.push import Way
    from finetune.sequences import BlockStream


def prepare(job: Job) -> None:
    """Read and curate the sources; make the base where the recipe makes one from scratch."""
    from finetune.corpus import open_source
    from finetune.corpus.prepare import inputs_of, prepare_corpus, what_to_avoid
    from finetune.inventory import take_inventory

    data = job.recipe.data
    try:
        contamination = what_to_avoid(data.curate, job.recipe.evaluate.benchmarks)
        readers = [open_source(source, index) for index, source in enumerate(data.sources)]
        inputs = inputs_of(data, readers, contamination)
    except UserError as error:
        if job.redo == "prepare" or not job.ledger.is_done("prepare"):
            raise
        print(f"prepare: what it read cannot be looked at again: {error}", file=sys.stderr)
        inputs = job.ledger.records()["prepare"]["inputs"]
    basis = basis_of("prepare", job.recipe, inputs)
    if _is_done(job, "prepare", basis):
        return
    with job.ledger.recording("prepare", basis) as outcome:
        summary = prepare_corpus(data, job.run, contamination)
        write_text(job.run.recipe, as_yaml(job.recipe))
        outcome.summary = (
            f"{summary.train.documents} documents to train on, {summary.holdout.documents} held "
            f"out, {sum(summary.drops.values())} dropped"
        )
        if isinstance(job.recipe.base, Scratch):
            from finetune.models.scratch import make_base

            parameters = make_base(job.recipe.base.scratch, job.run)
            outcome.summary += f"; a base of {parameters:,} parameters"
        base = base_facts(job.recipe.base, job.run).folder
        take_inventory(job.run, summary, contamination, base)
        corpus = (job.run.train_corpus, job.run.holdout_corpus)
        outcome.output = digest_of([sha256_of(path) for path in corpus])
    _say(job, "prepare")


def preview_stream(job: Job) -> "BlockStream":
    """The blocks that training will see, from the first on; prepares the run first if need be."""
    from finetune.training.blocks import training_blocks

    refuse_missing_base(job.loaded, job.run)
    run_stages(job, ["prepare"])
    folder = job.base.folder
    assert folder is not None, "checked by Job.base"
    return training_blocks(job.recipe, job.run, folder)


def train(job: Job) -> None:
    """Start the launcher that the recipe's engine names, unless training is done."""
    from finetune.tokenizer import prove
    from finetune.training.basis import refuse_other_checkpoints

    base = job.base
    assert base.folder is not None
    basis = training_basis(job.recipe, job.run)
    if _is_done(job, "train", basis):
        return
    refuse_other_checkpoints(job.run, basis)
    prove(base.folder, trust_remote_code=base.trust_remote_code)
    write_text(job.run.recipe, as_yaml(job.recipe))
    _launch(job, "train", *(["--despite-doctor"] if job.despite_doctor else []))
    if not job.ledger.is_done("train"):
        raise Failed("train: the launcher ended well, and the training did not")
    _say(job, "train")


def doctor(job: Job) -> None:
    """Examine the run on the engine that will train; prepares it first if need be.

    Raises Refused where something is at fault.
    """
    refuse_missing_base(job.loaded, job.run)
    run_stages(job, ["prepare"])
    with locked(job.run):
        _launch(job, "doctor", "--doctor")


def _launch(job: Job, stage: str, *options: str) -> None:
    """Start the launcher with the run's ranks, and raise what they come to."""
    from finetune.training.batches import plan_batches
    from finetune.training.checkpoint import complete_checkpoints
    from finetune.training.launch import (
        launch,
        launch_command,
        num_gpus,
        num_processes,
        raise_for,
    )

    recipe, folder = job.recipe, job.base.folder
    assert folder is not None
    processes = num_processes(recipe.engine)
    if recipe.engine == "ddp" and processes < 2:
        raise UserError("engine: ddp needs two GPUs and this machine has one; use single")
    refuse_without_gpu(recipe.train, num_gpus())
    plan_batches(recipe.train, recipe.sequences.length, processes)
    _tokenise(job, folder)
    source, runs = job.loaded.source.file.resolve(), job.run.path.parent
    command = launch_command(recipe.engine, source, job.overrides, runs, *options)
    outcome = launch(command, processes, stage)
    newest = next(complete_checkpoints(job.run.checkpoints), None)
    raise_for(outcome, newest.name if newest else None, stage)


def _tokenise(job: Job, base: Path) -> None:
    """Have the corpus as token ids before the ranks ask for it, and say what it comes to."""
    from finetune.sequences.preview import encoding
    from finetune.training.blocks import training_blocks

    corpus = training_blocks(job.recipe, job.run, base).corpus
    words = [f"{corpus.num_tokens:,} in {len(corpus):,} documents", *encoding(corpus)]
    print(f"tokens: {'; '.join(words)}", file=sys.stderr, flush=True)


def merge(job: Job) -> None:
    """Plain weights in merged/, proven equal to what training made."""
    job.ledger.refuse_changes("train", training_basis(job.recipe, job.run))
    basis = basis_of("merge", job.recipe, _inputs(job, "train"))
    if _is_done(job, "merge", basis):
        return
    from finetune.merging.merge import merge as merge_run
    from finetune.models.measure import measuring_set
    from finetune.sequences import open_corpus
    from finetune.tokenizer import CodeTokenizer

    base = job.base
    assert base.folder is not None
    with job.ledger.recording("merge", basis) as outcome:
        held_out = open_corpus(job.run.holdout_corpus, CodeTokenizer(base.folder))
        length = min(job.recipe.sequences.length, 1024)  # all logits are kept for comparison
        probe = measuring_set(held_out, "left_to_right", length, 4 * length)
        tune, train = job.recipe.tune, job.recipe.train
        proof = merge_run(job.run, base, tune.method, probe.blocks, train.precision)
        outcome.summary = (
            f"largest logit difference {proof.max_abs_logit_difference:.2g} of "
            f"{proof.tolerance:.0e} allowed, argmax agreement {proof.argmax_agreement:.4f}"
        )
        outcome.output = digest_of([sha256_of(p) for p in sorted(_weights(job.run.merged))])
    _say(job, "merge")


def evaluate(job: Job) -> None:
    """scores.json: base and tuned side by side on held-out code."""
    job.ledger.refuse_changes("train", training_basis(job.recipe, job.run))
    from finetune.corpus.untrained import inputs_of_forgetting, read_untrained

    more = inputs_of_forgetting(job.recipe.evaluate.forgetting, job.ledger, redo=job.redo)
    basis = basis_of("evaluate", job.recipe, {**_inputs(job, "merge"), **more})
    if _is_done(job, "evaluate", basis):
        return
    from finetune.evaluation.evaluation import evaluate_run
    from finetune.evaluation.score import in_words
    from finetune.run_folder import write_json

    with job.ledger.recording("evaluate", basis) as outcome:
        section, length = job.recipe.evaluate, job.recipe.sequences.length
        others = read_untrained(section.forgetting, job.recipe.data.curate, job.run)
        trust = job.base.trust_remote_code
        scores = evaluate_run(
            job.run, section, _models(job), length, others, trust_remote_code=trust
        )
        write_json(job.run.scores, scores)
        outcome.summary = in_words(scores)
        outcome.output = sha256_of(job.run.scores)
    _say(job, "evaluate")


def write_completions(job: Job) -> list[Path]:
    """What base and tuned write for the recipe's tasks, in files that are judged elsewhere."""
    from finetune.evaluation.evaluation import write_run

    _refuse_too_early(job, "evaluate")
    if not job.recipe.evaluate.tasks:
        raise UserError("evaluate.tasks: there are none, so there is nothing to write")
    with locked(job.run):
        trust = job.base.trust_remote_code
        job.ledger.refuse_changes("merge", basis_of("merge", job.recipe, _inputs(job, "train")))
        return write_run(job.run, job.recipe.evaluate, _models(job), trust_remote_code=trust)


def _models(job: Job) -> dict[str, Path]:
    """The folders of base and tuned."""
    folder = job.base.folder
    assert folder is not None, "checked by Job.base"
    return {"base": folder, "tuned": job.run.merged}


def release(job: Job) -> None:
    """release/: exactly the files that a push uploads, card and licence included.

    Raises Refused where the gate of the evaluation did not pass.
    """
    publish = job.recipe.publish
    if publish is None:
        raise UserError("publish: missing; a release needs at least publish.repo")
    basis = _release_basis(job)
    _refuse_failed_gate(job, "release")
    if _is_done(job, "release", basis):
        return
    from finetune.exporting import exported
    from finetune.licences import derivative_licence
    from finetune.publishing import ReleaseFacts, build_release

    base = job.base
    assert base.licence is not None, "checked before the first stage"
    with job.ledger.recording("release", basis) as outcome:
        licence = derivative_licence(base.licence, publish.licence)
        facts = ReleaseFacts(
            licence=licence,
            base_licence=base.licence,
            base_folder=base.folder,
            base_model_id=base.model_id,
            base_description=_describe(job.recipe, base),
            artefact=exported(job.run, publish, licence),
            repo=publish.repo,
            has_training_index=publish.training_index,
            summary=publish.summary,
            gated_prompt=publish.gated_prompt,
            merged_repo=publish.merged_repo,
            benchmarks=publish.benchmarks or {},
        )
        folder = build_release(job.run, facts)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        outcome.summary = f"{len(files)} files, licence {facts.licence}"
        outcome.output = digest_of([sha256_of(path) for path in files])
    _say(job, "release")


def _release_basis(job: Job) -> Basis:
    return basis_of("release", job.recipe, _inputs(job, "merge", "evaluate"))


def _describe(recipe: Recipe, base: BaseFacts) -> str:
    if isinstance(recipe.base, Scratch):
        return "a GPT-BigCode model made from scratch in the same run"
    return f"`{base.description}`" if base.model_id else f"the model of {base.description}"


def push(job: Job, way: "Way" = "main") -> str:
    """Upload release/, or say what that would send; the gate is that of `release`."""
    publish = job.recipe.publish
    if publish is None:
        raise UserError("publish: missing; a push needs publish.repo")
    if not job.ledger.is_done("release"):
        raise UserError(f"{job.run.path}: `release` has not run; run `finetune release` first")
    from finetune.publishing import push_release

    with locked(job.run):
        job.ledger.refuse_changes("release", _release_basis(job))
        _refuse_failed_gate(job, "push")
        return push_release(job.run.release, publish, way)


def _refuse_failed_gate(job: Job, stage: str) -> None:
    gate = read_json(job.run.scores)["gate"]
    if not gate["passed"] and not job.despite_gate:
        raise Refused(f"{stage}: the gate did not pass: {'; '.join(gate['reasons'])}")


STAGES: dict[str, Callable[[Job], None]] = {
    "prepare": prepare,
    "train": train,
    "merge": merge,
    "evaluate": evaluate,
    "release": release,
}


def run_stages(job: Job, stages: Sequence[str], redo: str | None = None) -> None:
    """These stages in order, and the report after each.

    `redo` clears a stage and what follows it first; `prepare` is done anew before anything goes,
    for its sources may not be what they were.
    """
    from finetune.training.launch import settle_device

    if any(stage != "prepare" for stage in stages):
        refuse_missing_base(job.loaded, job.run)
    _refuse_too_early(job, stages[0])
    settle_device()
    with locked(job.run):
        if redo:
            with locked(job.run, "train"):  # a training started by hand holds this one alone
                if redo == "prepare":
                    prepare(replace(job, redo=redo))
                    stages = [name for name in stages if name != redo]
                job.ledger.clear("train" if redo == "prepare" else redo)
            report(job)
        for name in stages:
            STAGES[name](job)
            report(job)


def _refuse_too_early(job: Job, first: str) -> None:
    """Raise UserError where a stage before `first` has not run; no folder is made for nothing."""
    order = list(STAGES)
    for stage in order[: order.index(first)]:
        if not job.ledger.is_done(stage):
            raise UserError(f"{job.run.path}: `{stage}` has not run; run `finetune {stage}` first")


def all_stages(job: Job) -> list[str]:
    """Up to release/, where the recipe publishes at all."""
    return [name for name in STAGES if name != "release" or job.recipe.publish]


def report(job: Job) -> None:
    """Write report.html from whatever the run holds by now."""
    from finetune.report import write_report

    write_report(job.run)


def _inputs(job: Job, *stages: str) -> dict[str, str]:
    """Digests of what earlier stages left."""
    return {stage: job.ledger.output(stage) for stage in stages}


def _is_done(job: Job, stage: str, basis: Basis) -> bool:
    """Whether `stage` is done on the same basis. Raises UserError where the basis changed."""
    if job.redo == stage:
        return False
    job.ledger.refuse_changes(stage, basis)
    if job.ledger.is_done(stage):
        print(f"{stage}: done before", file=sys.stderr, flush=True)
        return True
    return False


def _say(job: Job, stage: str) -> None:
    record = job.ledger.records()[stage]
    print(f"{stage}: {record['summary']} ({record['seconds']:.0f} s)", file=sys.stderr, flush=True)


def _weights(folder: Path) -> list[Path]:
    return list(folder.glob("*.safetensors"))
