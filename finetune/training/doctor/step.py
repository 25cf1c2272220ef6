"""One real optimiser step at the peak rate, and what it took of memory. For the doctor alone: the
weights are not the base's any more behind it."""

import os
import re
from dataclasses import replace
from pathlib import Path

import torch

from finetune.errors import UserError
from finetune.models.forward import num_labels
from finetune.planning import memory_of
from finetune.run_folder import RunFolder
from finetune.sequences import Block, BlockStream
from finetune.training.doctor.finding import Finding, fault, not_applicable, note, ok
from finetune.training.doctor.subject import Subject, without_dropout
from finetune.training.feed import Feed
from finetune.training.fit import request_here
from finetune.training.loop import Trainer

MARGIN = 0.1
"""Nats per token by which one step at the peak may raise the loss of its own batch."""
CLOSE = 0.1
"""Share by which a GPU's measured peak may differ from the plan's."""


def real_step(subject: Subject, streams: tuple[BlockStream, BlockStream]) -> list[Finding]:
    """Findings on the loss of the batch before and behind a step, and on memory.

    Every rank must call it. `streams`: two that stand at the beginning.
    """
    trainer = subject.trainer
    own = _feed(trainer, streams[0]).take(trainer.plan.blocks // trainer.accelerator.num_processes)
    one = replace(
        trainer,
        train=trainer.train.model_copy(update={"schedule": "constant", "warmup": 0.0}),
        feed=_feed(trainer, streams[1]),
        log=Path(os.devnull),
        show=lambda line: None,
    )
    before = _loss(subject, own)
    _forget_peak()
    with without_dropout(trainer.model):
        one._train_one()
    peak = _peak()
    return [_judged(subject, before, _loss(subject, own)), _memory(subject, peak)]


def _feed(trainer: Trainer, stream: BlockStream) -> Feed:
    accelerator = trainer.accelerator
    feed = Feed(stream, accelerator.process_index, accelerator.num_processes)
    feed.start()
    return feed


def _loss(subject: Subject, own: list[Block]) -> float:
    """Nats per label over the blocks of all ranks."""
    mine = [float(subject.losses(own).sum()), float(sum(map(num_labels, own)))]
    accelerator = subject.trainer.accelerator
    vector = torch.tensor(mine, dtype=torch.float64, device=accelerator.device)  # (2,)
    nats, labels = accelerator.reduce(vector, reduction="sum").tolist()
    return float(nats) / max(1.0, float(labels))


def _judged(subject: Subject, before: float, after: float) -> Finding:
    rate = subject.recipe.train.learning_rate
    words = f"at the peak rate ({rate:g}) takes the loss of its batch from {before:.4f} to "
    words += f"{after:.4f} nats per token"
    if after - before <= MARGIN:
        return ok("first step", words)
    return fault(
        "first step",
        f"{words}: a rise of more than {MARGIN:g}",
        cause="the learning rate is too high for this model, or gradients do not fit its weights",
        remedy="lower train.learning_rate; a tenth is a good next try",
    )


PEAK = Path("/proc/self/clear_refs")
"""Linux: writing 5 forgets the highest resident size so far."""


def _forget_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    elif PEAK.exists():
        PEAK.write_text("5", encoding="ascii")


def _peak() -> int | None:
    """Bytes that torch had allocated at most on the GPU, else that this process had resident; None
    where the system does not tell."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    if not PEAK.exists():
        return None
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else None


def _memory(subject: Subject, peak: int | None) -> Finding:
    """On a CPU interpreter and libraries are in it, so that is a note whatever it comes to."""
    check, trainer = "memory", subject.trainer
    if peak is None:
        return not_applicable(check, "this system does not tell a process's highest memory")
    run = RunFolder(trainer.log.parent)
    try:
        request = request_here(subject.recipe, run, trainer.accelerator)
        memory = memory_of(
            request,
            micro_batch=trainer.plan.micro_batch,
            checkpointing=bool(trainer.train.activation_checkpointing),
            accumulates=trainer.plan.accumulation > 1,
        )
    except UserError as error:
        return not_applicable(check, f"no plan to compare with: {error}")
    if not torch.cuda.is_available():
        return note(
            check,
            f"at most {_mib(peak)} resident in the first step, libraries included; planned "
            f"{_mib(memory.allocated)} and {_mib(memory.context)} for them",
        )
    off = peak / memory.allocated - 1
    words = f"at most {_mib(peak)} allocated in the first step, {_mib(memory.allocated)} planned"
    return (ok if abs(off) <= CLOSE else note)(check, f"{words} ({off:+.1%})")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
