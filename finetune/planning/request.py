"""What is asked of the planner: a model, how it is tuned, on what machine. And how that is read
from a recipe."""

from dataclasses import dataclass
from functools import cached_property

from finetune.planning.activations import Shape
from finetune.planning.architecture import Architecture
from finetune.planning.head import LOSS_CHUNK, Head
from finetune.planning.holding import Device, Holding, Precision, holding_of
from finetune.planning.tuning import Tuning, tuning_of
from finetune.planning.zero import ZeroSettings, zero_settings
from finetune.recipe import Recipe
from finetune.recipe.schema import Full, Lora


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything that decides on memory, and what the recipe has fixed of the choice."""

    architecture: Architecture
    tune: Lora | Full
    engine: str
    processes: int
    memory: int
    """Bytes of one GPU in all; on a CPU, what one process may use."""
    device: Device = "cuda"
    precision: Precision = "bf16"
    attention: str = "sdpa"
    isolated: bool = True
    dropout: float = 0.0
    length: int
    """Tokens per block."""
    blocks: int
    """Per optimiser step, over all processes."""
    micro_batch: int | None = None
    """Where the recipe fixes it."""
    checkpointing: bool | None = None
    """Where the recipe fixes it."""
    loss_chunk: int | None = LOSS_CHUNK
    """Tokens per chunk of the loss; None where it has all logits at once."""
    settings: ZeroSettings | None = None
    """Instead of those of the engine's file."""
    fused: bool = False
    """Whether AdamW is torch's fused kernel."""

    @cached_property
    def zero(self) -> ZeroSettings | None:
        return self.settings or zero_settings(self.engine)

    @cached_property
    def tuning(self) -> Tuning:
        return tuning_of(self.tune, self.architecture)

    @cached_property
    def holding(self) -> Holding:
        return holding_of(
            self.tune.method, self.precision, self.zero, self.device, fused=self.fused
        )

    @cached_property
    def shape(self) -> Shape:
        return Shape(
            architecture=self.architecture,
            tuning=self.tuning,
            holding=self.holding,
            attention=self.attention,
            isolated=self.isolated,
            length=self.length,
            dropout=self.dropout,
            on_gpu=self.device == "cuda",
        )

    @cached_property
    def head(self) -> Head:
        holding, trained = self.holding, self.tuning.trains_head
        held = holding.trained if trained else holding.frozen
        return Head(
            vocabulary=self.architecture.vocabulary,
            width=self.architecture.width,
            compute=holding.compute,
            stream=holding.stream,
            trained=trained,
            copied=holding.autocast and held > holding.compute,
            chunk=self.loss_chunk,
        )


def request_of(
    recipe: Recipe,
    architecture: Architecture,
    *,
    processes: int,
    memory: int,
    device: Device = "cuda",
) -> Request:
    """What `recipe` asks on `processes` devices of `memory` bytes each."""
    train, sequences = recipe.train, recipe.sequences
    return Request(
        architecture=architecture,
        tune=recipe.tune,
        engine=recipe.engine,
        processes=processes,
        memory=memory,
        device=device,
        precision=train.precision,
        attention=train.attention,
        isolated=sequences.isolate_documents,
        dropout=train.dropout,
        length=sequences.length,
        blocks=train.batch_tokens // sequences.length,
        micro_batch=train.micro_batch,
        checkpointing=train.activation_checkpointing,
        fused=True,  # where there is a GPU, see `training/optimizer.py`
    )
