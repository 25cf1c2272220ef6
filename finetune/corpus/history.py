"""Sources that are the history of a git repository: what its commits changed, file by file."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from data_formats.document import Document, Drop
from data_formats.git import Repository, open_repository
from data_formats.git_commits import commit_document, commit_instruction
from data_formats.git_history import read_commits
from finetune.corpus.files import each_told, licences_at, told
from finetune.corpus.reader import Reader
from finetune.errors import UserError
from finetune.recipe.schema import Source

if TYPE_CHECKING:
    from finetune.corpus.licensing import LicenceTree

WRITERS = {"git_commits": commit_document, "commit_instructions": commit_instruction}

BYTES_PER_COMMIT = 16_384
"""What a commit's files come to, about: enough to deal the work out evenly."""
LOOKED_AT = 100
"""Commits that are asked whether a clone has folders at all."""


def list_history(source: Source, index: int) -> Reader:
    """The commits up to the source's `revision`, HEAD where it names none."""
    if source.path is None:
        raise UserError(f"package: {source.package}: has no history; give a clone as `path`")
    with told():
        repository = open_repository(Path(source.path))
        tip = repository.resolve(source.revision or "HEAD")
        commits = tuple(repository.commits(tip))
        _refuse_no_folders(repository, commits)
        is_shallow = repository.is_shallow()
    skipped = {"shallow clone: commits before its first are not here": 1}
    return History(source, index, repository, tip, commits, skipped if is_shallow else {})


def _refuse_no_folders(repository: Repository, commits: Sequence[str]) -> None:
    """A clone with the folders of its newest commit alone, as for a build, tells of no change."""
    earlier = commits[-1 - LOOKED_AT : -1]
    if not (repository.is_partial and earlier):
        return
    with repository.objects() as objects:
        for commit in map(objects.commit, earlier):
            if commit is None or objects.size(commit.tree) is not None:
                return
    raise UserError(
        f"{repository.git.folder}: the folders of its commits are not in this partial clone; "
        "`git fetch --refetch --filter=blob:none` brings them"
    )


@dataclass(frozen=True)
class History:
    """Commits of one repository, oldest first."""

    source: Source
    index: int
    repository: Repository
    tip: str
    commits: tuple[str, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def repo(self) -> str:
        return self.source.repo or Path(self.source.path or "").expanduser().resolve().name

    @property
    def stated(self) -> str | None:
        return self.source.licence

    @property
    def works(self) -> Sequence[str]:
        return self.commits

    def sizes(self) -> list[int]:
        return [BYTES_PER_COMMIT] * len(self.commits)

    def read(self, works: Sequence[str], left_out: Counter[str]) -> Iterator[Document | Drop]:
        found = read_commits(
            self.repository,
            works,
            repo=self.repo,
            source=self.index,
            write=WRITERS[self.source.format],
        )
        return each_told(found)

    def fingerprint(self) -> str:
        return f"{self.repo} {self.tip}"

    def licences(self) -> "LicenceTree":
        """As the newest commit states them: who took the code then was given it under these."""
        return licences_at(self.repository, self.tip)

    def words(self) -> str:
        return f"{self.repo}: {len(self.commits)} commits up to {self.tip[:12]}"
