"""The order of the checks, and what happens behind each look: all ranks know the same findings."""

import sys
import time
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from finetune.base import BaseFacts
from finetune.errors import Refused
from finetune.recipe import Recipe
from finetune.run_folder import RunFolder, write_json
from finetune.sequences import Block, open_corpus
from finetune.tokenizer import CodeTokenizer
from finetune.training.blocks import training_blocks
from finetune.training.doctor.files import ids_in_embedding, same_tokenizer, whole_weights
from finetune.training.doctor.finding import (
    Finding,
    as_json,
    faults,
    in_lines,
    not_applicable,
    refusal,
)
from finetune.training.together import from_main

LATER = {
    "model": ("finite weights", "stored weights", "tied head", "trainable weights"),
    "trainer": (
        *("ends", "labels", "isolation", "base", "sentinels"),
        *("start", "gradients", "learning rate"),
    ),
    "step": ("first step", "memory"),
}
"""The checks of each look, for those that are not reached."""
BLOCKS = 64
"""Training blocks whose labels are looked at."""


@dataclass
class Doctor:
    """Examines a run on its way to the first step. Every rank makes one and calls its looks.

    A look raises Refused on every rank where it finds a fault, once doctor.json is written.
    """

    recipe: Recipe
    run: RunFolder
    accelerator: Any
    base: BaseFacts
    is_alone: bool = False
    """Whether nothing is trained afterwards: then a real step is taken."""
    is_overruled: bool = False
    """Whether faults stop nothing."""
    findings: list[Finding] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    @property
    def folder(self) -> Path:
        assert self.base.folder is not None, "the base's files are here before it is examined"
        return self.base.folder

    def look_at_files(self) -> None:
        """Before anything is loaded; rank 0 does."""

        def look() -> list[Finding]:
            trust = self.base.trust_remote_code
            tokenizer = same_tokenizer(self.folder, trust_remote_code=trust)
            ids = ids_in_embedding(self.folder, trust_remote_code=trust)
            return [whole_weights(self.folder), tokenizer, ids]

        self._add(from_main(self.accelerator, look))
        self._conclude("model", "trainer", "step")

    def look_at_model(self, model: Any) -> None:
        """As the method has made it, before the engine takes it."""
        from finetune.training.doctor.trainable import trainable_weights
        from finetune.training.doctor.weights import (
            look_at_weights,
            principal_start,
            tied_head,
        )

        main = self.accelerator.is_main_process
        found = look_at_weights(model, self.folder, main=main)
        found.append(tied_head(model, self.folder, main=main))
        found.append(trainable_weights(model, self.recipe.tune))
        self._add(found)
        self._conclude("trainer", "step")
        start = principal_start(model, self.recipe.tune, self.folder, main=main)
        self._add([start] if start else [])
        self._conclude("trainer", "step")

    def look_at_trainer(self, trainer: Any, fitted: Recipe) -> None:
        """At everything, as the engine has prepared it. Leaves no trace: neither gradients nor a
        moved generator nor a read block. `fitted`: the recipe with what the machine has decided."""
        device = self.accelerator.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            self._examine(trainer, fitted)
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def _examine(self, trainer: Any, fitted: Recipe) -> None:
        from finetune.training.doctor.held_out import held_out_loss
        from finetune.training.doctor.isolation import isolated_documents
        from finetune.training.doctor.labels import learnable_ends, unmoved_labels
        from finetune.training.doctor.rate import sane_rate
        from finetune.training.doctor.sentinels import known_sentinels
        from finetune.training.doctor.start import unchanged_start
        from finetune.training.doctor.step import real_step
        from finetune.training.doctor.subject import Subject
        from finetune.training.doctor.trainable import gradients

        stream = training_blocks(fitted, self.run, self.folder)
        blocks: list[Block] = list(islice(stream, max(BLOCKS, trainer.plan.micro_batch)))
        subject = Subject(
            recipe=fitted,
            trainer=trainer,
            blocks=blocks,
            corpus=stream.corpus,
            held_out=open_corpus(self.run.holdout_corpus, CodeTokenizer(self.folder)),
        )
        self._add([learnable_ends(subject), unmoved_labels(subject), isolated_documents(subject)])
        base, is_trained = held_out_loss(subject)
        # All ranks must go the same way, and one may have rounded otherwise.
        subject = replace(subject, is_trained=from_main(self.accelerator, lambda: is_trained))
        self._add([base, known_sentinels(subject)])
        if not any(finding.check == "start" for finding in self.findings):
            self._add([unchanged_start(subject)])
        self._add([gradients(subject), sane_rate(fitted, trainer.model)])
        if self.is_alone and not faults(self.findings):
            first, second = (training_blocks(fitted, self.run, self.folder) for _ in range(2))
            self._add(real_step(subject, (first, second)))
        self._conclude("step")
        self._report()

    def _add(self, found: list[Finding]) -> None:
        """What rank 0 found is what all have found."""
        self.findings += from_main(self.accelerator, lambda: found)

    def _conclude(self, *later: str) -> None:
        """Raise Refused where a fault was found so far; `later` are the looks that it prevents."""
        if not faults(self.findings) or self.is_overruled:
            return
        known = {finding.check for finding in self.findings}
        for check in (check for look in later for check in LATER[look]):
            if check in known or (check in LATER["step"] and not self.is_alone):
                continue
            self.findings.append(not_applicable(check, "looked at once the faults are mended"))
        self._report()
        raise Refused(refusal(self.findings))

    def _report(self) -> None:
        """Write doctor.json and print a line per check; rank 0 does."""
        if not self.accelerator.is_main_process:
            return
        about = {
            "engine": self.recipe.engine,
            "processes": self.accelerator.num_processes,
            "seconds": round(time.monotonic() - self._began, 1),
        }
        write_json(self.run.doctor, as_json(self.findings, **about))
        out = sys.stdout if self.is_alone else sys.stderr
        for line in in_lines(self.findings):
            print(line, file=out, flush=True)
