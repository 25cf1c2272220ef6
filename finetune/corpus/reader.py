"""What every reader of a source can do, and which reader a source of the recipe gets.

A source is listed once, cheaply and by names, and then read in pieces: each piece by whichever
process takes it, with the same result as if one had read all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from data_formats.document import Document, Drop
from data_formats.hub_datasets import is_saved
from data_formats.json_lines import PACKED
from data_formats.table_files import KINDS
from finetune.errors import UserError
from finetune.recipe.schema import Source

if TYPE_CHECKING:
    from finetune.corpus.licensing import LicenceTree


class Reader(Protocol):
    """A listed source. Can be sent to other processes."""

    @property
    def repo(self) -> str:
        """What its documents are known as, unless they say so themselves."""

    @property
    def skipped(self) -> Mapping[str, int]:
        """What the listing passed over: reason -> number."""

    @property
    def stated(self) -> str | None:
        """The licence of the whole, where its package or the recipe states one."""

    @property
    def works(self) -> Sequence[Any]:
        """All there is to read, in order: files, commits, ranges of rows."""

    def sizes(self) -> Sequence[int]:
        """Bytes of each work, about."""

    def read(self, works: Sequence[Any], left_out: Counter[str]) -> Iterator[Document | Drop]:
        """The documents of some works, in order. What is kept of something is a document; what it
        lost by that is added to `left_out`."""

    def fingerprint(self) -> str:
        """Changes when what would be read changes."""

    def licences(self) -> "LicenceTree | None":
        """What the folders of the source state, or None where rows speak for themselves."""

    def words(self) -> str:
        """How much there is, for people."""


FILES = ("source_code", "repository", "notebooks", "notebook_scripts")
COMMITS = ("git_commits", "commit_instructions")
ROWS_ONLY = ("github_issues", "instructions", "chat")

SENTINELS = {
    "git_commits": ("<commit_before>", "<commit_msg>", "<commit_after>"),
    "github_issues": ("<issue_start>", "<issue_comment>", "<issue_closed>"),
    "notebooks": (
        "<jupyter_start>",
        "<jupyter_text>",
        "<jupyter_code>",
        "<jupyter_output>",
        "<empty_output>",
    ),
    "repository": ("<repo_name>", "<file_sep>"),
}
"""Special tokens with which a format's documents are written."""

TABLE_SUFFIXES = (
    *KINDS,
    *(
        f"{suffix}{packed}"
        for suffix, kind in KINDS.items()
        if kind == "jsonl"
        for packed in PACKED
    ),
)

TEMPLATES = {"instructions": ("octopack", "alpaca", "plain"), "chat": ("assistant", "chatml")}
"""Ways of writing that each format has."""

_ONLY_FOR = {
    "header": ("source_code", "repository"),
    "template": ("instructions", "chat"),
    "order": ("repository",),
    "language": ("source_code", "repository", "notebook_scripts", *COMMITS),
}
"""Keys that mean something for some formats alone."""


def open_source(source: Source, index: int) -> Reader:
    """List a source; no content is read.

    Raises UserError where keys contradict each other, or what they name is not there.
    """
    given = [name for name in ("path", "package", "dataset") if getattr(source, name) is not None]
    if len(given) != 1:
        found = " and ".join(f"`{name}`" for name in given) or "none"
        raise UserError(f"give exactly one of `path`, `package` and `dataset`; there is {found}")
    _refuse_idle_keys(source)
    try:
        return _reader(source, index)
    except UserError:
        raise
    except ValueError as error:  # the formats' own message: where, what, how to mend it
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from error


def refuse_overlaps(sources: Sequence[Source], readers: Sequence[Reader]) -> None:
    """Raise UserError where whole repositories are read beside parts of the same ones.

    Parts are held out, and would stand in the repository's own document.
    """
    whole = {r.repo for s, r in zip(sources, readers, strict=True) if s.format == "repository"}
    for source, reader in zip(sources, readers, strict=True):
        if source.format in ("repository", *ROWS_ONLY) or reader.repo not in whole:
            continue
        raise UserError(
            f"data.sources: {reader.repo} is read as a repository and as {source.format}: files "
            "that one holds out would be trained on in the other; leave one of them out"
        )


def sentinels_of_format(source: Source) -> tuple[str, ...]:
    """Special tokens that a tokenizer must have for the documents of a source."""
    if source.format == "source_code" and source.header:
        return ("<reponame>", "<filename>", "<gh_stars>")
    if source.format == "chat" and source.template == "chatml":
        return ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
    return SENTINELS.get(source.format, ())


def _reader(source: Source, index: int) -> Reader:
    if source.dataset is not None or is_table(source):
        from finetune.corpus.rows import list_rows

        return list_rows(source, index)
    if source.format in ROWS_ONLY:
        raise UserError(
            f"path: {source.path or source.package}: {source.format} are read from rows; give a "
            f"file of them ({', '.join(KINDS)}), or a `dataset`"
        )
    if source.format in COMMITS:
        from finetune.corpus.history import list_history

        return list_history(source, index)
    from finetune.corpus.files import list_files

    return list_files(source, index)


def is_table(source: Source) -> bool:
    """Whether `path` names files of rows, by their names, or a folder of one saved dataset."""
    path = source.path
    if path is None:
        return False
    folder = Path(path).expanduser()
    return (
        path.endswith(TABLE_SUFFIXES)
        or (source.format in ROWS_ONLY and folder.is_dir())
        or is_saved(folder)
    )


def _refuse_idle_keys(source: Source) -> None:
    """A key that would do nothing is a mistake."""
    given = source.model_fields_set
    for key, formats in _ONLY_FOR.items():
        if key in given and source.format not in formats:
            raise UserError(f"`{key}` is for {' and '.join(formats)}; leave it out here")
    if source.dataset is None:
        for key in sorted(given & {"data_dir", "subset", "split"}):
            raise UserError(f"`{key}` is of a `dataset`, and this source has none; leave it out")
    is_rows = source.dataset is not None or is_table(source)
    listed = {"include", "exclude"} & given
    if listed and (is_rows or source.format in COMMITS):
        what = "rows" if is_rows else "commits"
        raise UserError(f"`{min(listed)}` chooses files, and this source has {what}; leave it out")
    if "revision" in given and source.dataset is None and is_table(source):
        raise UserError("`revision` is of a git repository or a `dataset`; leave it out here")
    known = TEMPLATES.get(source.format, ())
    if source.template is not None and source.template not in known:
        raise UserError(
            f"template: {source.format} have {', '.join(known)}; there is no `{source.template}`"
        )
    if given & {"columns"} and source.dataset is None and not is_table(source):
        raise UserError("`columns` are of rows, and this source has files; leave them out")
