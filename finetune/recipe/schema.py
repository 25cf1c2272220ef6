"""The recipe as typed, frozen objects. The string under each field is its help text.

`load.py` reads YAML into these; `json_schema.py` prints them for editors. Most rooms
receive only their own section (`recipe.data`, `recipe.train`, ...); what orders the work
(`stages`, `preflight`, `ledger`, the start of a training process) sees a whole recipe.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

SECTION = ConfigDict(
    extra="forbid",
    frozen=True,
    strict=True,
    allow_inf_nan=False,
    use_attribute_docstrings=True,
    defer_build=True,  # `check` has half a second in all, and most sections are built twice else
)


def _whole(value: Any) -> Any:
    """YAML's `2e9` is a float; where a count is meant it is the integer it equals."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _frozen(value: Any) -> Any:
    """YAML's lists become tuples: a recipe does not change once it is read."""
    return tuple(value) if isinstance(value, list) else value


# Bounds stand before the validators: behind them the JSON Schema would not say `minimum`.
Count = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
Natural = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_frozen)]
RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=96)]


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


CutKind = Literal["character", "line", "syntax", "cursor"]
CutKinds = CutKind | Annotated[dict[CutKind, Annotated[float, Field(gt=0.0)]], Field(min_length=1)]
SuffixFirst = Literal["spm", "spm_v1"]
Labels = Literal["all", "middle"]


class Fim(BaseModel):
    """Fill-in-the-middle: how often a segment is cut in three and in what order it is written."""

    model_config = SECTION
    rate: Share = 0.5
    """Share of segments that are transformed; 0 turns it off."""
    spm: Share = 0.5
    """Share of transformed segments written suffix first (SPM), the rest prefix first (PSM)."""
    spm_layout: SuffixFirst = "spm"
    """`spm` as StarCoder was trained (prefix and middle follow the middle's sentinel), or
    `spm_v1`, in which the prefix has its own place."""
    cut: CutKinds = "character"
    """`character`: two points uniform over code points. `line`: at line starts. `syntax`: the
    middle is whole nodes of the syntax tree. `cursor`: from within a line to a line's end, as an
    editor asks. A mixture gives each a weight: `{character: 0.6, syntax: 0.4}`."""

    @property
    def kinds(self) -> dict[CutKind, float]:
        """The mixture of cuts, by weight."""
        return self.cut if isinstance(self.cut, dict) else {self.cut: 1.0}

    def changed_by(self, own: "SourceFim | None") -> "Fim":
        """The same with what a source says of its own."""
        return self.model_copy(update=own.model_dump(exclude_none=True) if own else {})


class SourceFim(BaseModel):
    """What one source does differently; a key that is left out is as in the recipe's `fim`."""

    model_config = SECTION
    rate: Share | None = None
    """Share of this source's segments that are transformed."""
    spm: Share | None = None
    """Share of the transformed ones written suffix first."""
    spm_layout: SuffixFirst | None = None
    """How suffix first is written."""
    cut: CutKinds | None = None
    """Where segments are cut."""


class SourceCode(BaseModel):
    """Source files of a folder or of an installed Python package."""

    model_config = SECTION
    format: Literal["source_code"]
    path: str | None = None
    """Folder of files. Exactly one of `path` and `package` is given."""
    package: str | None = None
    """Installed package whose folder is read (nothing is imported); `stdlib` is Python's own."""
    language: str | None = None
    """Keep only this language (`python`, `cpp`, ...); all that are recognised when left out."""
    include: Texts = ("**",)
    """Glob patterns relative to the folder; a file that matches none is not read."""
    exclude: Texts = ()
    """Glob patterns of files that are not read."""
    licence: str | None = None
    """SPDX id of these files, where the package's metadata does not state one."""
    weight: Annotated[float, Field(ge=0.0)] | None = None
    """Share of the training tokens. Sources without a weight split the rest by size; 0 means
    measured but not trained on."""
    fim: SourceFim | None = None
    """Fill-in-the-middle of this source, where it differs from the recipe's."""
    labels: Labels | None = None
    """Labels of this source, where they differ from `sequences.labels`."""


class Curate(BaseModel):
    """Filters after The Stack's; each drop is counted with its reason."""

    model_config = SECTION
    max_characters: Count = 1_000_000
    """Longest file."""
    max_average_line: Count = 100
    """Longest mean line, in characters."""
    max_line: Count = 1000
    """Longest line, in characters."""
    min_alphanumeric: Share = 0.25
    """Least share of letters and digits among the characters."""


class Data(BaseModel):
    """Where documents come from and what is kept."""

    model_config = SECTION
    sources: Annotated[tuple[SourceCode, ...], Field(min_length=1), BeforeValidator(_frozen)]
    """Read in this order."""
    holdout: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.01
    """Share of characters kept out of training and used to measure: whole packages or modules;
    single files only where there is but one."""
    curate: Curate = Curate()


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
    method: Literal["lora"]
    rank: Count = 16
    """Rank of each update."""
    alpha: Count = 32
    """Scale: the update is multiplied by alpha / rank."""
    dropout: Share = 0.0
    """Dropout before the adapters; above 0 it costs activation memory."""
    targets: Texts | None = None
    """Names of the modules that get an adapter; the family's own list when left out."""


class Full(BaseModel):
    """Every weight is trained."""

    model_config = SECTION
    method: Literal["full"]


Tune = Annotated[Lora | Full, Field(discriminator="method")]


class Train(BaseModel):
    """The optimisation."""

    model_config = SECTION
    tokens: Count
    """Training tokens in all (positions of blocks); rounded up to whole batches."""
    batch_tokens: Count = 524_288
    """Tokens per optimiser step over all processes."""
    micro_batch: Count | None = None
    """Blocks per process and forward pass; derived when left out."""
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
    precision: Literal["bf16", "fp32"] = "bf16"
    """Arithmetic of the forward pass."""
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


class Gate(BaseModel):
    """How far a measure may fall against the base before the release is refused."""

    model_config = SECTION
    max_loss_rise: Annotated[float, Field(ge=0.0)]
    """In nats per token."""


class Evaluate(BaseModel):
    """What is measured of base and tuned, on held-out files only."""

    model_config = SECTION
    infilling_problems: Natural = 200
    """Held-out lines to fill in; 0 turns it off."""
    max_new_tokens: Count = 48
    """Longest completion of a line."""
    loss_tokens: Count = 2_000_000
    """At most so many held-out tokens per language and layout."""
    gate: dict[Literal["left_to_right", "psm", "spm"], Gate] = {}
    """A run that does worse does not reach release/."""


class Publish(BaseModel):
    """The release folder and where it goes."""

    model_config = SECTION
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    """`owner/name`."""
    hub: str | None = None
    """A folder that serves as the Hub; the Hugging Face Hub when left out."""
    private: bool = True
    """Visibility of a new repository."""
    artefact: Literal["merged", "adapter"] = "merged"
    """Plain weights, or the adapter alone."""
    licence: str | None = None
    """The base's own when left out; one that contradicts it is refused."""
    summary: str = ""
    """A sentence or two of your own for the top of the card."""


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
    """`{method: lora, ...}` or `{method: full}`."""
    train: Train
    engine: Literal["single", "ddp", "zero1", "zero2", "zero3"] = "single"
    """How processes share the work."""
    evaluate: Evaluate = Evaluate()
    publish: Publish | None = None
