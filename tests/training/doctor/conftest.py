"""A small base that really fills in, on code whose middles tell which side is which; and runs that
the doctor examines in this process, with faults planted in their files or in what they call."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest
import torch

from data_formats.document import Document
from finetune.errors import Refused
from finetune.job import open_job
from finetune.ledger import basis_of
from finetune.models.forward import collate, num_labels, token_losses
from finetune.models.load import load_model
from finetune.models.scratch import make_model
from finetune.recipe import Recipe, load_recipe
from finetune.recipe.schema import Fim, ScratchModel, Sequences
from finetune.run_folder import RunFolder, read_json
from finetune.sequences import Encoder, Rule, block_stream, tokenise
from finetune.stages import run_stages
from finetune.tokenizer import CodeTokenizer, train_tokenizer
from finetune.training.start import examine

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
TEXTS = [
    "".join(ALPHABET[(start + at) % 26] for at in range(length)) + "\n"
    for start in range(26)
    for length in range(10, 25)
]
"""The alphabet round and round. A middle begins behind the prefix's last letter and ends before the
suffix's first: who takes one side for the other fills in other letters."""
LENGTH, WIDTH, STEPS, RATE = 128, 48, 300, 6e-3
"""Of the base: after 200 steps exchanged sentinels cost half a nat more per token."""

RECIPE = """\
name: patient
base: {model: BASE, licence: mit}
data:
  sources:
    - {format: source_code, path: LETTERS, language: python}
  holdout: 0.2
  workers: 1
  curate: {near_duplicates: null, personal_data: keep, decontaminate: []}
fim: {rate: 0.9, spm: 0.0}
sequences: {length: 128}
tune: {method: lora, rank: 4, alpha: 8}
train:
  tokens: 4096
  batch_tokens: 1024
  micro_batch: 4
  learning_rate: 1e-3
  precision: fp32
  validation_tokens: 4096
"""


@pytest.fixture(scope="session")
def fim_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a base that learned to fill in, with one core in half a minute; not to be
    changed."""
    folder = tmp_path_factory.mktemp("fim_base") / "base"
    # Merges of spaces alone: letters are tokens, and lost digits show behind several spaces.
    train_tokenizer(["        42\n"] * 9, vocabulary=278, positions=LENGTH, folder=folder)
    made = ScratchModel(layers=2, width=WIDTH, heads=2, positions=LENGTH, licence="mit")
    make_model(made, folder)
    documents = [
        Document(text=text, path=f"{number}.py", repo="r", language="python")
        for number, text in enumerate(TEXTS)
    ]
    corpus = tokenise(documents, Encoder(CodeTokenizer(folder)))
    stream = block_stream(corpus, [Rule(Fim(rate=0.9, spm=0.0))], Sequences(length=LENGTH), seed=0)
    model = load_model(folder).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95))
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 50) * (1 - step / STEPS)
        blocks = list(islice(stream, 8))
        losses = token_losses(model, collate(blocks))
        (losses.sum() / sum(map(num_labels, blocks))).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def recipe_file(fim_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose base is that folder; its corpus lies beside it."""
    place = tmp_path_factory.mktemp("patient")
    for number, text in enumerate(TEXTS):
        file = place / "letters" / f"part{number % 40}" / f"{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    file = place / "patient.yaml"
    file.write_text(
        RECIPE.replace("BASE", str(fim_base)).replace("LETTERS", str(place / "letters"))
    )
    return file


@pytest.fixture(scope="session")
def prepared(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder after `prepare`; not to be changed."""
    runs = tmp_path_factory.mktemp("prepared")
    run_stages(open_job(recipe_file, (), runs), ["prepare"])
    return runs / "patient"


@pytest.fixture
def base(fim_base: Path, tmp_path: Path) -> Path:
    """A copy of the base, to plant faults in."""
    shutil.copytree(fim_base, tmp_path / "base")
    return tmp_path / "base"


def copy_prepared(prepared: Path, run: RunFolder, recipe: Recipe) -> None:
    """A copy of the prepared run that stands on this recipe's base, in which faults may be."""
    shutil.copytree(prepared, run.path, dirs_exist_ok=True)
    keys = basis_of("prepare", recipe, {}).keys
    change_json(run.stages, lambda records: records["prepare"].update(keys=keys))


@dataclass
class Examined:
    """What the doctor wrote, and whether it refused."""

    findings: dict[str, dict[str, str]]
    message: str | None

    def verdict(self, check: str) -> str:
        return self.findings[check]["verdict"]

    @property
    def faults(self) -> set[str]:
        return {name for name, one in self.findings.items() if one["verdict"] == "fault"}


@pytest.fixture
def doctor(recipe_file: Path, prepared: Path, base: Path, tmp_path: Path) -> Iterator[Callable]:
    """`doctor(*overrides)`: examine the run on the copied base as `finetune doctor` does, in this
    process."""
    from accelerate.state import AcceleratorState

    def examined(*overrides: str) -> Examined:
        run = RunFolder(tmp_path / "runs" / "patient")
        own = (f"base.model={base}", *overrides)
        recipe = load_recipe(recipe_file, own).recipe
        copy_prepared(prepared, run, recipe)
        message = None
        try:
            examine(recipe, run)
        except Refused as error:
            message = str(error)
        found = read_json(run.doctor)
        assert found["healthy"] == (message is None)
        return Examined({one["check"]: one for one in found["findings"]}, message)

    yield examined
    AcceleratorState._reset_state(reset_partial_state=True)


def change_json(file: Path, change: Callable[[dict], None]) -> None:
    """Rewrite a JSON file as `change` leaves it."""
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value, ensure_ascii=False))
