"""The Hub's calls as functions of the store: no sockets here."""

import base64
import json
import posixpath
from urllib.parse import parse_qs

from tests.hub.store import Refusal, Stored, pointer

REGULAR_AT_MOST = 10_000_000
_LARGE = (".safetensors", ".bin", ".model", ".bloom")


def create(store, account, body):
    """POST /api/repos/create"""
    owner = body["organization"] or account
    repo_id = f"{owner}/{body['name']}"
    url = f"/{repo_id}"
    if owner != account:
        raise Refusal(403, f"You don't have the rights to create a model under {owner}")
    if repo_id in store.repos:
        raise Refusal(409, "You already created this model repo", url=url)
    store.create(repo_id, body.get("visibility") == "private")
    return {"url": url}


def validate_yaml(body):
    """POST /api/validate-yaml"""
    if "license: nonsense" in body["content"]:
        raise Refusal(400, "Invalid metadata", errors=[{"message": '"license" must be valid'}])
    return {"errors": [], "warnings": []}


def info(repo, revision):
    """GET /api/models/ID[/revision/REV]"""
    commit = repo.at(revision or "main")
    siblings = [{"rfilename": name} for name in sorted(commit.files)]
    values = {"id": repo.id, "modelId": repo.id, "sha": commit.sha, "siblings": siblings}
    return values | {"private": repo.private, "gated": "auto" if repo.gated else False, "tags": []}


def refs(repo, with_pulls):
    """GET /api/models/ID/refs"""

    def of(kind, names):
        return [{"name": n, "ref": f"{kind}{n}", "targetCommit": sha} for n, sha in names.items()]

    found = {"branches": of("refs/heads/", repo.branches), "converts": []}
    found["tags"] = of("refs/tags/", repo.tags)
    if with_pulls:
        found["pullRequests"] = of("", repo.pulls)
    return found


def discussions(repo):
    """GET /api/models/ID/discussions; here every pull request is open until it is closed"""
    found = [
        {
            "num": int(ref.rpartition("/")[2]),
            "title": "Release",
            "author": {"name": "ann"},
            "createdAt": "2026-01-01T00:00:00.000Z",
            "status": "open",
            "repo": {"name": repo.id, "type": "model"},
            "isPullRequest": True,
        }
        for ref in repo.pulls
        if ref not in repo.closed
    ]
    return {"discussions": found, "count": len(found), "start": 0}


def entry(name, stored, *, is_wrong=False):
    """A file as /tree and /paths-info state it."""
    size = stored.size if stored.oid else len(stored.data)
    blob = stored.blob_id[::-1] if is_wrong else stored.blob_id
    value = {"type": "file", "path": name, "size": size, "oid": blob}
    if stored.oid:
        oid = stored.oid[::-1] if is_wrong else stored.oid
        value["lfs"] = {"oid": oid, "size": size}
        value["lfs"]["pointerSize"] = len(pointer(stored.oid, size))
    return value


def tree(repo, revision, *, is_wrong=False):
    """GET /api/models/ID/tree/REV?recursive=true"""
    files = repo.at(revision).files
    folders = {posixpath.dirname(name) for name in files} - {""}
    listed = [{"type": "directory", "path": f, "oid": "0" * 40, "size": 0} for f in folders]
    return listed + [entry(n, one, is_wrong=is_wrong) for n, one in sorted(files.items())]


def paths_info(repo, revision, body):
    """POST /api/models/ID/paths-info/REV, a form"""
    files = repo.at(revision).files
    paths = parse_qs(body.decode())["paths"]
    return [entry(name, files[name]) for name in paths if name in files]


def preupload(repo, revision, body):
    """POST /api/models/ID/preupload/REV"""
    files = repo.at(revision).files
    answers = []
    for one in body["files"]:
        is_large = one["path"].endswith(_LARGE) or one["size"] > REGULAR_AT_MOST
        held = files.get(one["path"])
        answer = {"path": one["path"], "uploadMode": "lfs" if is_large else "regular"}
        oid = None if held is None else held.oid or held.blob_id
        answers.append(answer | {"shouldIgnore": False, "oid": oid})
    return {"files": answers}


def batch(store, body, urls):
    """POST /ID.git/info/lfs/objects/batch; `urls(oid, size)` are the actions of an upload."""
    objects = [
        {"oid": one["oid"], "size": one["size"]}
        | ({} if one["oid"] in store.objects else {"actions": urls(one["oid"], one["size"])})
        for one in body["objects"]
    ]
    return {"transfer": "basic", "objects": objects}


def verify(store, body):
    """POST verify of an object"""
    data = store.objects.get(body["oid"])
    if data is None or len(data) != body["size"]:
        raise Refusal(422, "the object was not uploaded whole")
    return {}


def commit(store, repo, revision, body, *, create_pr=False):
    """POST /api/models/ID/commit/REV, lines of JSON; all of it or nothing"""
    lines = [json.loads(line) for line in body.splitlines()]
    assert lines[0]["key"] == "header"
    header = lines[0]["value"]
    head = repo.at(revision)
    if header.get("parentCommit") not in (None, head.sha):
        raise Refusal(412, "The parent commit does not match the current head")
    files = dict(head.files)
    for line in lines[1:]:
        _apply(store, files, line["key"], line["value"])
    if create_pr:
        number = len(repo.pulls) + 1
        sha = repo.commit(f"refs/pr/{number}", files, header["summary"], head.sha)
        more = {"pullRequestUrl": f"/{repo.id}/discussions/{number}"}
    else:
        sha, more = repo.commit(revision, files, header["summary"], head.sha), {}
    return {"success": True, "commitOid": sha, "commitUrl": f"/{repo.id}/commit/{sha}"} | more


def _apply(store, files, key, value):
    path = value["path"]
    if key == "file":
        assert value["encoding"] == "base64"
        files[path] = Stored(base64.b64decode(value["content"]))
    elif key == "lfsFile":
        if value["oid"] not in store.objects:
            raise Refusal(400, f"{path}: its LFS object was not uploaded")
        files[path] = Stored(oid=value["oid"], size=len(store.objects[value["oid"]]))
    elif key == "deletedFile":
        if path not in files:
            raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
        del files[path]
    else:
        raise Refusal(400, f"{key}: unknown operation")


def make_branch(repo, name, body):
    """POST /api/models/ID/branch/NAME"""
    if name in repo.branches:
        raise Refusal(409, "Reference already exists")
    repo.branches[name] = repo.at(body.get("startingPoint") or "main").sha
    return {}


def drop_branch(repo, name):
    """DELETE /api/models/ID/branch/NAME"""
    if name not in repo.branches:
        raise Refusal(404, "Reference does not exist", "RevisionNotFound")
    del repo.branches[name]
    return {}


def make_tag(repo, revision, body):
    """POST /api/models/ID/tag/REV"""
    if body["tag"] in repo.tags:
        raise Refusal(409, "Tag reference exists already")
    repo.tags[body["tag"]] = repo.at(revision).sha
    return {}


def file_at(repo, revision, path):
    """The commit and the file that /ID/resolve/REV/PATH names."""
    found = repo.at(revision)
    if path not in found.files:
        raise Refusal(404, "Entry not found", "EntryNotFound")
    return found, found.files[path]
