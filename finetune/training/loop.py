"""The training loop: blocks in, optimiser steps, a log, validation, checkpoints.

Each rank takes its own share of every global batch, and all add up their labels before the backward
pass: the loss is the mean over exactly those labels, whatever the number of ranks and
micro-batches.
"""

import json
import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from finetune.errors import Failed
from finetune.ledger import Basis
from finetune.models.forward import collate, num_labels, token_losses
from finetune.recipe.schema import Train
from finetune.run_folder import write_text
from finetune.sequences import Block
from finetune.training.batches import BatchPlan, learning_rate
from finetune.training.best import Best
from finetune.training.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint
from finetune.training.feed import Feed
from finetune.training.meter import Speed, Tally, Totals, peak_memory
from finetune.training.together import from_main
from finetune.training.validation import Validation

Line = dict[str, Any]


REMEDY = (
    "the newest checkpoint is kept. Lower train.learning_rate, or look at the data of this step "
    "with `finetune preview`"
)


class Stopped(Exception):
    """SIGTERM came; everything is saved."""


@dataclass
class Trainer:
    """One run's moving parts. `model` and `optimizer` are as the accelerator prepared them."""

    accelerator: Any
    model: Any
    optimizer: Any
    feed: Feed
    validation: Validation
    train: Train
    plan: BatchPlan
    checkpoints: Path
    log: Path
    basis: Basis
    """What the run stands on, stored in each checkpoint."""
    show: Callable[[Line], None]
    """Called on rank 0 with every line of the log."""
    speed: Speed
    """What a step comes to in floating-point operations."""
    best: Best = field(default_factory=Best)
    step: int = 0
    seconds: float = 0.0
    """In optimiser steps alone, over all sessions of the run."""
    elapsed: float = 0.0
    """In all, over all sessions: steps, validation, checkpoints."""
    asked: bool = False
    """Whether this rank was sent SIGTERM."""
    stop: bool = False
    """Whether all ranks have agreed to stop."""
    _began: float = field(init=False, default=0.0)

    def run(self) -> None:
        """Resume from the newest whole checkpoint, if any, and train to the end.

        Raises Stopped after SIGTERM (a checkpoint is written first) and Failed on a loss that is
        not finite.
        """
        self._resume()
        self._began = time.perf_counter() - self.elapsed
        previous = signal.signal(signal.SIGTERM, self._ask_to_stop)
        try:
            if self.step == 0:
                self._validate()
            while not self.is_done:
                self._train_one()
                self._after_step()
            self._go_back_to_the_best()
        finally:
            signal.signal(signal.SIGTERM, previous)

    @property
    def is_done(self) -> bool:
        """Whether all steps were taken, or more were given up."""
        is_last = self.step >= self.plan.steps
        return is_last or self.best.is_given_up(self.train.early_stopping)

    def _train_one(self) -> None:
        began = time.perf_counter()
        own = self.feed.take(self.plan.blocks // self.accelerator.num_processes)
        waited = time.perf_counter() - began
        rate = learning_rate(self.train, self.step, self.plan.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        labels = self._labels_of_all_ranks(own)
        totals, self.stop = self._agree(self._forward_backward(own, labels))
        norm = self._step_optimizer()
        self.step += 1
        seconds = time.perf_counter() - began
        self.seconds += seconds
        tokens = self.train.batch_tokens
        self._write(
            {
                "step": self.step,
                "tokens": self.step * tokens,
                "loss": totals.loss,
                "losses": totals.losses(),
                "learning_rate": rate,
                "gradient_norm": norm,
                "tokens_per_second": tokens / seconds,
                "mfu": self.speed.utilisation(tokens, totals.pairs, seconds),
                "data_wait": waited / seconds,
                "peak_memory": peak_memory(),
            }
        )

    def _labels_of_all_ranks(self, own: list[Block]) -> int:
        mine = torch.tensor(sum(map(num_labels, own)), device=self.accelerator.device)
        return int(self.accelerator.reduce(mine, reduction="sum"))

    def _forward_backward(self, own: list[Block], labels: int) -> Tally:
        """The gradients of one optimiser step over this rank's blocks, and its sums.

        Engines average gradients over ranks and over accumulated passes; the loss is scaled up by
        both, so that what is left is the mean over the global batch's labels.
        """
        micro, passes = self.plan.micro_batch, self.plan.accumulation
        scale = self.accelerator.num_processes * passes / max(1, labels)
        tally = Tally(self.accelerator.device)
        for number in range(passes):
            blocks = own[number * micro : (number + 1) * micro]
            batch = collate(blocks, self.accelerator.device)
            with self.accelerator.accumulate(self.model):
                losses = token_losses(self.model, batch)  # (B, L - 1)
                self.accelerator.backward(losses.sum() * scale)
            tally.add(blocks, losses)
        return tally

    def _step_optimizer(self) -> float | None:
        """Clip and step; the gradient's norm before. None where fp16 overflowed: its scale was too
        large, the step is passed over and the scale lowered.

        Raises Failed where the norm is not finite for another reason.
        """
        if hasattr(self.model, "get_global_grad_norm"):  # DeepSpeed has stepped in backward
            return self._finite(float(self.model.get_global_grad_norm() or 0.0))
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.train.clip)
        found = self._finite(float(norm))
        self.optimizer.step()
        self.optimizer.zero_grad()
        return found

    def _finite(self, norm: float) -> float | None:
        if math.isfinite(norm) and norm >= 0:  # DeepSpeed says -1 where it is not
            return norm
        if self.train.precision == "fp16":
            return None
        raise Failed(f"step {self.step + 1}: the norm of the gradient is {norm}; {REMEDY}")

    def _agree(self, tally: Tally) -> tuple[Totals, bool]:
        """The sums of all ranks, and whether any of them was asked to stop."""
        asked = torch.tensor([float(self.asked)], dtype=torch.float64)
        mine = torch.cat((tally.vector(), asked.to(self.accelerator.device)))  # (8,)
        *sums, num_asked = self.accelerator.reduce(mine, reduction="sum").tolist()
        totals = Totals.of(sums)
        if not math.isfinite(totals.loss):
            raise Failed(f"step {self.step + 1}: the loss is {totals.loss}; {REMEDY}")
        return totals, num_asked > 0

    def _after_step(self) -> None:
        every = self.train.validate_every or max(1, self.plan.steps // 10)
        is_last, is_best = self.step == self.plan.steps, False
        if is_last or self.step % every == 0:
            is_best = self._validate()
        often = self.train.checkpoint_every or max(1, self.plan.steps // 10)
        if is_best or self.is_done or self.stop or self.step % often == 0:
            self._save()
        if self.stop:
            raise Stopped(f"stopped by SIGTERM; step-{self.step} is saved")

    def _validate(self) -> bool:
        """Measure what is held out; whether it was never better behind a training step."""
        losses = self.validation.losses(self.accelerator, self.model, self.plan.micro_batch)
        line: Line = {"step": self.step, "tokens": self.step * self.train.batch_tokens}
        line["validation"] = losses.by_layout
        if len(losses.by_language) > 1:
            line["validation_by_language"] = losses.by_language
        self._write(line)
        rule = self.train.early_stopping
        least = rule.min_improvement if rule else 0.0
        return self.step > 0 and self.best.see(self.step, losses.mean, least)

    def _go_back_to_the_best(self) -> None:
        """With early stopping, the best validation's weights are the run's result."""
        if self.train.early_stopping is None or self.best.step in (0, self.step):
            return
        load_checkpoint(
            self.checkpoints / f"step-{self.best.step}",
            accelerator=self.accelerator,
            model=self.model,
            optimizer=self.optimizer,
        )

    def _save(self) -> None:
        self.elapsed = time.perf_counter() - self._began
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "elapsed": self.elapsed,
            "feed": self.feed.state(),
            "keys": self.basis.keys,
            "inputs": self.basis.inputs,
            "processes": self.accelerator.num_processes,
            "best": vars(self.best),
        }
        save_checkpoint(
            self.checkpoints,
            self.step,
            accelerator=self.accelerator,
            model=self.model,
            optimizer=self.optimizer,
            state=state,
            keep=self.train.keep_checkpoints,
            best=self.best.step,
        )

    def _resume(self) -> None:
        newest = from_main(self.accelerator, lambda: newest_checkpoint(self.checkpoints))
        if newest is None:
            self.feed.start()
            if self.accelerator.is_main_process:
                self.log.unlink(missing_ok=True)
            return
        state = load_checkpoint(
            newest, accelerator=self.accelerator, model=self.model, optimizer=self.optimizer
        )
        self.step, self.seconds = state["step"], state["seconds"]
        self.elapsed, self.best = state["elapsed"], Best(**state["best"])
        self.feed.start(state["feed"])
        if self.accelerator.is_main_process:
            _forget_lines_after(self.log, self.step)
            self.show({"resumed": newest.name})

    def _write(self, line: Line) -> None:
        if not self.accelerator.is_main_process:
            return
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.show(line)

    def _ask_to_stop(self, *_: object) -> None:
        self.asked = True


def _forget_lines_after(log: Path, step: int) -> None:
    """Drop what was logged after the checkpoint: those steps will be taken again."""
    if not log.is_file():
        return
    kept = []
    for text in log.read_text(encoding="utf-8").splitlines(keepends=True):
        if not text.endswith("\n"):
            continue  # the kill came in the middle of a line
        if json.loads(text)["step"] <= step:
            kept.append(text)
    write_text(log, "".join(kept))
