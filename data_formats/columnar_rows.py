"""Batches of Arrow -> rows of Python's values: sound before any is touched, a row at a time.

A file can say of a few bytes that they are gigabytes: by offsets and indices that lead out of its
buffers, by a dictionary whose one long text stands in every row, by lists of a billion nothings.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

LONGEST = 64 * 2**20
"""Bytes of a row, about, as Python's values."""

NOT_UTF8 = "row with text that is not UTF-8"
NO_VALUE = "row with a value that Python cannot hold"
TOO_LONG = f"row longer than {LONGEST >> 20} MB"

ROW, _POINTER, _NUMBER = 64, 8, 16
"""Bytes of what holds a row, a reference, a number, about."""
_AROUND = (pa.DictionaryScalar, pa.UnionScalar, pa.ExtensionScalar, pa.RunEndEncodedScalar)
"""What has its value in it."""
_TEXTS = {
    pa.string(): pa.binary(),
    pa.large_string(): pa.large_binary(),
    pa.string_view(): pa.binary_view(),
}


def is_sound(batch: Any) -> bool:
    """Whether all that a batch refers to lies within it; what else it holds may be read then.

    Texts need not be UTF-8: that costs their rows alone.
    """
    try:
        batch.validate()
        for column in batch.columns:
            kind = _with_bytes(column.type)
            (column if kind == column.type else column.view(kind)).validate(full=True)
    except (pa.ArrowException, RecursionError):
        return False
    return True


def rows_of(batch: Any) -> Iterator[tuple[dict[str, Any] | str, int]]:
    """The rows of a sound batch, and how long each is; one that cannot be told is its reason."""
    names, columns = batch.schema.names, batch.columns
    for number in range(batch.num_rows):
        weight = ROW
        found: dict[str, Any] | str = TOO_LONG
        try:
            values = [column[number] for column in columns]
            for value in values:
                weight += _weight(value, LONGEST - weight)
            if weight <= LONGEST:
                found = dict(zip(names, [value.as_py() for value in values], strict=True))
        except UnicodeDecodeError:
            found = NOT_UTF8
        # A date beyond the year 9999; a time zone that is not known here, or names no file.
        except (ValueError, OverflowError, KeyError, OSError, RecursionError, pa.ArrowException):
            found = NO_VALUE
        yield found, min(weight, LONGEST)


def _weight(value: Any, most: int) -> int:
    """Bytes of a scalar as Python's value, about; counting ends where they are more than `most`."""
    if not value.is_valid:
        return _POINTER
    if isinstance(value, pa.BinaryScalar):
        return int(value.as_buffer().size)
    if isinstance(value, pa.ListScalar):
        values = value.values
        weight = _POINTER * len(values)
        inner: Iterator[Any] = iter(values if weight <= most else ())
    elif isinstance(value, pa.StructScalar):
        weight = _POINTER
        inner = (value[at] for at in range(len(value)))
    elif isinstance(value, _AROUND):
        return _weight(value.value, most)
    else:
        return _NUMBER
    for one in inner:
        if weight > most:
            break
        weight += _weight(one, most - weight)
    return weight


def _with_bytes(kind: Any) -> Any:
    """The same type with bytes for texts: of texts Arrow would check the letters, too."""
    types = pa.types
    if types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _with_bytes(kind.value_type), kind.ordered)
    if types.is_struct(kind):
        return pa.struct([one.with_type(_with_bytes(one.type)) for one in kind])
    if types.is_map(kind):
        key, item = map(_with_bytes, (kind.key_type, kind.item_type))
        return pa.map_(key, item, keys_sorted=kind.keys_sorted)
    if types.is_fixed_size_list(kind):
        return pa.list_(_field_with_bytes(kind), kind.list_size)
    for is_list, make in (
        (types.is_list, pa.list_),
        (types.is_large_list, pa.large_list),
        (types.is_list_view, pa.list_view),
        (types.is_large_list_view, pa.large_list_view),
    ):
        if is_list(kind):
            return make(_field_with_bytes(kind))
    return _TEXTS.get(kind, kind)


def _field_with_bytes(kind: Any) -> Any:
    return kind.value_field.with_type(_with_bytes(kind.value_type))
