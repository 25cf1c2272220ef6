"""One repository on the Hub, through the stock client; every call says what to do when it fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    get_token,
)
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import GitRefs, ModelInfo, RepoFile

from finetune.errors import Failed, UserError
from finetune.hub import HUB_ERRORS, SILENCE, explained, patiently, settle_output

Operation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete
Tree = dict[str, RepoFile]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A repository. `state` is what a message says of its main branch."""

    api: HfApi
    repo: str
    state: str
    has_token: bool
    trees: dict[str, Tree] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.api.endpoint}/{self.repo}"

    def with_state(self, state: str) -> "Remote":
        """The same repository, of which messages say something else."""
        return replace(self, state=state)

    def look(self) -> ModelInfo | None:
        """What is said of it; None where it is not there, as far as the token can see."""

        def ask() -> ModelInfo | None:
            try:
                return self.api.model_info(self.repo, timeout=SILENCE)
            except HfHubHTTPError as error:
                status = error.response.status_code
                if status == 404 or (status == 401 and not self.has_token):
                    return None
                raise

        return self._patiently("looking it up", ask)

    def open(self, private: bool) -> ModelInfo:
        """What is said of it, once it is made where it was not there.

        Raises UserError where it is public and must not be.
        """
        found = self.look()
        if found is None:
            make = self.api.create_repo
            self._patiently("creating it", lambda: make(self.repo, private=private, exist_ok=True))
            found = self.look()
        if found is None:
            raise Failed(
                f"{self.repo}: was created and is not there. {self.state} Try again in a minute."
            )
        self.refuse_visibility(found, private)
        return found

    def refuse_visibility(self, found: ModelInfo, private: bool) -> None:
        """Raise UserError where anybody could read what the recipe calls private."""
        if private and not found.private:
            raise UserError(
                f"{self.repo}: is public, and the recipe says publish.private: true. {self.state} "
                f"Make it private in its settings ({self.url}/settings), or set publish.private "
                "to false"
            )

    def head(self, revision: str) -> str:
        """The commit of a branch."""
        look = lambda: self.api.repo_info(self.repo, revision=revision)  # noqa: E731
        return str(self._patiently(f"reading {revision}", look).sha)

    def tree(self, commit: str) -> Tree:
        """Every file of a commit by its path; asked for once, for a commit does not change."""
        if commit not in self.trees:
            with self._told("listing files"):  # the client itself tries again
                found = self.api.list_repo_tree(self.repo, recursive=True, revision=commit)
                self.trees[commit] = {one.path: one for one in found if isinstance(one, RepoFile)}
        return self.trees[commit]

    def refs(self) -> GitRefs:
        """Branches and tags."""
        return self._patiently("listing branches", lambda: self.api.list_repo_refs(self.repo))

    def branches(self) -> dict[str, str]:
        """Commits by the names of branches."""
        return {one.name: one.target_commit for one in self.refs().branches}

    def tags(self) -> dict[str, str]:
        """Commits by the names of tags."""
        return {one.name: one.target_commit for one in self.refs().tags}

    def make_branch(self, name: str, commit: str) -> None:
        """A branch that begins at a commit."""
        self._patiently(
            f"making the branch {name}",
            lambda: self.api.create_branch(self.repo, branch=name, revision=commit),
            lambda: True if self.branches().get(name) == commit else None,
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

    def open_pulls(self) -> list[str]:
        """Refs of the open pull requests, newest first."""

        def ask() -> list[str]:
            found = self.api.get_repo_discussions(
                self.repo, discussion_type="pull_request", discussion_status="open"
            )
            numbers = sorted((one.num for one in found), reverse=True)
            return [f"refs/pr/{number}" for number in numbers]

        return self._patiently("listing pull requests", ask)

    def propose(
        self, parent: str, operations: list[Operation], arrived: Callable[[], str | None]
    ) -> str:
        """The ref of a new pull request, one commit on top of `parent`; `arrived` finds one whose
        answer was lost."""

        def send() -> str:
            made = self.api.create_commit(
                self.repo,
                operations,
                commit_message="Release",
                parent_commit=parent,
                create_pr=True,
            )
            return str(made.pr_revision)

        return self._patiently("opening a pull request", send, arrived)

    def upload(
        self, revision: str, operations: list[Operation], *, as_pull_request: bool = False
    ) -> None:
        """Send the large files that a commit will name; those that are there are not sent."""
        added = [one for one in operations if isinstance(one, CommitOperationAdd)]
        with self._told("uploading files"):  # the client itself tries again
            if added:
                self.api.preupload_lfs_files(
                    self.repo,
                    added,
                    revision=revision,
                    create_pr=as_pull_request,
                    free_memory=False,
                )

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
        return patiently(
            f"push: {doing}", call, lambda error: self._explained(error, doing), settled
        )

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        try:
            yield
        except HUB_ERRORS as error:
            raise self._explained(error, doing) from None  # its text may repeat a token

    def _explained(self, error: Exception, doing: str) -> UserError | Failed:
        return explained(error, doing, self.repo, self.state, "write")


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
    settle_output()
    return Remote(api=HfApi(token=token), repo=repo, state=state, has_token=token is not None)
