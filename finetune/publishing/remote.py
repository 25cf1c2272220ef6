"""One repository on the Hub, through the stock client; every call says what to do when it fails."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from sys import stderr
from typing import TypeVar

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    get_token,
)
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoFile

from finetune.errors import UserError
from finetune.publishing.hub_errors import (
    HUB_ERRORS,
    answer_of,
    explained,
    is_passing,
    shown,
    wait_asked,
)

Operation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete
Tree = dict[str, RepoFile]
T = TypeVar("T")
_WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds between tries where the Hub asks for nothing else."""
_LONGEST_WAIT = 600.0


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A repository. `state` is what a message says of its main branch."""

    api: HfApi
    repo: str
    state: str
    has_token: bool

    @property
    def url(self) -> str:
        return f"{self.api.endpoint}/{self.repo}"

    def with_state(self, state: str) -> "Remote":
        """The same repository, of which messages say something else."""
        return replace(self, state=state)

    def exists(self) -> bool:
        """Whether it is there, as far as the token can see."""

        def look() -> bool:
            try:
                self.api.repo_info(self.repo)
            except HfHubHTTPError as error:
                status = error.response.status_code
                if status == 404 or (status == 401 and not self.has_token):
                    return False
                raise
            return True

        return self._patiently("looking it up", look)

    def create(self, private: bool) -> None:
        """Make it where it is not there. Raises UserError where it is public and must not be."""
        if not self.exists():
            self._patiently(
                "creating it",
                lambda: self.api.create_repo(self.repo, private=private, exist_ok=True),
            )
        self.refuse_visibility(private)

    def refuse_visibility(self, private: bool) -> None:
        """Raise UserError where anybody could read what the recipe calls private."""
        if private and not self.is_private():
            raise UserError(
                f"{self.repo}: is public, and the recipe says publish.private: true. {self.state} "
                f"Make it private in its settings ({self.url}/settings), or set publish.private "
                "to false"
            )

    def is_private(self) -> bool:
        """Its visibility now."""
        return bool(self._patiently("looking it up", lambda: self.api.repo_info(self.repo)).private)

    def head(self, revision: str) -> str:
        """The commit of a branch."""
        look = lambda: self.api.repo_info(self.repo, revision=revision)  # noqa: E731
        return str(self._patiently(f"reading {revision}", look).sha)

    def tree(self, commit: str) -> Tree:
        """Every file of a commit by its path."""

        def look() -> Tree:
            found = self.api.list_repo_tree(self.repo, recursive=True, revision=commit)
            return {one.path: one for one in found if isinstance(one, RepoFile)}

        with self._told("listing files"):  # the client itself tries again
            return look()

    def branches(self) -> dict[str, str]:
        """Commits by the names of branches."""
        refs = self._patiently("listing branches", lambda: self.api.list_repo_refs(self.repo))
        return {one.name: one.target_commit for one in refs.branches}

    def tags(self) -> dict[str, str]:
        """Commits by the names of tags."""
        refs = self._patiently("listing tags", lambda: self.api.list_repo_refs(self.repo))
        return {one.name: one.target_commit for one in refs.tags}

    def make_branch(self, name: str, commit: str) -> None:
        """A branch that begins at a commit."""
        make = self.api.create_branch
        self._patiently(
            f"making the branch {name}",
            lambda: make(self.repo, branch=name, revision=commit, exist_ok=True),
        )

    def drop_branch(self, name: str) -> None:
        """Remove a branch where it is there."""
        if name in self.branches():
            self._patiently(
                f"removing the branch {name}",
                lambda: self.api.delete_branch(self.repo, branch=name),
                lambda: None if name in self.branches() else True,
            )

    def make_tag(self, name: str, commit: str) -> None:
        """A tag at a commit."""
        self._patiently(
            f"making the tag {name}",
            lambda: self.api.create_tag(self.repo, tag=name, revision=commit),
            lambda: True if self.tags().get(name) == commit else None,
        )

    def upload(self, operations: list[Operation]) -> None:
        """Send the large files that a commit will name; those that are there are not sent."""
        added = [one for one in operations if isinstance(one, CommitOperationAdd)]
        with self._told("uploading files"):  # the client itself tries again
            if added:
                self.api.preupload_lfs_files(self.repo, added, free_memory=False)

    def commit(
        self,
        revision: str,
        parent: str,
        operations: list[Operation],
        arrived: Callable[[], str | None],
    ) -> str:
        """One commit on top of `parent`, or none; `arrived` finds one whose answer was lost."""

        def send() -> str:
            made = self.api.create_commit(
                self.repo,
                operations,
                commit_message="Release",
                revision=revision,
                parent_commit=parent,
            )
            return str(made.oid)

        return self._patiently(f"committing to {revision}", send, arrived)

    def download(self, name: str, commit: str, folder: Path) -> Path:
        """A file of a commit, into an empty folder."""
        get = self.api.hf_hub_download
        return Path(
            self._patiently(
                f"downloading {name} to compare it",
                lambda: get(self.repo, name, revision=commit, local_dir=folder),
            )
        )

    def _patiently(
        self, doing: str, call: Callable[[], T], settled: Callable[[], T | None] = lambda: None
    ) -> T:
        """`call()`, again where its failure may pass; `settled` finds what it did all the same."""
        for wait in (*_WAITS, None):
            try:
                with _notes():
                    return call()
            except HUB_ERRORS as error:
                asked = wait_asked(error)
                if wait is None or not is_passing(error) or (asked or 0) > _LONGEST_WAIT:
                    raise explained(error, doing, self.repo, self.state) from None
                reason = shown(answer_of(error) or error)
                pause = wait if asked is None else asked
            done = settled()
            if done is not None:
                return done
            print(f"push: {doing}: {reason}; again in {pause:.0f} s", file=stderr, flush=True)
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except HUB_ERRORS as error:
            raise explained(error, doing, self.repo, self.state) from None


@contextmanager
def _notes() -> Iterator[None]:
    """What the Hub warns of (metadata of the card) as a line instead of Python's warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for one in caught:
        print(f"note: {shown(one.message)}", file=stderr)


def open_remote(repo: str, state: str, *, needs_token: bool = True) -> Remote:
    """The repository with the token of the usual places: HF_TOKEN, or the file of `hf auth login`.

    Raises UserError where there is none and one is needed.
    """
    token = get_token()
    if token is None and needs_token:
        raise UserError(
            f"{repo}: a push needs a token that may write to {repo.partition('/')[0]}: set "
            "HF_TOKEN, or run `hf auth login`"
        )
    return Remote(api=HfApi(token=token), repo=repo, state=state, has_token=token is not None)
