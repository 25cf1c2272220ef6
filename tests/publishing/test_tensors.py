"""Finite or not, in every float format, without torch."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from finetune.publishing.tensors import metadata_of, not_finite

# dtype: bytes of one finite, largest-exponent number, and of a NaN or an infinity
BITS = {
    "F64": (0x7FEFFFFFFFFFFFFF, 0x7FF0000000000000, 8),
    "F32": (0x7F7FFFFF, 0xFFC00000, 4),
    "F16": (0x7BFF, 0x7C00, 2),
    "BF16": (0x7F7F, 0xFF80, 2),
    "F8_E5M2": (0x7B, 0x7C, 1),
    "F8_E4M3": (0x7E, 0xFF, 1),
}


def write(file, dtype, data, shape):
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}
    header = json.dumps({"w": entry}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return file


@pytest.mark.parametrize("dtype", BITS)
def test_a_number_that_is_not_finite_is_found_by_its_bits(tmp_path, dtype):
    finite, broken, width = BITS[dtype]
    good = finite.to_bytes(width, "little")
    file = write(tmp_path / "m.safetensors", dtype, good * 4, [4])
    assert not_finite(file) == []
    data = good * 3 + broken.to_bytes(width, "little")
    found = not_finite(write(file, dtype, data, [4]))
    assert found == ["m.safetensors: w: 1 numbers are NaN or infinite"]


def test_each_bad_tensor_is_named_and_whole_numbers_are_no_floats(tmp_path):
    file = tmp_path / "m.safetensors"
    values = {"a": np.array([np.nan, np.inf]), "b": np.ones(3), "c": np.full(4, -1)}
    save_file(values, file)
    assert not_finite(file) == ["m.safetensors: a: 2 numbers are NaN or infinite"]


BEYOND = (
    "its header would reach beyond its end, or is too large"  # said before a byte more is asked for
)
NO_SAFETENSORS = {
    "empty": (b"", BEYOND),
    "a pickle": (b"\x80\x02}q\x00.", BEYOND),
    "a pickle that asks for terabytes": (b"\x80\x04\x95\x10\0\0\0\0" + b"\0\0}" * 9, BEYOND),
    "petabytes": ((1 << 55).to_bytes(8, "little") + b"{}", BEYOND),
    "more than an integer of C": (b"\xff" * 64, BEYOND),
    "a byte too many": ((3).to_bytes(8, "little") + b"{}", BEYOND),
    "a list": ((2).to_bytes(8, "little") + b"[]", "its header is no JSON object"),
    "odd metadata": (
        (20).to_bytes(8, "little") + b'{"__metadata__":"x"}',
        "its metadata is no JSON object",
    ),
}


def test_of_a_long_file_no_header_is_read_that_the_format_does_not_allow(tmp_path):
    file = tmp_path / "m.safetensors"
    with file.open("wb") as opened:
        opened.write((100_000_001).to_bytes(8, "little"))
        opened.truncate(200_000_000)
    with pytest.raises(ValueError, match="too large"):
        metadata_of(file)


@pytest.mark.parametrize(("data", "why"), NO_SAFETENSORS.values(), ids=NO_SAFETENSORS)
def test_a_file_that_is_no_safetensors_is_reported(tmp_path, data, why):
    file = tmp_path / "m.safetensors"
    file.write_bytes(data)
    assert "not a readable safetensors file" in not_finite(file)[0]
    with pytest.raises(ValueError, match=why):
        metadata_of(file)


def test_a_truncated_file_is_reported(tmp_path):
    file = tmp_path / "m.safetensors"
    save_file({"a": np.ones(64)}, file)
    file.write_bytes(file.read_bytes()[:-8])
    assert "not a readable safetensors file" in not_finite(file)[0]
