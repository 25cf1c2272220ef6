"""A repository's history -> one document for each file that a commit modifies.

StarCoder and CommitPack took commits of a single file, which is `max_files=1`; by default a commit
that changes several files gives a document for each. What it adds or deletes is counted and left
out: that is no edit, and an added file is a source file like any other.
"""

from collections.abc import Callable, Iterator, Sequence

from data_formats.document import Document, Drop
from data_formats.git import DAMAGED, Repository, kind_of, kind_reason, size_reason
from data_formats.git_changes import Change, Trees
from data_formats.git_commits import (
    NO_LANGUAGE,
    NO_SUBJECT,
    NOTHING_AFTER,
    NOTHING_BEFORE,
    Edit,
    commit_document,
    content_reason,
)
from data_formats.git_objects import Commit, Objects
from data_formats.source_code import decode_source, language_of

_AT_ONCE = 256  # commits whose changes are asked for together


def read_commits(
    repository: Repository,
    commits: Sequence[str],
    *,
    repo: str,
    licence: str | None = None,
    source: int = 0,
    max_bytes: int = 1_000_000,
    max_files: int | None = None,
    write: Callable[[Edit], Document] = commit_document,
) -> Iterator[Document | Drop]:
    """What the commits modify, in their order and git's order of paths.

    `commits` are full ids and may be any slice of a history: slices read by different processes
    give what one process gives. A drop's path is what `git show` takes: a commit's id, or `id:path`
    for one of its files. Raises ValueError where there is no such commit.
    """
    with repository.objects() as objects:
        for sha, found in _changes_or_reasons(repository, objects, commits, max_bytes, max_files):
            if isinstance(found, str):
                yield Drop(path=sha, repo=repo, reason=found)
                continue
            commit, changes = found
            for change in changes:
                texts = _contents_or_reason(objects, change, max_bytes, repository.absent)
                if isinstance(texts, str):
                    yield Drop(path=f"{sha}:{change.new_path}", repo=repo, reason=texts)
                    continue
                before, after, language = texts
                edit = Edit(
                    before=before,
                    message=commit.subject,
                    after=after,
                    path=change.new_path,
                    repo=repo,
                    language=language,
                    commit=sha,
                    licence=licence,
                    source=source,
                )
                yield write(edit)


def _changes_or_reasons(
    repository: Repository,
    objects: Objects,
    commits: Sequence[str],
    max_bytes: int,
    max_files: int | None,
) -> Iterator[tuple[str, tuple[Commit, list[Change]] | str]]:
    """Each commit's id with what it changes, or with why nothing of it is used."""
    trees = Trees(objects)
    for start in range(0, len(commits), _AT_ONCE):
        shas = commits[start : start + _AT_ONCE]
        known = {
            sha: _commit_or_reason(objects, trees, sha, max_bytes, repository.absent)
            for sha in shas
        }
        usable = [one for sha in shas if isinstance(one := known[sha], Commit)]
        changes = repository.changes((one.sha, one.parents[0]) for one in usable)
        for sha in shas:
            commit = known[sha]
            if isinstance(commit, str):
                yield sha, commit
                continue
            _, found = next(changes)
            if found is None:
                yield sha, DAMAGED
            elif not found:
                yield sha, "commit changes no file"
            elif max_files is not None and len(found) > max_files:
                yield sha, f"commit changes more files than {max_files}"
            else:
                yield sha, (commit, found)


def _commit_or_reason(
    objects: Objects, trees: Trees, sha: str, max_bytes: int, absent: str
) -> Commit | str:
    """A commit with one parent, a subject and changes that can be told, or why it is none."""
    size = objects.size(sha)
    if size is not None and size > max_bytes:
        return f"larger than {max_bytes} bytes"
    commit = objects.commit(sha)
    if commit is None:
        return DAMAGED
    if not commit.parents:
        return "first commit: nothing stands before it"
    if len(commit.parents) > 1:
        return "merge commit"
    parent = objects.commit(commit.parents[0])
    if parent is None:
        is_there = objects.size(commit.parents[0]) is not None
        return DAMAGED if is_there else "the commit before it is not in this shallow clone"
    if commit.message is None:
        return "commit message is not in its stated encoding"
    if not commit.subject:
        return NO_SUBJECT
    return trees.reason(parent.tree, commit.tree, absent) or commit


def _contents_or_reason(
    objects: Objects, change: Change, max_bytes: int, absent: str
) -> tuple[str, str, str] | str:
    """Before, after and language of an edit, or why it is none; large files are not read."""
    language = language_of(change.new_path)
    reason = _change_reason(change)
    if reason is not None or language is None:
        return reason or NO_LANGUAGE
    texts: list[bytes] = []
    for one in (change.old_id, change.new_id):
        content = objects.content_up_to(one, max_bytes)
        if content is None:
            return absent if objects.size(one) is None else DAMAGED
        if isinstance(content, int):
            return size_reason(content, max_bytes) or DAMAGED
        texts.append(content)
    before, after = texts
    reason = content_reason(before, after)
    return reason or (decode_source(before), decode_source(after), language)


def _change_reason(change: Change) -> str | None:
    """Why a change is no edit of a file, as far as that can be told without the contents."""
    for mode in (change.old_mode, change.new_mode):
        if reason := kind_reason(kind_of(mode)):
            return reason
    if change.status == "A":
        return NOTHING_BEFORE
    if change.status == "D":
        return NOTHING_AFTER
    if change.old_id != change.new_id:
        return None
    return "renamed without a change" if change.status == "R" else "only the file mode changes"
