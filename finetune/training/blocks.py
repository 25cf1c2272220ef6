"""The blocks that a recipe trains on, from the first on. Needs no torch: preview shows the same."""

from pathlib import Path

from finetune.recipe import Recipe
from finetune.run_folder import RunFolder
from finetune.sequences import BlockStream, block_stream, open_corpus, rules_of
from finetune.tokenizer import CodeTokenizer


def training_blocks(recipe: Recipe, run: RunFolder, base: Path) -> BlockStream:
    """The stream over the run's corpus with the tokenizer of `base`; tokenises what is not yet."""
    return block_stream(
        open_corpus(run.train_corpus, CodeTokenizer(base)),
        rules_of(recipe.data, recipe.fim, recipe.sequences),
        recipe.sequences,
        seed=recipe.train.seed,
    )
