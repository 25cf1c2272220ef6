"""The recipe as typed, frozen objects. The string under each field is its help text.

`load.py` reads YAML into these; `json_schema.py` prints them for editors. Most rooms
receive only their own section (`recipe.data`, `recipe.train`, ...); what orders the work
(`stages`, `preflight`, `ledger`, the start of a training process) sees a whole recipe.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag

from finetune.recipe.data import (
    Curate,
    CutKind,
    CutKinds,
    Data,
    Fim,
    Format,
    Labels,
    Source,
    SourceFim,
    SuffixFirst,
)
from finetune.recipe.evaluation import Evaluate, Gate, TaskChoice
from finetune.recipe.fields import SECTION, Count, Natural, RunName, Share, Texts

__all__ = [
    "Curate",
    "CutKind",
    "CutKinds",
    "Data",
    "Evaluate",
    "Fim",
    "Format",
    "Gate",
    "Labels",
    "Source",
    "SourceFim",
    "SuffixFirst",
    "TaskChoice",
]


class ScratchModel(BaseModel):
    """A GPT-BigCode in miniature: multi-query attention, learned positions, tied embeddings."""

    model_config = SECTION
    layers: Count = 4
    """Transformer blocks."""
    width: Count = 192
    """Hidden size; the MLP is four times as wide."""
    heads: Count = 3
    """Query heads; they share one key and value head."""
    positions: Count = 512
    """Longest sequence in tokens: one learned position each."""
    vocabulary: Count = 4096
    """Size of the byte-level BPE, the 19 special tokens included."""
    dropout: Share = 0.0
    """Dropout in attention, residuals and embeddings, written into the model's config."""
    licence: str
    """Licence under which the new weights will stand; a base made here states its own."""
    seed: Natural = 0
    """Seed of the initial weights."""


class Scratch(BaseModel):
    """A base that is made from the recipe's own sources."""

    model_config = SECTION
    scratch: ScratchModel


class EarlierRun(BaseModel):
    """The merged model of an earlier run."""

    model_config = SECTION
    run: RunName
    """Name of the run."""


class Pretrained(BaseModel):
    """A model folder, or an id on the Hugging Face Hub."""

    model_config = SECTION
    model: str
    """A folder (`./base`, `/models/base`) or a Hub id (`bigcode/starcoderbase`)."""
    revision: str | None = None
    """Branch, tag or commit on the Hub."""
    licence: str | None = None
    """Needed only where neither the model's card nor its family states one."""
    trust_remote_code: bool = False
    """Run Python code that lies in the model's repository. Leave it off."""


def _base_kind(value: Any) -> str:
    if not isinstance(value, dict):
        return value.__class__.__name__ if isinstance(value, BaseModel) else "Pretrained"
    return "Scratch" if "scratch" in value else "EarlierRun" if "run" in value else "Pretrained"


