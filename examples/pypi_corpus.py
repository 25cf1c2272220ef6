"""A corpus of permissively licensed Python code in a minute, from packages' source distributions.

python examples/pypi_corpus.py corpus/pypi rich requests attrs

Archives are downloaded as files, checked against the index's digests and unpacked with tarfile's
`data` filter: nothing in them is run, no build, no setup.py. What is not under a permissive licence
is not kept. The folder is a source of a recipe as it is:

    - {format: source_code, path: corpus/pypi, language: python}

Licences are read by `finetune prepare` from the same files that were unpacked here. Neither the
index nor an archive is trusted: what they hold is bounded before it is kept.
"""

import gzip
import hashlib
import json
import re
import sys
import tarfile
import urllib.request as web
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, cast
from urllib.parse import urljoin, urlsplit

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import Version

from finetune.corpus.files import read_below
from finetune.corpus.licensing import allowed, licence_tree
from finetune.corpus.locate import walk

MOST_BYTES = 100 << 20
"""Of an archive or a page of the index, and ten times as much unpacked: a small file can hold a
very large one."""
MOST_MEMBERS = 50_000
"""Files, folders and links of an archive."""
MOST_DEPTH = 32
"""Folders above one of them."""
MOST_HEADER = 128 << 10
"""Bytes that may stand before a file of an archive, to say its name and what else is known."""

OPENER = web.OpenerDirector()
"""Opens addresses of http and https, and no file of this machine."""
for handler in (
    web.ProxyHandler,
    web.UnknownHandler,
    web.HTTPHandler,
    web.HTTPSHandler,
    web.HTTPDefaultErrorHandler,
    web.HTTPRedirectHandler,
    web.HTTPErrorProcessor,
):
    OPENER.add_handler(handler())


class NotTaken(ValueError):
    """Why a package is left out."""


@dataclass(frozen=True)
class Archive:
    """The index's entry for a source distribution."""

    name: str
    version: Version
    url: str
    sha256: str


def main(folder: Path, names: list[str], index: str) -> None:
    """Fetch each package into `folder`/NAME-VERSION, and say what became of it."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = 0
    for name in names:
        try:
            print(take(name, folder, index))
            taken += 1
        except (NotTaken, OSError, HTTPException, tarfile.TarError) as error:
            said = f"{name}: left out: {error}"  # in which the index may have its say
            print("".join(one if one.isprintable() else " " for one in said))
    print(f"{taken} of {len(names)} packages\n")
    if taken:
        print(f"    - {{format: source_code, path: {folder}, language: python}}")


def take(name: str, folder: Path, index: str) -> str:
    """Fetch, check and unpack the newest source distribution of one package."""
    found = newest(name, index)
    stem = f"{found.name}-{found.version}"  # and not the file's name, which may lead elsewhere
    if (folder / stem).is_dir():
        return f"{stem}: is there"
    with TemporaryDirectory(dir=folder, prefix=".unpacking-") as scratch:
        archive = Path(scratch) / "archive.tar.gz"
        archive.write_bytes(content_of(found))
        unpacked = unpack(archive, Path(scratch) / "unpacked")
        tree = licence_tree(walk(unpacked), partial(read_below, unpacked))
        licence = tree.of("setup.py")
        if not allowed(licence, "permissive"):
            raise NotTaken(f"licence {licence or 'unknown'} is not permissive")
        unpacked.rename(folder / stem)
    return f"{stem}: {licence}"


def newest(name: str, index: str) -> Archive:
    """The newest source distribution of a package that is no pre-release."""
    wanted = canonicalize_name(name)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", wanted):
        raise NotTaken("is not the name of a package")
    url = f"{index.rstrip('/')}/{wanted}/"
    page = fetch(url, accept="application/vnd.pypi.simple.v1+json")
    try:
        files = json.loads(page)["files"]
        found = [one for file in files if (one := archive_of(file, wanted, url))]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NotTaken("the index answers with something else than a list of files") from None
    if not found:
        raise NotTaken("no source distribution (.tar.gz)")
    return max(found, key=lambda one: one.version)


def archive_of(file: dict[str, Any], wanted: str, url: str) -> Archive | None:
    """What one entry of the index states, or None where it is no such archive of the package."""
    try:
        name, version = parse_sdist_filename(file["filename"])
    except InvalidSdistFilename:
        return None
    is_fit = name == wanted and not version.is_prerelease and not file.get("yanked")
    if not (is_fit and file["filename"].endswith(".tar.gz")):
        return None
    return Archive(name, version, urljoin(url, file["url"]), str(file["hashes"].get("sha256")))


def content_of(archive: Archive) -> bytes:
    """The archive's bytes, which must have the digest that the index states."""
    content = fetch(archive.url)
    if hashlib.sha256(content).hexdigest() != archive.sha256:
        raise NotTaken("its SHA-256 is not the one that the index states")
    return content


