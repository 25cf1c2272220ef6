"""Which weights a recipe's `tune` trains, and how many they are."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from finetune.errors import UserError
from finetune.families import lora_targets, target_problem
from finetune.methods import trainable_problem
from finetune.planning.architecture import Architecture, Matrix
from finetune.recipe.schema import Full, Lora

PLACES = ("norm_1", "attention_in", "attention_out", "norm_2", "mlp_in", "mlp_out")
"""What a block computes, in order; matrices by their slots."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What is trained of an architecture."""

    method: str
    """full, lora, dora or qlora."""
    base: int
    """Weights of the base, trained or not."""
    trained: int
    """Weights that are trained: some or all of the base's, or the adapters' own."""
    quantised: int = 0
    """Weights of the base that are held in 4 bits."""
    adapted: tuple[Matrix, ...] = ()
    """Matrices of a block that carry an adapter."""
    rank: int = 0
    dropout: float = 0.0
    """Before the adapters."""
    kept_inputs: tuple[frozenset[str], ...] = ()
    """By block: its matrices whose own weight is trained, so that their input is kept."""
    lowest: int = 0
    """The first block through which a gradient flows; blocks below keep nothing."""
    begins: int = 0
    """Where in the lowest block the first gradient is taken: a place of `PLACES`."""
    reaches_embeddings: bool = True
    """Whether the gradient flows on into the embeddings."""
    trains_head: bool = True

    @property
    def has_adapters(self) -> bool:
        return self.method != "full"

    @property
    def trained_base(self) -> int:
        """Weights of the base that are trained."""
        return 0 if self.has_adapters else self.trained


def tuning_of(tune: Lora | Full, architecture: Architecture) -> Tuning:
    """Raises UserError where a pattern or a target matches nothing, or is not planned for."""
    if isinstance(tune, Lora):
        return _adapters(tune, architecture)
    if tune.trainable is None:
        names = frozenset(matrix.name for matrix in architecture.matrices)
        return Tuning(
            method="full",
            base=architecture.parameters,
            trained=architecture.parameters,
            kept_inputs=(names,) * architecture.layers,
        )
    return _partial(tune.trainable, architecture)


def _adapters(lora: Lora, architecture: Architecture) -> Tuning:
    """LoRA adds rank x (inputs + outputs) weights per matrix, DoRA a magnitude per output too."""
    matrices = {matrix.name.rpartition(".")[2] for matrix in architecture.matrices}
    embeddings = {name.rpartition(".")[2] for name in architecture.embeddings} | {"lm_head"}
    targets = lora_targets(lora, architecture.family) or ()
    problem = target_problem(
        lora, architecture.family, matrices | embeddings, tied=architecture.tied
    )
    embedding = next((target for target in targets if target in embeddings), None)
    if embedding and not problem:
        # The logits of such a head are taken whole, and gradients go down to the tokens.
        problem = (
            f"the memory of an adapter on {embedding} cannot be planned; leave it out, or set "
            "train.micro_batch and train.activation_checkpointing yourself"
        )
    if problem:
        raise UserError(f"tune.targets: {problem}")
    adapted = tuple(
        matrix for matrix in architecture.matrices if matrix.name.rpartition(".")[2] in targets
    )
    per_block = sum(
        lora.rank * (matrix.inputs + matrix.outputs)
        + (matrix.outputs if lora.method == "dora" else 0)
        for matrix in adapted
    )
    return Tuning(
        method=lora.method,
        base=architecture.parameters,
        trained=architecture.layers * per_block,
        quantised=architecture.matrix_parameters if lora.method == "qlora" else 0,
        adapted=adapted,
        rank=lora.rank,
        dropout=lora.dropout,
        begins=min(PLACES.index(matrix.slot) for matrix in adapted),
        reaches_embeddings=False,
        trains_head=False,
    )


def _partial(patterns: tuple[str, ...], architecture: Architecture) -> Tuning:
    """By patterns of weight names, as in a shell; each has to match something."""
    sizes = dict(architecture.weights())
    problem = trainable_problem(patterns, list(sizes))
    if problem:
        raise UserError(f"tune.trainable: {problem}")
    chosen = {name for name in sizes if any(fnmatchcase(name, one) for one in patterns)}
    kept = tuple(
        frozenset(
            matrix.name
            for matrix in architecture.matrices
            if f"{architecture.block.format(layer)}{matrix.name}.weight" in chosen
        )
        for layer in range(architecture.layers)
    )
    touched = [
        layer
        for layer in range(architecture.layers)
        if any(name.startswith(architecture.block.format(layer)) for name in chosen)
    ]
    reaches = any(f"{name}.weight" in chosen for name in architecture.embeddings)
    lowest = 0 if reaches else min(touched, default=architecture.layers)
    prefix = architecture.block.format(lowest)
    of_block = {name.removeprefix(prefix).rpartition(".")[0] for name in chosen}
    head = architecture.embeddings[0] if architecture.tied else "lm_head"
    return Tuning(
        method="full",
        base=architecture.parameters,
        trained=sum(sizes[name] for name in chosen),
        kept_inputs=kept,
        lowest=lowest,
        begins=min(
            (place for module, place in _places(architecture).items() if module in of_block),
            default=0,
        ),
        reaches_embeddings=reaches,
        trains_head=f"{head}.weight" in chosen,
    )


def _places(architecture: Architecture) -> dict[str, int]:
    """Places of a block's modules, by name."""
    matrices = {one.name: PLACES.index(one.slot) for one in architecture.matrices}
    first, second = architecture.norms
    return matrices | {first: PLACES.index("norm_1"), second: PLACES.index("norm_2")}
