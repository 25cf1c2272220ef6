"""A corpus of permissively licensed Python code in a minute, from packages' source distributions.

python examples/pypi_corpus.py corpus/pypi rich requests attrs

Archives are downloaded as files, checked against the index's digests and unpacked with tarfile's
`data` filter: nothing in them is run, no build, no setup.py. What is not under a permissive licence
is not kept. The folder is a source of a recipe as it is:

    - {format: source_code, path: corpus/pypi, language: python}

Licences are read by `finetune prepare` from the same files that were unpacked here.
"""

import hashlib
import json
import sys
import tarfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urljoin
from urllib.request import Request, urlopen

from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

from finetune.corpus.files import read_below
from finetune.corpus.licensing import allowed, licence_tree
from finetune.corpus.locate import walk

MOST_BYTES = 100 << 20
"""Of an archive, and ten times as much unpacked: a small file can hold a very large one."""


class NotTaken(ValueError):
    """Why a package is left out."""


def main(folder: Path, names: list[str], index: str) -> None:
    """Fetch each package into `folder`/NAME-VERSION, and say what became of it."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = 0
    for name in names:
        try:
            print(take(name, folder, index))
            taken += 1
        except (NotTaken, OSError, tarfile.TarError) as error:
            print(f"{name}: left out: {error}")
    print(f"{taken} of {len(names)} packages\n")
    if taken:
        print(f"    - {{format: source_code, path: {folder}, language: python}}")


def take(name: str, folder: Path, index: str) -> str:
    """Fetch, check and unpack the newest source distribution of one package."""
    file = newest(name, index)
    stem = file["filename"].removesuffix(".tar.gz")
    if (folder / stem).is_dir():
        return f"{stem}: is there"
    with TemporaryDirectory(dir=folder, prefix=".unpacking-") as scratch:
        archive = Path(scratch) / "archive.tar.gz"
        archive.write_bytes(content_of(file, index))
        unpacked = unpack(archive, Path(scratch) / "unpacked")
        tree = licence_tree(walk(unpacked), partial(read_below, unpacked))
        licence = tree.of("setup.py")
        if not allowed(licence, "permissive"):
            raise NotTaken(f"licence {licence or 'unknown'} is not permissive")
        unpacked.rename(folder / stem)
    return f"{stem}: {licence}"


def newest(name: str, index: str) -> Mapping[str, Any]:
    """The index's entry for the newest source distribution that is no pre-release."""
    url = f"{index.rstrip('/')}/{canonicalize_name(name)}/"
    request = Request(url, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urlopen(request, timeout=60) as answer:
        files = json.load(answer)["files"]
    found = []
    for file in files:
        try:
            _, version = parse_sdist_filename(file["filename"])
        except InvalidSdistFilename:
            continue
        is_tar = file["filename"].endswith(".tar.gz")
        if is_tar and not version.is_prerelease and not file.get("yanked"):
            found.append((version, {**file, "url": urljoin(url, file["url"])}))
    if not found:
        raise NotTaken("no source distribution (.tar.gz)")
    return max(found, key=lambda pair: pair[0])[1]


def content_of(file: Mapping[str, Any], index: str) -> bytes:
    """The archive's bytes, which must have the digest that the index states."""
    with urlopen(file["url"], timeout=60) as answer:
        content: bytes = answer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise NotTaken(f"larger than {MOST_BYTES} bytes")
    if hashlib.sha256(content).hexdigest() != file["hashes"].get("sha256"):
        raise NotTaken("its SHA-256 is not the one that the index states")
    return content


def unpack(archive: Path, folder: Path) -> Path:
    """The single top folder of an archive, unpacked below `folder`; links are left out."""
    with tarfile.open(archive) as tar:
        members = [member for member in tar if member.isfile() or member.isdir()]
        if sum(member.size for member in members) > 10 * MOST_BYTES:
            raise NotTaken(f"unpacks to more than {10 * MOST_BYTES} bytes")
        tar.extractall(folder, members, filter="data")  # refuses paths that lead out of the folder
    tops = list(folder.iterdir())
    if len(tops) != 1 or not tops[0].is_dir():
        raise NotTaken("has not exactly one top folder")
    return tops[0]


def default_index() -> str:
    """The index that pip itself uses when nothing is configured."""
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python examples/pypi_corpus.py FOLDER PACKAGE ...")
    main(Path(sys.argv[1]), sys.argv[2:], default_index())
