"""Section `data` of a recipe, and `fim`, which a source may change for itself."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from finetune.recipe.fields import SECTION, Count, Natural, Share, Texts, frozen

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


Format = Literal[
    "source_code",
    "repository",
    "git_commits",
    "commit_instructions",
    "github_issues",
    "notebooks",
    "notebook_scripts",
    "instructions",
    "chat",
]


class Source(BaseModel):
    """Where documents of one format come from. Exactly one of `path`, `package` and `dataset`."""

    model_config = SECTION
    format: Format
    """`source_code`: a file each. `repository`: all files of a repository together (StarCoder2).
    `git_commits`: each file that a commit changed, before and after. `commit_instructions`: the
    same as a question and its answer. `github_issues`: conversations. `notebooks`: cells with their
    outputs. `notebook_scripts`: notebooks as programs. `instructions`: prompts and responses.
    `chat`: turns with roles."""
    path: str | None = None
    """Folder of files, git repository, or file of rows (`.jsonl`, also `.gz` or `.zst`, `.parquet`,
    `.arrow`; a pattern such as `rows/*.parquet` takes several)."""
    package: str | None = None
    """Installed package whose folder is read (nothing is imported); `stdlib` is Python's own."""
    dataset: str | None = None
    """Dataset on the Hugging Face Hub, by id; rows are streamed."""
    data_dir: str | None = None
    """Folder of a `dataset` to read alone: `data/python` of The Stack."""
    subset: str | None = None
    """Configuration of the dataset."""
    split: str = "train"
    """Split of the dataset."""
    revision: str | None = None
    """Commit, branch or tag: of a git repository its files as they were there (source code,
    repository, notebooks) or the history up to it (commits; HEAD when left out); of a dataset the
    version that is read."""
    columns: dict[str, str] = {}
    """Names of columns where rows call things otherwise: `{text: content, licence: license}`."""
    repo: str | None = None
    """`owner/name` under which the documents are known; the folder's or package's name when left
    out. Opt-outs of owners need it."""
    language: str | None = None
    """Keep only this language (`python`, `cpp`, ...); all that are recognised when left out."""
    include: Texts = ("**",)
    """Glob patterns relative to the folder; a file that matches none is not read."""
    exclude: Texts = ()
    """Glob patterns of files that are not read."""
    licence: str | None = None
    """SPDX id of these documents where neither a file nor its folder or package states one."""
    header: Share | None = None
    """Of `source_code`: probability of each of repository, path and stars to stand before the code
    (StarCoder was trained with 0.2; 0 when left out). Of `repository`: that the names of the
    repository and its files are given (0.5 when left out, as StarCoder2 was trained)."""
    order: Literal["dependency", "path"] = "dependency"
    """Of `repository`: files after those that they import, or by path."""
    template: Literal["octopack", "alpaca", "plain", "assistant", "chatml"] | None = None
    """How a question and its answer are written: `octopack` (when left out), `alpaca` or `plain`
    for instructions, `assistant` (when left out) or `chatml` for chats."""
    weight: Annotated[float, Field(ge=0.0)] | None = None
    """Share of the training tokens. Sources without a weight split the rest by size; 0 means
    measured but not trained on."""
    fim: SourceFim | None = None
    """Fill-in-the-middle of this source, where it differs from the recipe's. Only source code,
    files of a repository and notebooks as scripts are ever cut."""
    labels: Labels | None = None
    """Labels of this source, where they differ from `sequences.labels`."""


def _listed(value: Any) -> Any:
    """A single name is a list of one."""
    return (value,) if isinstance(value, str) else frozen(value)


NameOrNames = Annotated[
    tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])
]


class Curate(BaseModel):
    """What is kept; each drop is counted with its reason."""

    model_config = SECTION
    max_characters: Count = 1_000_000
    """Longest document."""
    max_average_line: Count = 100
    """Longest mean line of a source file, in characters."""
    max_line: Count = 1000
    """Longest line of a source file, in characters."""
    min_alphanumeric: Share = 0.25
    """Least share of letters and digits among a source file's characters."""
    licences: NameOrNames = ("any",)
    """`permissive`: MIT, Apache-2.0, BSD, ISC and their like, and nothing whose licence is unknown;
    or a list of SPDX ids; or `any`, for code that is yours."""
    opt_out: str | None = None
    """File of owners, repositories, paths and content hashes that never enter."""
    near_duplicates: Annotated[float, Field(gt=0.0, le=1.0)] | None = 0.7
    """Jaccard similarity of two documents' 5-grams of words from which one of them is dropped;
    null keeps both."""
    personal_data: Literal["redact", "keep"] = "redact"
    """Replace e-mail and IP addresses, keys, passwords, and names in author fields."""
    decontaminate: NameOrNames = ("all",)
    """Evaluation tasks whose text may not be learned: `all` that are at hand, or a list of names;
    an empty list turns it off. See `evaluate.benchmarks`."""


class Data(BaseModel):
    """Where documents come from and what is kept."""

    model_config = SECTION
    sources: Annotated[tuple[Source, ...], Field(min_length=1), BeforeValidator(frozen)]
    """Read in this order."""
    holdout: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.01
    """Share of characters kept out of training and used to measure: whole packages or modules;
    single files only where there is but one."""
    curate: Curate = Curate()
    workers: Natural = 0
    """Processes that read and curate; 0 for one per core. They change no result."""
