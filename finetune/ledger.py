"""stages.json: which stage ran, on what, and how long; and whether that still holds.

A stage depends on sections of the recipe and on what earlier stages left. Its record keeps both,
so that a change is reported with the names of the keys that changed.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from finetune.errors import UserError
from finetune.recipe import Recipe
from finetune.run_folder import RunFolder, digest_of, read_json, write_json

SECTIONS = {
    "prepare": ("base", "data"),
    "train": ("base", "objective", "fim", "sequences", "tune", "train", "engine"),
    "merge": (),
    "evaluate": ("sequences", "evaluate"),
    "release": ("publish",),
}
"""The sections of the recipe that each stage reads, in the order of the stages."""

SEQUENCE_KEYS = ("fim", "labels")
"""Keys of a source that say how its documents are written: training reads them, not `prepare`."""

FREE_KEYS = frozenset(
    {
        "data.workers",
        "engine",
        "train.workers",
        "train.micro_batch",
        "train.activation_checkpointing",
        "train.checkpoint_every",
        "train.keep_checkpoints",
    }
)
"""What may change under a run: how the work is divided, and how often it is stored."""


@dataclass(frozen=True)
class Basis:
    """What a stage stands on: its recipe sections as flat keys, and digests of its inputs."""

    keys: dict[str, Any]
    inputs: dict[str, str]

    def changes(self, before: "Basis") -> list[str]:
        """Names of the keys and inputs that differ from an earlier basis."""
        return [
            name
            for now, then in ((self.keys, before.keys), (self.inputs, before.inputs))
            for name in sorted({*now, *then})
            if now.get(name) != then.get(name)
        ]


def basis_of(stage: str, recipe: Recipe, inputs: dict[str, str]) -> Basis:
    """The basis of `stage` for a recipe; `inputs` are digests by name."""
    values = recipe.model_dump(mode="json", include=set(SECTIONS[stage]))
    sources = recipe.model_dump(mode="json", include={"data"})["data"]["sources"]
    if stage == "prepare":
        values["data"]["sources"] = [_without(source, SEQUENCE_KEYS) for source in sources]
    if stage == "train":
        own = {key: [source[key] for source in sources] for key in SEQUENCE_KEYS}
        values["data"] = {"sources": own}
    keys = {key: value for key, value in _flat(values) if key not in FREE_KEYS}
    return Basis(keys, inputs)


def _without(source: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in source.items() if key not in keys}


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else name)
    else:
        yield key, value


@dataclass(frozen=True)
class Ledger:
    """The records of one run folder."""

    run: RunFolder

    def records(self) -> dict[str, Any]:
        """All records by stage; empty for a new run."""
        return read_json(self.run.stages) if self.run.stages.is_file() else {}

    def is_done(self, stage: str) -> bool:
        """Whether the stage has finished."""
        return stage in self.records()

    def output(self, stage: str) -> str:
        """Digest of what the stage left; later stages take it as an input."""
        return str(self.records()[stage]["output"])

    def refuse_changes(self, stage: str, basis: Basis) -> None:
        """Raise UserError where a finished stage stood on something else."""
        record = self.records().get(stage)
        if record is None:
            return
        changed = basis.changes(Basis(record["keys"], record["inputs"]))
        if changed:
            raise UserError(changed_message(self.run, stage, changed))

    def refuse_other_recipe(self, stage: str, recipe: Recipe) -> None:
        """Raise UserError where a finished stage was told something else by the recipe. What else
        it stood on is not looked at: sources may be on another machine."""
        record = self.records().get(stage)
        if record is not None:
            self.refuse_changes(stage, basis_of(stage, recipe, record["inputs"]))

    @contextmanager
    def recording(self, stage: str, basis: Basis, *, write: bool = True) -> Iterator["Outcome"]:
        """Time a stage; its record is written only when the block ends without an error.

        Of several processes, one alone passes `write`.
        """
        outcome = Outcome()
        began = time.time()
        yield outcome
        if not write:
            return
        records = self.records()
        records[stage] = {
            "keys": basis.keys,
            "inputs": basis.inputs,
            "output": outcome.output or digest_of(outcome.summary),
            "seconds": round(time.time() - began, 3),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "summary": outcome.summary,
            **outcome.facts,
        }
        write_json(self.run.stages, records)

    def forget(self, stage: str) -> None:
        """Remove the records of `stage` and of all that follow it."""
        order = list(SECTIONS)
        gone = order[order.index(stage) :]
        kept = {name: record for name, record in self.records().items() if name not in gone}
        write_json(self.run.stages, kept)

    def clear(self, stage: str) -> None:
        """Forget `stage` and those after it, and delete what they left."""
        run = self.run
        left = {
            "train": [run.doctor, run.checkpoints, run.adapter, run.model, run.log],
            "merge": [run.merged, run.evaluation],
            "evaluate": [run.scores],
            "release": [run.gguf, run.release],
        }
        self.forget(stage)
        order = list(SECTIONS)
        for name in reversed(order[order.index(stage) :]):
            for path in left[name]:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)


@dataclass
class Outcome:
    """What a stage says of itself while it is being recorded."""

    summary: str = ""
    output: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def changed_message(run: RunFolder, stage: str, changed: list[str]) -> str:
    """The sentence for a stage that no longer stands on what it stood on."""
    return (
        f"{run.path}: {', '.join(changed)} changed since `{stage}` ran; "
        f"give the recipe another name, or do it again: `finetune run RECIPE --redo {stage}`"
    )
