"""Files that are written a tensor at a time are those that safetensors reads."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from finetune.merging.tensors import TensorFiles, save_tensors, write_shards

VALUES = {
    "flags": torch.tensor([True, False, True]),
    "matrix": torch.arange(6.0).view(2, 3).bfloat16(),
    "number": torch.tensor(7, dtype=torch.int64),
    "turned": torch.arange(6.0).view(2, 3).T,
    "nothing": torch.zeros(0, 4),
}


def sources(values):
    return {name: value.clone for name, value in values.items()}


def test_a_file_reads_as_what_was_written(tmp_path):
    save_tensors(sources(VALUES), VALUES, tmp_path / "model.safetensors")
    found = load_file(tmp_path / "model.safetensors")
    assert found.keys() == VALUES.keys()
    for name, value in VALUES.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


def test_a_file_is_that_of_the_library_to_the_last_byte(tmp_path):
    values = {name: torch.randn(3, size) for name, size in (("b", 5), ("a", 2), ("c", 1))}
    save_tensors(sources(values), values, tmp_path / "ours.safetensors")
    save_file(values, tmp_path / "theirs.safetensors", metadata={"format": "pt"})
    ours, theirs = (tmp_path / f"{name}.safetensors" for name in ("ours", "theirs"))
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("shard", [10**6, 30])
def test_only_floating_point_values_take_the_type_asked_for(tmp_path, shard):
    write_shards(sources(VALUES), VALUES, tmp_path, torch.float16, shard)
    files = TensorFiles(tmp_path)
    types = {name: files.read(name).dtype for name in VALUES}
    half = torch.float16
    assert types == {
        "flags": torch.bool,
        "matrix": half,
        "number": torch.int64,
        "turned": half,
        "nothing": half,
    }
    assert len(set(files.index.values())) == (1 if shard == 10**6 else 2)


def test_a_name_that_the_files_have_without_its_first_part_is_found(tmp_path):
    save_file({"h.0.w": torch.zeros(1)}, tmp_path / "model.safetensors")
    files = TensorFiles(tmp_path)
    assert files.stored_name("transformer.h.0.w") == "h.0.w"
    assert files.stored_name("h.0.w") == "h.0.w"
    assert files.stored_name("h.1.w") is None
