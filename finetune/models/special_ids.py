"""Special tokens that a model's settings name by id: generation stops at an id, or never does."""

from typing import Any

NAMES = ("bos_token_id", "eos_token_id", "pad_token_id")


def ids_without_row(config: Any, generation: Any, rows: int) -> list[str]:
    """One sentence per id of a configuration or of the generation settings (None where there are
    none) for which an embedding of so many rows has no row."""
    found: list[tuple[str, Any]] = []
    for where, settings in (("config", config), ("generation", generation)):
        for name in NAMES:
            value = getattr(settings, name, None)
            ids = value if isinstance(value, list) else [value]
            found += [(f"{where}.{name}", one) for one in ids if one is not None]
    return [
        f"{key} is {value!r}, and the embedding has {rows} rows"
        for key, value in found
        if not isinstance(value, int) or not 0 <= value < rows
    ]
