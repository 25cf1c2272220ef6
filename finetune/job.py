"""A checked recipe and the run folder that it fills: what every stage is given."""

from dataclasses import dataclass
from pathlib import Path

from finetune.base import BaseFacts, base_facts, fetch
from finetune.errors import UserError
from finetune.ledger import Ledger
from finetune.preflight import refuse_problems
from finetune.recipe import LoadedRecipe, Recipe, load_recipe
from finetune.recipe.schema import Pretrained
from finetune.run_folder import RunFolder


@dataclass(frozen=True)
class Job:
    """A checked recipe and the run folder that it fills."""

    loaded: LoadedRecipe
    run: RunFolder
    overrides: tuple[str, ...]
    despite_gate: bool = False
    """Release and push although the evaluation's gate did not pass."""
    despite_doctor: bool = False
    """Train although the doctor found faults."""
    redo: str | None = None
    """A stage that is done again although it is done."""

    @property
    def recipe(self) -> Recipe:
        return self.loaded.recipe

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.run)

    @property
    def base(self) -> BaseFacts:
        """The base's facts, its files fetched where they come from the Hub."""
        facts = base_facts(self.recipe.base, self.run)
        if facts.folder is None and isinstance(self.recipe.base, Pretrained):
            fetch(self.recipe.base)
            refuse_problems(self.loaded, self.run)  # its files may state no licence, or another
            facts = base_facts(self.recipe.base, self.run)
        if facts.folder is None:
            raise UserError(f"base: {facts.description} has not been made yet; run it first")
        return facts


def open_job(
    recipe: Path,
    overrides: tuple[str, ...],
    runs: Path,
    *,
    despite_gate: bool = False,
    despite_doctor: bool = False,
) -> Job:
    """Load and check a recipe. Raises UserError with every problem at once."""
    loaded = load_recipe(recipe, overrides)
    run = RunFolder(runs.resolve() / loaded.recipe.name)
    refuse_problems(loaded, run)
    return Job(loaded, run, overrides, despite_gate, despite_doctor)
