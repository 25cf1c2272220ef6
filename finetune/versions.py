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
        "git_commit": _git_commit(),
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


def _git_commit() -> str | None:
    """The commit of the checkout that the package lies in; None for an installed wheel."""
    folder = Path(finetune.__file__).parent.parent
    if not (folder / ".git").exists():
        return None
    head = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return head.stdout.strip() or None