def fetch(url: str, accept: str = "*/*") -> bytes:
    """What an address of http or https gives."""
    try:
        if urlsplit(url).scheme not in ("http", "https"):
            raise NotTaken(f"the index names {url}, which is no address of http or https")
        request = web.Request(url, headers={"Accept": accept})
    except ValueError as error:
        raise NotTaken(f"the index names an address that is none: {error}") from None
    with OPENER.open(request, timeout=60) as answer:
        content: bytes = answer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise NotTaken(f"larger than {MOST_BYTES} bytes")
    return content


def unpack(archive: Path, folder: Path) -> Path:
    """The single top folder of an archive, unpacked below `folder`; links are left out."""
    folder.mkdir()
    try:
        with gzip.open(archive) as stream:
            for _ in members(stream):  # all limits are seen before anything is written
                pass
        with gzip.open(archive) as stream:
            for tar, member in members(stream):
                # Without its time, which may be one that no file can have.
                tar.extract(member.replace(mtime=0, deep=False), folder, filter="data")
    except NotTaken:
        raise
    except (EOFError, ValueError, OverflowError, RecursionError, zlib.error) as error:
        raise NotTaken(f"its archive is cut off or damaged: {error}") from None
    tops = list(folder.iterdir())
    if len(tops) != 1 or not tops[0].is_dir():
        raise NotTaken("has not exactly one top folder")
    return tops[0]


class Headers:
    """A stream as tarfile reads it, which ends where too much is said about one file."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self.left = 0
        self.tell, self.seek, self.close = stream.tell, stream.seek, stream.close

    def read(self, size: int = -1) -> bytes:
        """The next bytes. Raises NotTaken beyond the limit."""
        self.left -= size
        if size < 0 or self.left < 0:
            raise NotTaken(f"its archive says more than {MOST_HEADER} bytes about one file")
        return self._stream.read(size)


def members(stream: gzip.GzipFile) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The files and folders of an archive, one by one. Raises NotTaken where they are too many."""
    headers = Headers(stream)
    num_bytes = number = 0
    headers.left = MOST_HEADER
    with tarfile.TarFile(fileobj=cast(IO[bytes], headers)) as tar:
        while member := tar.next():
            tar.members.clear()  # type: ignore[attr-defined]
            num_bytes += member.size
            number += 1
            if number > MOST_MEMBERS:
                raise NotTaken(f"holds more than {MOST_MEMBERS} files and folders")
            if member.name.count("/") > MOST_DEPTH:
                raise NotTaken(f"holds a file in more than {MOST_DEPTH} folders")
            if member.size < 0 or num_bytes > 10 * MOST_BYTES:
                raise NotTaken(f"unpacks to more than {10 * MOST_BYTES} bytes")
            if member.isdir() or (member.isfile() and not member.issparse()):
                headers.left = 10 * MOST_BYTES
                yield tar, member
            headers.left = MOST_HEADER


def default_index() -> str:
    """The index that pip itself uses when nothing is configured."""
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python examples/pypi_corpus.py FOLDER PACKAGE ...")
    main(Path(sys.argv[1]), sys.argv[2:], default_index())
