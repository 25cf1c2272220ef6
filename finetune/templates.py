"""Jinja templates that lie beside the code that fills them in."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


def load_template(file: Path, *, autoescape: bool = True) -> "Template":
    """A template that refuses names it is not given. Without `autoescape` for text, not HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # slow, and seldom needed

    environment = Environment(
        loader=FileSystemLoader(file.parent),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(file.name)
