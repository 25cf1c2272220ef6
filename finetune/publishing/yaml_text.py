"""YAML of a release's files: in block style, keys in their order."""

import io
from typing import Any

from ruamel.yaml import YAML


def yaml_text(value: Any) -> str:
    """`value` as YAML, a line a value: a folded path or URL cannot be found by searching for it."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.allow_unicode = True
    writer.width = 4096
    stream = io.StringIO()
    writer.dump(value, stream)
    return stream.getvalue()
