"""A release as a pull request, for a repository that is somebody else's to change.

One commit on a ref of its own, made and announced by the Hub in one step; it is downloaded afresh
and compared by sha256. `main` stays as it is, and gets no tag: whoever merges decides. A push that
was cut off finds its own open request by the files that it holds, and opens no second one.
"""

from pathlib import Path

from finetune.errors import Failed, UserError
from finetune.publishing.hub import AS_IT_WAS, Files, compare, operations_for, verify_download
from finetune.publishing.names import refuse_bad_name
from finetune.publishing.remote import Remote, open_remote
from finetune.publishing.snapshot import snapshot

MOST_LOOKED_AT = 20
"""Open pull requests, newest first, in which the release may be already."""


def propose_to_hub(release: Path, repo: str, private: bool) -> str:
    """Have an open pull request on `repo` that holds exactly the files of `release`; returns what
    was done.

    Raises UserError for what the user can mend, Failed for what cannot be helped here.
    """
    refuse_bad_name(repo)
    with snapshot(release) as files:
        remote = open_remote(repo, AS_IT_WAS)
        about = remote.look()
        if about is None:
            raise UserError(
                f"{repo}: is not there, as far as the token can see; a pull request needs a "
                "repository, and a push without --pull-request creates it"
            )
        remote.refuse_visibility(about, private)
        head = str(about.sha)
        found = compare(files, remote.tree(head))
        if not found.any:
            return f"{remote.url} already holds these files, by the Hub's own checksums: no request"
        ref = _open_already(remote, files) or _open(remote, files, head)
        tip = remote.head(ref)
        if compare(files, remote.tree(tip)).any:
            raise Failed(
                f"{repo}: {ref} holds other files than the release, by the Hub's own checksums. "
                f"{AS_IT_WAS} Close that pull request and push again"
            )
        last_resort = f"close the pull request {ref} on the Hub first"
        verify_download(remote, files, tip, found.sent, release.parent, last_resort)
    where = f"{remote.url}/discussions/{ref.rpartition('/')[2]}"
    deleted = f"; it deletes {', '.join(found.deleted)}" if found.deleted else ""
    return (
        f"{where}: a pull request that brings {repo} to {len(files)} files; {len(found.sent)} of "
        f"them downloaded afresh and compared by sha256{deleted}. {AS_IT_WAS}"
    )


def _open_already(remote: Remote, files: Files) -> str | None:
    """The ref of an open pull request that holds these files, if there is one."""
    for ref in remote.open_pulls()[:MOST_LOOKED_AT]:
        if not compare(files, remote.tree(remote.head(ref))).any:
            return ref
    return None


def _open(remote: Remote, files: Files, head: str) -> str:
    """A new pull request on top of the commit `head`."""
    operations = operations_for(files, compare(files, remote.tree(head)))
    remote.upload("main", operations, as_pull_request=True)
    return remote.propose(head, operations, lambda: _open_already(remote, files))
