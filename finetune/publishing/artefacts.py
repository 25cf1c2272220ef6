"""The allow-list: which files a release of each kind may hold, and what it cannot do without.

An allow-list, never an ignore-list: `training_args.bin` is a pickle that can hold a token in
clear, and the next such file has a name that nobody has thought of yet.
"""

from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Literal

from finetune.licences import BASE_CARD
from finetune.tokenizer import FILES
from finetune.trace import BLOOM_FILE

PROVENANCE = "provenance.json"
"""How the release was made, and the sha256 of each of its files."""

Artefact = Literal["merged", "adapter", "gguf"]

_TOKENIZER = (*FILES, "chat_template.json", "additional_chat_templates/*.jinja")
_PAPERS = (
    "README.md",
    "LICENSE",
    "NOTICE",  # Apache-2.0 4(d) and OpenRAIL 5.2c: notices of the base are passed on
    "ATTRIBUTION.md",
    BASE_CARD,  # OpenRAIL 5.2b: so is its explanatory documentation
    ".eval_results/*.yaml",
    PROVENANCE,
    BLOOM_FILE.name,  # only where the recipe asks for it
)
ALLOWED: dict[Artefact, tuple[str, ...]] = {
    "merged": (
        "model.safetensors",
        "model-*-of-*.safetensors",
        "model.safetensors.index.json",
        "config.json",
        "generation_config.json",
        "merge.json",
        *_TOKENIZER,
        *_PAPERS,
    ),
    "adapter": ("adapter_model.safetensors", "adapter_config.json", *_TOKENIZER, *_PAPERS),
    "gguf": ("model-*.gguf", "gguf.json", *_PAPERS),
}
# One of each group has to be there.
REQUIRED: dict[Artefact, tuple[tuple[str, ...], ...]] = {
    "merged": (
        ("model.safetensors", "model.safetensors.index.json"),
        ("config.json",),
        ("merge.json",),
        ("tokenizer.json", "tokenizer.model", "vocab.json"),
        ("tokenizer_config.json",),
    ),
    "adapter": (("adapter_model.safetensors",), ("adapter_config.json",)),
    "gguf": (("gguf.json",),),
}


def is_allowed(path: str, artefact: Artefact) -> bool:
    """Whether `path`, relative and with forward slashes, may be in a release of this kind."""
    return any(_matches(path, pattern) for pattern in ALLOWED[artefact])


def _matches(path: str, pattern: str) -> bool:
    """Part by part: fnmatch's own `*` would run across slashes."""
    parts, patterns = PurePosixPath(path).parts, PurePosixPath(pattern).parts
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def entries(folder: Path) -> list[str]:
    """Everything below `folder` that is not a plain folder, sorted; links are not followed."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def foreign(folder: Path, artefact: Artefact, beside: Collection[str] = ()) -> list[str]:
    """One sentence per entry of `folder` that may not be released, with the reason.

    `beside` are further names of plain files that may lie there, though they are not released.
    """
    found = []
    for name in entries(folder):
        path = folder / name
        if path.is_symlink():
            found.append(f"{name}: a symlink, and what it points to is not part of the release")
        elif not path.is_file():
            found.append(f"{name}: not a plain file")
        elif name not in beside and not is_allowed(name, artefact):
            found.append(f"{name}: not on the list of files of a {artefact} release")
    return found


def missing(folder: Path, artefact: Artefact) -> list[str]:
    """One sentence per file that a release of this kind cannot do without."""
    found = [
        f"{' or '.join(group)}: missing"
        for group in REQUIRED[artefact]
        if not any((folder / name).is_file() for name in group)
    ]
    if artefact == "gguf" and len(list(folder.glob("*.gguf"))) != 1:
        found.append("model-*.gguf: missing, or more than one; a release holds one such file")
    return found


def kind_of(folder: Path) -> Artefact:
    """What a release folder holds, by its files."""
    if (folder / "gguf.json").exists() or any(folder.glob("*.gguf")):
        return "gguf"
    return "adapter" if (folder / "adapter_config.json").exists() else "merged"
