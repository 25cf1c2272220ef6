"""Which software a run was made with."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import finetune

LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "accelerate",
    "deepspeed",
    "datasets",
    "evaluate",
    "huggingface_hub",
    "safetensors",
    "tree-sitter",
    "tree-sitter-c",
    "tree-sitter-cpp",
    "tree-sitter-go",
    "tree-sitter-java",
    "tree-sitter-javascript",
    "tree-sitter-rust",
    "tree-sitter-typescript",
)
"""Whatever a result depends on: `syntax` cuts follow the grammars, too."""


def toolkit() -> dict[str, Any]:
    """Our version and git commit, Python's and the libraries' versions, the platform."""
    return {
        "version": finetune.__version__,
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": _is_dirty(),
        "versions": {
            "python": platform.python_version(),
            **{name: found for name in LIBRARIES if (found := _version(name))},
        },
        "platform": f"{platform.system()} {platform.machine()}",
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _is_dirty() -> bool | None:
    """Whether a file that git follows differs from the commit; None for an installed wheel."""
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return None if changed is None else changed != ""


def _git(*arguments: str) -> str | None:
    """What git says of the checkout that the package lies in; None for an installed wheel."""
    folder = Path(finetune.__file__).parent.parent
    if not (folder / ".git").exists():
        return None
    command = ["git", "-C", str(folder), *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return told.stdout.strip() if told.returncode == 0 else None
