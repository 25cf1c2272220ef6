"""Which column of a table holds what: as named by its owner, or by a form that is known."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

LONGEST_NAME = 4096
"""Characters of a path, a repository, a licence: no system takes longer ones."""
LONGEST_LANGUAGE = 64


def resolve_columns(
    available: Sequence[str],
    named: Mapping[str, str],
    *,
    fields: Sequence[str],
    shapes: Sequence[Mapping[str, str]],
    where: str,
) -> dict[str, str]:
    """Which column holds each field: as `named`, and the rest by the first known shape that fits.

    `fields` can be named; a shape is used only where none of its fields is. Raises ValueError that
    begins with `where`: a field or column that is not there, or no shape that fits.
    """
    for field in named:
        if field not in fields:
            raise ValueError(f"{where}: `{field}` is no field; known are {', '.join(fields)}")
    check_columns(available, named, where)
    if any(field in shape for shape in shapes for field in named):
        return dict(named)
    for shape in shapes:
        if set(shape.values()) <= set(available):
            return {**shape, **named}
    _refuse_no_columns(available, where)
    forms = "; ".join(", ".join(shape.values()) for shape in shapes)
    raise ValueError(
        f"{where}: its columns ({', '.join(available)}) are of no known form ({forms}); name them "
        f"with `columns: {{{', '.join(f'{field}: ...' for field in shapes[0])}}}`"
    )


def check_columns(available: Sequence[str], named: Mapping[str, str], where: str) -> None:
    """Raise ValueError that tells every column of `named` (field: column) that is not there."""
    if named:
        _refuse_no_columns(available, where)
    missing = []
    for field, column in named.items():
        if column not in available:
            near = get_close_matches(column, available, n=1)
            hint = f", did you mean `{near[0]}`?" if near else ""
            missing.append(f"no column `{column}` for `{field}`{hint}")
    if missing:
        raise ValueError(f"{where}: {'; '.join(missing)}; columns here: {', '.join(available)}")


def _refuse_no_columns(available: Sequence[str], where: str) -> None:
    if not available:
        raise ValueError(
            f"{where}: its first rows hold no column; it is empty, cut off, or no table of rows"
        )


def stated(values: Mapping[str, Any], field: str, most: int = LONGEST_NAME) -> str | None:
    """A text beside the content, as a licence or a language; several are joined by AND.

    One of more than `most` characters is no name of anything: it ends in `[...]` there.
    """
    value = values.get(field)
    listed = value if isinstance(value, list) else [value]
    text = " AND ".join(one.strip() for one in listed if isinstance(one, str) and one.strip())
    return (text if len(text) <= most else f"{text[:most]} [...]") or None


def stated_language(values: Mapping[str, Any]) -> str | None:
    """What a column says of its text's language, in lower case."""
    language = stated(values, "language", LONGEST_LANGUAGE)
    return language and language.lower()
