"""Whether every number of a safetensors file is finite, without torch and in little memory.

NumPy has no bfloat16 and no float8, so the test is on bits: in every IEEE-like format an exponent
of ones is an infinity or a NaN. Data is little endian, as the format says:
https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from finetune.base import header_bytes
from finetune.publishing.json_values import json_value

if TYPE_CHECKING:  # NumPy costs a quarter of a second of CPU, which `finetune check` does not have
    import numpy as np

_CHUNK = 1 << 22  # elements at a time
# dtype: bits as unsigned integers, and the mask whose bits are all ones in NaN and infinities
_FLOATS = {
    "F64": ("<u8", 0x7FF0000000000000),
    "C64": ("<u4", 0x7F800000),
    "F32": ("<u4", 0x7F800000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F8_E5M2": ("<u1", 0x7C),
    "F8_E4M3": ("<u1", 0x7F),  # has no infinity; all ones is its only NaN
}
_WHOLE_NUMBERS = {"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"}


def not_finite(file: Path) -> list[str]:
    """One sentence per tensor of `file` that holds NaN or an infinity or cannot be checked."""
    import numpy as np

    try:
        with safe_open(file, framework="numpy"):  # its own checks of header and length
            pass
        header, start = _header(file)
    except (SafetensorError, OSError, ValueError) as error:
        return [f"{file.name}: not a readable safetensors file ({error})"]
    data = np.memmap(file, dtype=np.uint8, mode="r") if file.stat().st_size > start else None
    findings = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (start + offset for offset in entry["data_offsets"])
        if entry["dtype"] in _WHOLE_NUMBERS or begin == end or data is None:
            continue
        if entry["dtype"] not in _FLOATS:
            findings.append(f"{file.name}: {name}: cannot check numbers of type {entry['dtype']}")
        elif count := _count(data[begin:end], *_FLOATS[entry["dtype"]]):
            findings.append(f"{file.name}: {name}: {count} numbers are NaN or infinite")
    return findings


def metadata_of(file: Path) -> dict[str, Any]:
    """What a safetensors file says of itself. Raises ValueError where it is none."""
    said = _header(file)[0].get("__metadata__") or {}
    if not isinstance(said, dict):
        raise ValueError("its metadata is no JSON object")
    return said


def tensor_names(file: Path) -> set[str]:
    """Names of the tensors in `file`. Raises ValueError where it is no safetensors file."""
    return set(_header(file)[0]) - {"__metadata__"}


def _header(file: Path) -> tuple[dict[str, Any], int]:
    """What stands before the data, and where the data starts. Raises ValueError."""
    content, start = header_bytes(file)
    header = json_value(content)
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    return header, start


def _count(raw: np.ndarray[Any, np.dtype[np.uint8]], bits: str, mask: int) -> int:
    import numpy as np

    values = np.frombuffer(raw, dtype=np.dtype(bits))
    chunks = (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))
    return sum(int(np.count_nonzero((chunk & mask) == mask)) for chunk in chunks)
