"""What a training run stands on, told without torch: the command line asks before it launches."""

from finetune.base import base_facts
from finetune.errors import UserError
from finetune.ledger import Basis, Ledger, basis_of, changed_message
from finetune.recipe import Recipe
from finetune.run_folder import RunFolder, digest_of, read_json, sha256_of
from finetune.training.checkpoint import complete_checkpoints


def training_basis(recipe: Recipe, run: RunFolder) -> Basis:
    """What training stands on.

    Raises UserError where `prepare` has not run, was told something else, or what it left is gone.
    """
    ledger = Ledger(run)
    if not ledger.is_done("prepare"):
        raise UserError(f"{run.path}: not prepared yet; run `finetune prepare` first")
    ledger.refuse_other_recipe("prepare", recipe)
    for corpus in (run.train_corpus, run.holdout_corpus):
        if not corpus.is_file():
            raise UserError(
                f"{corpus}: gone since `prepare` wrote it; put it back, or make it anew with "
                "`finetune prepare --redo`"
            )
    inputs = {"prepare": ledger.output("prepare")}
    folder = base_facts(recipe.base, run).folder
    if folder is not None:
        inputs["base"] = digest_of(
            {path.name: sha256_of(path) for path in sorted(folder.glob("*.safetensors"))}
        )
    return basis_of("train", recipe, inputs)


def refuse_other_checkpoints(run: RunFolder, basis: Basis) -> None:
    """Raise UserError where an interrupted run stood on other keys, another corpus or base."""
    newest = next(complete_checkpoints(run.checkpoints), None)
    if newest is None:
        return
    stored = read_json(newest / "state.json")
    changed = basis.changes(Basis(stored["keys"], stored["inputs"]))
    if changed:
        raise UserError(changed_message(run, "train", changed))
