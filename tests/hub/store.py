"""What a Hub holds: repositories with commits, branches, tags and pull requests; large objects."""

import hashlib
from dataclasses import dataclass, field

GIT_ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


class Refusal(Exception):
    """An answer with a status of 400 and more."""

    def __init__(self, status, message, code=None, **more):
        super().__init__(message)
        self.status, self.message, self.code, self.more = status, message, code, more


@dataclass(frozen=True)
class Stored:
    """A file of a commit: its bytes, or the sha256 and size of a large object."""

    data: bytes | None = None
    oid: str | None = None
    size: int = 0

    @property
    def blob_id(self):
        """As git names a blob; of a large object it is that of its pointer."""
        return blob_id(self.data if self.oid is None else pointer(self.oid, self.size))


def blob_id(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def pointer(oid, size):
    lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{oid}", f"size {size}")
    return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True)
class Commit:
    sha: str
    parent: str | None
    files: dict[str, Stored]
    title: str


@dataclass
class Repo:
    id: str
    private: bool = False
    gated: bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    """Refs of pull requests."""

    def commit(self, ref, files, title, parent=None):
        """Make a commit and move `ref` to it."""
        text = f"{self.id} {parent} {title} {len(self.commits)}"
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits[sha] = Commit(sha, parent, dict(files), title)
        refs, name = self._refs_of(ref)
        refs[name] = sha
        return sha

    def _refs_of(self, ref):
        return (self.pulls, ref) if ref.startswith("refs/pr/") else (self.branches, ref)

    def at(self, revision):
        """The commit that a branch, a tag, a pull request or a sha names."""
        sha = (
            self.branches.get(revision)
            or self.tags.get(revision)
            or self.pulls.get(revision)
            or revision
        )
        if sha not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[sha]

    @property
    def main(self):
        return self.commits[self.branches["main"]]


@dataclass
class Store:
    """Everything on the server. `objects` are large files by sha256, `parts` pieces of them."""

    repos: dict[str, Repo] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Token: the name of its account, which may write what it owns."""
    readers: dict[str, set[str]] = field(default_factory=dict)
    """Gated repository: the accounts that accepted its conditions."""
    refused: list[bytes] = field(default_factory=list)
    """What arrived as a large file and was not taken."""
    refuses_wrong_objects: bool = True
    """Whether an upload is compared with its sha256, as the Hub's storage does."""

    def create(self, repo_id, private):
        repo = self.repos[repo_id] = Repo(repo_id, private)
        repo.commit("main", {".gitattributes": Stored(GIT_ATTRIBUTES)}, "initial commit")
        return repo

    def add_model(self, repo_id, folder, *, private=False, gated=False, large=(".safetensors",)):
        """Serve the files of a folder."""
        repo = self.create(repo_id, private)
        repo.gated = gated
        files = dict(repo.main.files)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            name = path.relative_to(folder).as_posix()
            files[name] = self.large(data) if path.suffix in large else Stored(data)
        repo.commit("main", files, "files", repo.branches["main"])
        return repo

    def large(self, data):
        oid = hashlib.sha256(data).hexdigest()
        self.objects[oid] = data
        return Stored(oid=oid, size=len(data))

    def content(self, stored):
        return self.objects[stored.oid] if stored.oid else stored.data

    def holds(self, repo_id, revision="main"):
        """Bytes of every file at a revision, `.gitattributes` left out."""
        files = self.repos[repo_id].at(revision).files
        return {name: self.content(one) for name, one in files.items() if name != ".gitattributes"}
