"""Read and curate a recipe's sources by shards: what `finetune prepare` does first, by hand.

python examples/prepare_by_shards.py recipe.yaml FOLDER [TASKS]

Here the tasks run on datatrove's local executor. On a cluster the same steps go to another one,
with FOLDER on a disk that all nodes share:

    from datatrove.executor import SlurmPipelineExecutor
    SlurmPipelineExecutor(steps(folder), tasks=64, time="02:00:00", partition="cpu",
                          logging_dir=str(folder / "logs")).run()

Afterwards `assemble` chooses among duplicates, splits, and writes the corpus on one node.
"""

import sys
from collections import Counter
from pathlib import Path

from finetune.corpus import open_source
from finetune.corpus.assemble import assemble
from finetune.corpus.pipeline import load_plan, steps
from finetune.corpus.prepare import plan_shards, what_to_avoid
from finetune.recipe import load_recipe
from finetune.run_folder import RunFolder


def main(recipe: Path, parent: Path, tasks: int) -> None:
    """Plan, run every task, assemble; print what there is."""
    from datatrove.executor import LocalPipelineExecutor

    loaded = load_recipe(recipe, ()).recipe
    data = loaded.data
    readers = [open_source(source, index) for index, source in enumerate(data.sources)]
    contamination = what_to_avoid(data.curate, loaded.evaluate.benchmarks)
    folder = plan_shards(data, readers, parent, contamination)
    print(f"{len(load_plan(folder).shards)} shards in {folder}")
    LocalPipelineExecutor(
        steps(folder), tasks=tasks, workers=tasks, logging_dir=str(folder / "logs")
    ).run()
    skipped = sum((Counter(reader.skipped) for reader in readers), Counter())
    summary = assemble(folder, data, RunFolder(parent), skipped)
    print(f"{summary.train.documents} documents to train on, {summary.holdout.documents} held out")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python examples/prepare_by_shards.py RECIPE FOLDER [TASKS]")
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 2)