def _model_by_name(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


Base = Annotated[
    Annotated[Scratch, Tag("Scratch")]
    | Annotated[EarlierRun, Tag("EarlierRun")]
    | Annotated[Pretrained, Tag("Pretrained")],
    Discriminator(_base_kind),
    BeforeValidator(_model_by_name),
]


class Objective(BaseModel):
    """What is learned."""

    model_config = SECTION
    type: Literal["pretrain"] = "pretrain"
    """`pretrain`: every token of every document, fill-in-the-middle included."""


class Sequences(BaseModel):
    """How segments become blocks of fixed length."""

    model_config = SECTION
    length: Count = 8192
    """Tokens per block."""
    isolate_documents: bool = True
    """No token attends across a document's start; positions restart there."""
    labels: Labels = "all"
    """`all`: loss on every token. `middle`: in a transformed segment, on the middle and its end
    only (a segment that was left as it is keeps all its labels)."""


class Lora(BaseModel):
    """Low-rank adapters on frozen weights."""

    model_config = SECTION
    method: Literal["lora", "dora", "qlora"]
    """`dora`: magnitudes are trained beside the directions. `qlora`: the frozen weights are held in
    4 bits (nf4, quantised twice)."""
    rank: Count = 16
    """Rank of each update."""
    alpha: Count = 32
    """Scale: the update is multiplied by alpha / rank."""
    rank_stabilised: bool = False
    """Multiply by alpha / sqrt(rank) instead (rsLoRA), so that high ranks learn as fast."""
    initial: Literal["zero", "gaussian", "orthogonal", "olora", "pissa"] = "zero"
    """How updates begin: `zero`, `gaussian` and `orthogonal` at none at all; `olora` and `pissa`
    take the principal part of each weight and train that."""
    dropout: Share = 0.0
    """Dropout before the adapters; above 0 it costs activation memory."""
    targets: Texts | None = None
    """Names of the modules that get an adapter; the family's own list when left out."""


class Full(BaseModel):
    """The weights themselves are trained."""

    model_config = SECTION
    method: Literal["full"]
    trainable: Texts | None = None
    """Patterns of weight names (`*.h.23.*`, `*ln_f*`) that are trained; all when left out."""


Tune = Annotated[Lora | Full, Field(discriminator="method")]


class EarlyStopping(BaseModel):
    """When more training is given up."""

    model_config = SECTION
    patience: Count
    """Validations in a row without a better mean of the held-out losses."""
    min_improvement: Annotated[float, Field(ge=0.0)] = 0.0
    """In nats per token; a smaller fall is none."""


class Train(BaseModel):
    """The optimisation."""

    model_config = SECTION
    tokens: Count
    """Training tokens in all (positions of blocks); rounded up to whole batches."""
    batch_tokens: Count = 524_288
    """Tokens per optimiser step over all processes."""
    micro_batch: Count | None = None
    """Blocks per process and forward pass; chosen by the memory plan when left out."""
    activation_checkpointing: bool | None = None
    """Keep each layer's input alone and compute the rest again in the backward pass; chosen by the
    memory plan when left out."""
    learning_rate: Annotated[float, Field(gt=0.0)] = 5e-5
    """Peak."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Shape of the decay after the warm-up."""
    warmup: Share = 0.01
    """Share of the steps with a linearly rising rate."""
    final_learning_rate: Share = 0.1
    """Where the decay ends, as a share of the peak."""
    beta1: Share = 0.9
    """Adam's first decay."""
    beta2: Share = 0.95
    """Adam's second decay."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.1
    """On matrices; biases and norms have none."""
    clip: Annotated[float, Field(gt=0.0)] = 1.0
    """Largest norm of the gradient."""
    dropout: Share = 0.0
    """Replaces the dropout of the base's config during training."""
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    """Arithmetic of the forward pass. fp16 is for GPUs without bf16, and scales the loss."""
    attention: Literal[
        "sdpa", "eager", "flash_attention_2", "flash_attention_3", "flex_attention"
    ] = "sdpa"
    """Kernel. `flash_attention_*` need a GPU, their package and bf16, and 3 has no dropout;
    `flex_attention` is refused where documents are isolated."""
    seed: Natural = 0
    """Of the data order, the cuts, the adapters and dropout."""
    workers: Natural = 0
    """Processes per rank that build blocks ahead. Blocks cost little: 0, in the training process
    itself, is rarely slower."""
    validate_every: Count | None = None
    """Steps between validations; a tenth of the run when left out."""
    validation_tokens: Count = 65_536
    """At most so many held-out tokens per layout and validation."""
    checkpoint_every: Count | None = None
    """Steps between checkpoints; a tenth of the run when left out."""
    keep_checkpoints: Count = 2
    """How many of the newest stay."""
    early_stopping: EarlyStopping | None = None
    """Stop where the held-out loss no longer falls; off when left out."""
    trackers: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = ()
    """Where the log also goes; each needs its package."""


class Benchmark(BaseModel):
    """A benchmark of the Hub that a task's score is reported to."""

    model_config = SECTION
    dataset: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    """`owner/name` of a dataset that the Hub has registered as a benchmark."""
    task: str
    """The task's id in that dataset's eval.yaml."""
    percent: bool = True
    """Whether the benchmark counts from 0 to 100."""


class Publish(BaseModel):
    """The release folder and where it goes."""

    model_config = SECTION
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    """`owner/name`."""
    hub: str | None = None
    """A folder that serves as the Hub; the Hugging Face Hub when left out."""
    private: bool = True
    """Visibility of a new repository."""
    artefact: Literal["merged", "adapter", "gguf-f32", "gguf-f16", "gguf-bf16", "gguf-q8_0"] = (
        "merged"
    )
    """Plain weights, the adapter alone, or one GGUF file of that type, for llama.cpp."""
    licence: str | None = None
    """The base's own when left out; one that contradicts it is refused."""
    training_index: bool = False
    """Ship a filter by which anyone can ask whether a text was trained on. It answers that about
    private code too."""
    summary: str = ""
    """A sentence or two of your own for the top of the card."""
    gated_prompt: str | None = None
    """What somebody has to agree to before a download; the repository's own settings gate it."""
    benchmarks: dict[str, Benchmark] | None = None
    """By task of `evaluate.tasks`: where the Hub lists its score. Only you can see on the Hub which
    datasets are registered as benchmarks, so none is guessed."""
    merged_repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    """`owner/name` of the plain weights, which a quantised release names as its base."""


class Recipe(BaseModel):
    """One specialised model, from source files to a release."""

    model_config = SECTION
    name: RunName
    """Name of the run and of its folder."""
    base: Base
    """What is specialised."""
    objective: Objective = Objective()
    data: Data
    fim: Fim = Fim()
    sequences: Sequences = Sequences()
    tune: Tune = Lora(method="lora")
    """`{method: lora | dora | qlora, ...}` or `{method: full}`."""
    train: Train
    engine: Literal["single", "ddp", "zero1", "zero2", "zero3", "zero3_offload"] = "single"
    """How processes share the work. ZeRO-1 shards the optimiser's state, 2 the gradients too, 3
    the weights too; `zero3_offload` keeps all of it in the memory of the host."""
    evaluate: Evaluate = Evaluate()
    publish: Publish | None = None
