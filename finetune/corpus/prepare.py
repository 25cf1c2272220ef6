"""Recipe's `data` -> the corpus files of a run: list, read and curate, choose, assemble."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.corpus.assemble import assemble
from finetune.corpus.chain import Chain
from finetune.corpus.contamination import Contamination, contamination_index
from finetune.corpus.execute import execute
from finetune.corpus.minhash import sketch_version
from finetune.corpus.opt_out import OptOut, read_opt_out
from finetune.corpus.pipeline import Plan, load_plan, shards_of
from finetune.corpus.reader import Reader, open_source, refuse_overlaps
from finetune.corpus.summary import CorpusSummary
from finetune.errors import UserError
from finetune.recipe.schema import Curate, Data
from finetune.run_folder import RunFolder, digest_of, sha256_of
from finetune.tasks import available, benchmarks_folder, load
from finetune.versions import toolkit

FREE: Any = {"workers": True, "holdout": True, "sources": {"__all__": {"weight", "fim", "labels"}}}
"""Of `data`: what changes nothing in the shards."""


def prepare_corpus(data: Data, run: RunFolder, contamination: Contamination) -> CorpusSummary:
    """Write the corpus, `manifest.jsonl` and `drops.jsonl` of `run`, and say what they hold.

    What was read before it was interrupted is not read again. Raises UserError where a source
    cannot be found or nothing is left to train on or to hold out; the run's earlier files then
    stay as they were.
    """
    readers = [open_source(source, index) for index, source in enumerate(data.sources)]
    refuse_overlaps(data.sources, readers)
    folder = plan_shards(data, readers, run.path, contamination)
    execute(folder, data.workers)
    skipped: Counter[str] = Counter()
    for reader in readers:
        skipped.update(reader.skipped)
    try:
        summary = assemble(folder, data, run, skipped)
    except UserError:  # a recipe that leaves nothing will be changed, and its shards with it
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)
    return summary


def what_to_avoid(curate: Curate, benchmarks: str | None) -> Contamination:
    """Text of the evaluation tasks that the recipe names, or of all that are at hand.

    Raises UserError where a task that is named is not there.
    """
    folder, wanted = benchmarks_folder(benchmarks), curate.decontaminate
    names = available(folder) if wanted == ("all",) else wanted
    return contamination_index([one for name in names for one in load(name, folder)])


def inputs_of(
    data: Data, readers: Sequence[Reader], contamination: Contamination
) -> dict[str, str]:
    """Digests of all that the corpus is made from, by the names under which a change is told."""
    inputs = {"evaluate.benchmarks: content": contamination.digest}
    for index, reader in enumerate(readers):
        inputs[f"data.sources.{index}: content"] = reader.fingerprint()
        tree = reader.licences()
        if tree is not None:
            stated = sorted(f"{folder} {one}" for folder, one in tree.stated.items())
            inputs[f"data.sources.{index}: licence files"] = digest_of(
                [stated, sorted(map(repr, tree.annotations))]
            )
    if data.curate.opt_out is not None:
        inputs["data.curate.opt_out: content"] = sha256_of(Path(data.curate.opt_out).expanduser())
    return inputs


def plan_shards(
    data: Data, readers: Sequence[Reader], parent: Path, contamination: Contamination
) -> Path:
    """The folder below `parent` in which the shards are to be written, with their plan.

    Another plan's shards are deleted; those of the same plan stay, and need not be written again.
    """
    named = data.curate.opt_out
    opt_out = read_opt_out(Path(named).expanduser()) if named else OptOut()
    key = digest_of(
        [
            data.model_dump(mode="json", exclude=FREE),
            inputs_of(data, readers, contamination),
            [sketch_version(), toolkit()],
        ]
    )
    folder = parent / f".prepare-{key}"
    for other in parent.glob(".prepare-*"):
        if other != folder:
            shutil.rmtree(other)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # a plan is a pickle: nobody else's
    chains = tuple(
        Chain(source, data.curate, reader.licences(), reader.stated, opt_out, contamination)
        for source, reader in zip(data.sources, readers, strict=True)
    )
    together = [source.format == "repository" for source in data.sources]
    shards = shards_of([reader.sizes() for reader in readers], together)
    Plan(tuple(readers), chains, shards, data.curate.near_duplicates is not None).save(folder)
    load_plan.cache_clear()
    return folder
