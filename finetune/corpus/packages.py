"""Installed Python packages as folders of source: found by their metadata, never imported."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from finetune.errors import UserError

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution

STDLIB = "stdlib"
STDLIB_LICENCE = "PSF-2.0"
INSTALLED_FOLDERS = frozenset({"site-packages", "dist-packages"})

# Only classifiers that name one SPDX licence: "BSD License" may be the two- or three-clause text.
LICENCE_OF_CLASSIFIER = {
    "Apache Software License": "Apache-2.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}

# What the free-text `License` field says where it means one licence, in lower case.
LICENCE_OF_PHRASE = {
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "isc license": "ISC",
    "mit license": "MIT",
    "the mit license": "MIT",
}

SPDX_IDS = frozenset(
    {*LICENCE_OF_CLASSIFIER.values(), "0BSD", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "HPND"}
)


@dataclass(frozen=True)
class Place:
    """Where a package's source lies: `file` is None unless the package is a single module."""

    root: Path
    repo: str
    licence: str | None
    file: Path | None = None


def find_package(name: str) -> Place:
    """The place of the top-level package `name`, or of Python's own library for `stdlib`.

    Nothing is imported. Raises UserError where it is not installed or has no source files.
    """
    if name == STDLIB:
        return Place(stdlib_folder(), stdlib_repo(), STDLIB_LICENCE)
    where = f"package: {name}"
    if not name.isidentifier():
        raise UserError(
            f"{where}: is not the name of a top-level package; write what `import` takes, without "
            "dots, and choose below it with `include`"
        )
    if name in sys.stdlib_module_names:
        return _stdlib_module(name, where)
    source = _source_of(name, where)
    file = source if source.is_file() else None
    root = source.parent if file else source
    distribution = _distribution_of(name, source)
    if distribution is None and not _is_package(source):
        raise UserError(
            f"{where}: is not installed; {source} is a folder that happens to bear the name: if "
            "that is meant, give it as `path:`"
        )
    if distribution is None:
        return Place(root, name, None, file)
    return Place(root, distribution.name, licence_of(distribution), file)


def stdlib_folder() -> Path:
    """The folder of Python's own library."""
    import sysconfig

    return Path(sysconfig.get_path("stdlib")).resolve()


def stdlib_repo() -> str:
    """`cpython-3.11` for the running Python."""
    return f"cpython-{sys.version_info.major}.{sys.version_info.minor}"


def _stdlib_module(name: str, where: str) -> Place:
    folder, file = stdlib_folder() / name, stdlib_folder() / f"{name}.py"
    if folder.is_dir():
        return Place(folder, stdlib_repo(), STDLIB_LICENCE)
    if file.is_file():
        return Place(file.parent, stdlib_repo(), STDLIB_LICENCE, file)
    raise UserError(f"{where}: is built into Python and has no source files; choose another")


def _source_of(name: str, where: str) -> Path:
    """The package's folder or, for a single module, its file."""
    spec = _spec(name)
    if spec is None:
        raise UserError(
            f"{where}: is not installed for {sys.executable}; {_nearest(name)}install it there, or "
            "give the folder of its files as `path:`"
        )
    locations = spec.submodule_search_locations or ()
    folders = list(dict.fromkeys(Path(folder).resolve() for folder in locations))
    if len(folders) > 1:
        shown = ", ".join(map(str, folders))
        raise UserError(f"{where}: is spread over several folders ({shown}); give one as `path:`")
    found = folders[0] if folders else Path(spec.origin or "")
    if found.is_dir() or found.suffix == ".py":
        return found.resolve()
    raise UserError(f"{where}: has no source files ({spec.origin}); choose another package")


def _nearest(name: str) -> str:
    from difflib import get_close_matches
    from importlib.metadata import packages_distributions

    installed = [one for one in packages_distributions() if not one.startswith("_")]
    near = get_close_matches(name, [*installed, STDLIB, *sys.stdlib_module_names], n=1)
    return f"did you mean `{near[0]}`? Else " if near else ""


def _is_package(source: Path) -> bool:
    return source.is_file() or (source / "__init__.py").is_file()


def _spec(name: str) -> "ModuleSpec | None":
    """How Python would import a top-level `name`; looking it up runs none of its code."""
    from importlib.util import find_spec

    try:
        return find_spec(name)
    except (ValueError, ImportError):  # e.g. `__main__`, which has no spec
        return None


def _distribution_of(name: str, source: Path) -> "Distribution | None":
    """The installed distribution that `source` came with."""
    from importlib.metadata import PackageNotFoundError, distribution, distributions

    try:
        namesake = [distribution(name)]
    except PackageNotFoundError:
        namesake = []
    for installed in (namesake, list(distributions())):
        for one in installed:
            if _installed(one, name, source):
                return one
    return next((one for one in distributions() if _is_editable(one, source)), None)


def _installed(one: "Distribution", name: str, source: Path) -> bool:
    """Whether `source` is what `one` put in place: a folder of the same name may hide it."""
    if Path(str(one.locate_file(source.name))).resolve() != source:
        return False
    if name in (one.read_text("top_level.txt") or "").split():
        return True
    entry = f"\n{source.name}," if source.suffix == ".py" else f"\n{source.name}/"
    return entry in "\n" + (one.read_text("RECORD") or "")


def _is_editable(one: "Distribution", source: Path) -> bool:
    """Whether `one` is a project that was installed in place and `source` is of that project.

    A virtual environment may lie inside the project's folder: its packages are not the project's.
    """
    import json

    direct = json.loads(one.read_text("direct_url.json") or "{}")
    if not direct.get("dir_info", {}).get("editable") or INSTALLED_FOLDERS & {*source.parts}:
        return False
    return source.is_relative_to(Path(unquote(urlsplit(direct["url"]).path)).resolve())


def licence_of(distribution: "Distribution") -> str | None:
    """The SPDX expression that a distribution's metadata states, or None where it is not clear.

    `License-Expression`, else a `License` field that is one, else the only licence classifier.
    """
    metadata = distribution.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"].strip()
    stated = metadata["License"].strip() if "License" in metadata else ""
    if is_spdx(stated):
        return stated
    prefix = "License :: "
    classifiers = [
        value.rpartition(" :: ")[2]
        for value in metadata.get_all("Classifier") or []
        if value.startswith(prefix) and value != "License :: OSI Approved"
    ]
    if len(classifiers) == 1 and classifiers[0] in LICENCE_OF_CLASSIFIER:
        return LICENCE_OF_CLASSIFIER[classifiers[0]]
    return LICENCE_OF_PHRASE.get(stated.lower())


def is_spdx(text: str) -> bool:
    """Whether `text` is an SPDX expression of licences that packages commonly state."""
    words = re.sub(r"[()]", " ", text).split()
    return bool(words) and all(
        (word in SPDX_IDS) if at % 2 == 0 else word in ("AND", "OR")
        for at, word in enumerate(words)
    )
