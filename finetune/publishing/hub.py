"""A release to the Hugging Face Hub, so that `main` is as it was or holds all of it.

1. The release is copied aside, checked and hashed; what is hashed is what is sent (`snapshot.py`).
2. A branch of its own, `finetune-staging`, is brought to hold exactly these files.
3. Every file that `main` does not hold yet is downloaded from there afresh and compared by sha256.
4. One commit, which the Hub refuses where `main` has moved, brings `main` there; large files are
   not sent again. The Hub's own checksums of the new `main` are compared.
5. The commit gets a tag, and the branch goes.

Each step looks first at what is there: a push that was cut off goes on where it stopped.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

from finetune.errors import Failed
from finetune.publishing.artefacts import kind_of
from finetune.publishing.changes import Changes, as_text, changes
from finetune.publishing.checks import check_release
from finetune.publishing.names import refuse_bad_name
from finetune.publishing.remote import Operation, Remote, Tree, open_remote
from finetune.publishing.snapshot import SentFile, hashed, refuse_missing, snapshot
from finetune.run_folder import sha256_of

MAIN, STAGING = "main", "finetune-staging"
_KEPT = frozenset({".gitattributes"})
"""What the Hub makes itself."""
_TAG = "push-"
AS_IT_WAS = "Its main branch is as it was."
_UNKNOWN = "Whether its main branch has the release is not known; a push looks first."
_ONLY_THE_TAG = "Its main branch holds the whole release, verified; a push adds what is missing."

Files = dict[str, SentFile]


def push_to_hub(release: Path, repo: str, private: bool) -> str:
    """Make `main` of `repo` hold exactly the files of `release`; returns what was done.

    Raises UserError for what the user can mend (a token, a name, the release), Failed for what
    cannot be helped here; each says how the repository is left.
    """
    refuse_bad_name(repo)
    with snapshot(release) as files:
        remote = open_remote(repo, AS_IT_WAS)
        about = remote.open(private)
        head = str(about.sha)
        found = compare(files, remote.tree(head))
        if found.any:
            tip = _stage(remote, files, head)
            branch = f"delete the branch {STAGING} on the Hub first"
            verify_download(remote, files, tip, found.sent, release.parent, branch)
            head = _bring(remote, MAIN, head, files, remote.tree(tip), tip)
        done = remote.with_state(_ONLY_THE_TAG)
        tag = _tag(done, head)
        done.drop_branch(STAGING)
    size = f"{len(files)} {'file' if len(files) == 1 else 'files'}"
    where = f"{remote.url} ({tag}, {'private' if about.private else 'public'})"
    if not found.any:
        return f"{where} already holds these {size}, by the Hub's own checksums: sent nothing"
    deleted = f"; deleted {', '.join(found.deleted)}" if found.deleted else ""
    return (
        f"{where} holds {size}: {len(found.sent)} downloaded afresh and compared by sha256, "
        f"{len(found.unchanged)} unchanged by the Hub's own checksums{deleted}"
    )


def dry_run_on_hub(release: Path, repo: str, private: bool) -> str:
    """What a push would send, file by file; reads from the Hub and changes nothing anywhere."""
    refuse_bad_name(repo)
    refuse_missing(release)
    check_release(release, kind_of(release))
    files = hashed(release)
    remote = open_remote(repo, "Nothing was changed.", needs_token=False)
    about = remote.look()
    if about is None:
        visibility = "private" if private else "public"
        whose = "" if remote.has_token else " as far as can be seen without a token"
        where = f"{remote.url}: would be created, {visibility}{whose}"
        return as_text(compare(files, {}), files, where)
    remote.refuse_visibility(about, private)
    found = compare(files, remote.tree(str(about.sha)))
    return as_text(found, files, f"{remote.url}: {'one commit' if found.any else 'as it is'}")


def compare(files: Files, tree: Tree) -> Changes:
    """What would have to change for a tree of the Hub to hold these files."""
    held = tree.keys() - _KEPT
    same = [name for name in held & files.keys() if _is_same(files[name], tree, name)]
    return changes(files, held, same)


def _is_same(file: SentFile, tree: Tree, name: str) -> bool:
    """By the Hub's checksums: sha256 of a large file, git's SHA-1 of any other."""
    held = tree[name]
    return held.lfs.sha256 == file.sha256 if held.lfs is not None else held.blob_id == file.blob_id


def _stage(remote: Remote, files: Files, head: str) -> str:
    """The commit of the staging branch that holds exactly these files."""
    tip = remote.branches().get(STAGING)
    if tip is None:
        remote.make_branch(STAGING, head)
        tip = head
    return _bring(remote, STAGING, tip, files, {}, tip)


def _bring(remote: Remote, revision: str, head: str, files: Files, staged: Tree, tip: str) -> str:
    """The commit at which `revision` holds exactly these files, made on top of `head` if need be.

    Large files that `staged`, the tree of the commit `tip`, holds are named instead of sent.
    """
    found = compare(files, remote.tree(head))
    if not found.any:
        return head
    operations = operations_for(files, found, staged, tip)
    remote.upload(revision, operations)

    def arrived() -> str | None:
        """Our commit, where it was made and its answer was lost."""
        now = remote.with_state(_UNKNOWN if revision == MAIN else AS_IT_WAS).head(revision)
        if now == head:
            return None
        if compare(files, remote.tree(now)).any:
            raise Failed(f"{remote.repo}: somebody else pushed to {revision} meanwhile; push again")
        return now

    new = remote.commit(revision, head, operations, arrived)
    wrong = compare(files, remote.tree(new))
    if wrong.any:
        names = ", ".join((*wrong.sent, *wrong.deleted))
        raise Failed(
            f"{remote.repo}: the Hub's own checksums at {new[:12]} differ in {names}; "
            f"{AS_IT_WAS if revision == STAGING else 'its tag was not moved there'} Push again."
        )
    return new


def operations_for(
    files: Files, found: Changes, staged: Tree | None = None, tip: str = ""
) -> list[Operation]:
    """What brings a revision there. Large files that `staged`, the tree of the commit `tip`, holds
    are named instead of sent."""
    held = staged or {}
    operations: list[Operation] = [
        CommitOperationDelete(path_in_repo=name, is_folder=False) for name in found.deleted
    ]
    for name in found.sent:
        if name in held and held[name].lfs is not None:
            operations.append(CommitOperationCopy(name, name, src_revision=tip))
        else:
            operations.append(CommitOperationAdd(name, files[name].path))
    return operations


def verify_download(
    remote: Remote, files: Files, tip: str, names: tuple[str, ...], place: Path, last_resort: str
) -> None:
    """Download what was sent and compare its sha256. Raises Failed where it differs, with what to
    do where that stays so."""
    wrong = []
    with _folder(place) as folder:
        for name in names:
            path = remote.download(name, tip, folder)
            if sha256_of(path) != files[name].sha256:
                wrong.append(name)
            path.unlink()
    if wrong:
        raise Failed(
            f"{remote.repo}: what the Hub gives back differs from the release in "
            f"{', '.join(wrong)}. {AS_IT_WAS} Push again; if it stays so, {last_resort}"
        )


@contextmanager
def _folder(place: Path) -> Iterator[Path]:
    folder = Path(mkdtemp(prefix=".verify-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tag(remote: Remote, commit: str) -> str:
    """The tag of a commit, `push-1`, `push-2`, ...; made where it has none."""
    tags = remote.tags()
    numbers = {name: name.removeprefix(_TAG) for name in tags if name.startswith(_TAG)}
    numbers = {name: number for name, number in numbers.items() if number.isdigit()}
    for name in numbers:
        if tags[name] == commit:
            return name
    name = f"{_TAG}{max(map(int, numbers.values()), default=0) + 1}"
    remote.make_tag(name, commit)
    return name
