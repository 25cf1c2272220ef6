"""Recipes and engine configurations: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path


def shipped(name: str) -> Path:
    """The path of a shipped file such as `recipes/train.py`."""
    package = Path(__file__).parent
    installed = package / "shipped" / name
    return installed if installed.exists() else package.parent / name
