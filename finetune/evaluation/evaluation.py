"""Base and tuned, one after the other: what is measured, what is written, what it is worth.

One model is in memory at a time, and is loaded once. What it wrote lies in files before anything of
it is judged, so `write` and the judging may be done on different machines.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.corpus import read_documents
from finetune.corpus.untrained import Untrained
from finetune.evaluation.score import ModelScores, held_out, score_model, scores_json
from finetune.evaluation.site import site_for
from finetune.evaluation.tasks_of_run import (
    Written,
    chosen_tasks,
    no_sentinels,
    score_tasks,
    write_tasks,
)
from finetune.generation.completion import Backend
from finetune.generation.folder_model import FolderModel
from finetune.generation.server import CompletionServer
from finetune.recipe.evaluation import Evaluate
from finetune.run_folder import RunFolder
from finetune.sequences import open_corpus
from finetune.tokenizer import CodeTokenizer
from finetune.versions import toolkit


def evaluate_run(
    run: RunFolder,
    section: Evaluate,
    folders: Mapping[str, Path],
    length: int,
    others: Untrained,
    *,
    trust_remote_code: bool,
) -> dict[str, Any]:
    """The contents of scores.json; `folders` of `base` and `tuned`, `length` of held-out blocks,
    `others` the files of languages that were not trained on.

    Raises UserError.
    """
    tasks = chosen_tasks(section)
    site = site_for(tasks, section)
    documents = read_documents(run.holdout_corpus)
    corpus = open_corpus(run.holdout_corpus, CodeTokenizer(folders["base"]))
    inputs = held_out(corpus, documents, section, length, others)
    measured: dict[str, ModelScores] = {}
    written: dict[str, dict[str, Written]] = {}
    for name, folder in folders.items():
        model = folder_model(folder, section, trust_remote_code=trust_remote_code)
        measured[name] = score_model(model, inputs, section)
        written[name] = write_tasks(run, name, writer(name, model, section), tasks, site)
    results = score_tasks(tasks, written, site)
    scores = scores_json(measured["base"], measured["tuned"], inputs, section, results)
    return {**scores, "toolkit": toolkit()}


def write_run(
    run: RunFolder, section: Evaluate, folders: Mapping[str, Path], *, trust_remote_code: bool
) -> list[Path]:
    """The files of all completions, whether or not they can be judged here. A task that a model
    cannot be asked is told. Raises UserError.
    """
    tasks = chosen_tasks(section)
    files = []
    for name, folder in folders.items():
        model = folder_model(folder, section, trust_remote_code=trust_remote_code)
        written = write_tasks(run, name, writer(name, model, section), tasks)
        files += [one.file for one in written.values()]
        for left in (task.name for task in tasks if task.name not in written):
            print(f"evaluate: {left} is not written: {no_sentinels([name])}", file=sys.stderr)
    return files


def folder_model(folder: Path, section: Evaluate, *, trust_remote_code: bool) -> FolderModel:
    """The model of a folder as the recipe has it measured."""
    return FolderModel(
        folder=folder,
        precision=section.precision,
        batch_size=section.batch_size,
        trust_remote_code=trust_remote_code,
    )


def writer(name: str, model: FolderModel, section: Evaluate) -> Backend:
    """Who writes the completions of that model: a server that the recipe names, or itself."""
    server = getattr(section.servers, name)
    if server is None:
        return model
    return CompletionServer(
        url=server.url,
        model=server.model,
        tokenizer=model.tokenizer,
        positions=model.positions,
        as_text=server.prompts == "text",
        per_call=server.samples_per_call,
        at_once=server.calls_at_once,
    )
