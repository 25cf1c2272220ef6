"""Names of GPUs, and what nvidia-smi says."""

import pytest

from finetune.errors import UserError
from finetune.planning import gpus_here, host_memory, parse_gpus
from finetune.planning.gpus import GPUS, machine_of


@pytest.mark.parametrize(
    ("text", "name", "count"),
    [
        ("8xA100-80GB", "A100-80GB", 8),
        ("A100-40GB", "A100-40GB", 1),
        ("4 x rtx 4090", "RTX4090", 4),
        ("2Xh200", "H200", 2),
        ("16*V100-32gb", "V100-32GB", 16),
        ("8xH100", "H100-80GB", 8),
    ],
)
def test_a_name_and_a_count_are_read(text, name, count):
    machine = parse_gpus(text)
    assert (machine.gpu.name, machine.count) == (name, count)


@pytest.mark.parametrize("text", ["8xA100-8GB", "0xH100-80GB", "", "8x", "x", "8xA100-80GB,2xH200"])
def test_what_is_no_gpu_is_refused_with_the_known_ones(text):
    with pytest.raises(UserError) as error:
        parse_gpus(text)
    assert str(error.value).startswith(f"--gpus {text}: ")
    assert ", ".join(GPUS) in str(error.value)


def test_a_misspelt_name_is_mended():
    with pytest.raises(UserError, match=r"did you mean A100-80GB\?"):
        parse_gpus("8xA100-80B")


def test_a_name_cut_short_of_what_tells_two_apart_is_refused_with_both():
    with pytest.raises(UserError, match=r"did you mean A100-40GB or A100-80GB\?"):
        parse_gpus("8xA100")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("NVIDIA A100-SXM4-80GB, 81920", "A100-80GB"),
        ("NVIDIA A100-PCIE-40GB, 40960", "A100-40GB"),
        ("NVIDIA A100 80GB PCIe, 81920", "A100-80GB"),
        ("NVIDIA H100 80GB HBM3, 81559", "H100-80GB"),
        ("NVIDIA H200, 143771", "H200"),
        ("NVIDIA L40S, 46068", "L40S"),
        ("NVIDIA L4, 23034", "L4"),
        ("NVIDIA A10G, 23028", "A10G"),
        ("NVIDIA GeForce RTX 4090, 24564", "RTX4090"),
        ("Tesla V100-SXM2-16GB, 16384", "V100-16GB"),
        ("Tesla T4, 15360", "T4"),
    ],
)
def test_the_driver_s_names_are_known(line, name):
    machine = machine_of(f"{line}\n{line}\n")
    assert (machine.gpu.name, machine.count) == (name, 2)


def test_gpus_of_several_kinds_are_refused():
    with pytest.raises(UserError, match="GPUs of several kinds"):
        machine_of("NVIDIA H200, 143771\nNVIDIA L4, 23034\n")


def test_a_gpu_that_is_not_known_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"NVIDIA Foo \(9999 MiB\) is not known here"):
        machine_of("NVIDIA Foo, 9999\n")


@pytest.fixture
def driver(monkeypatch, tmp_path):
    """A program nvidia-smi that lists two H200s."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf 'NVIDIA H200, 143771\\nNVIDIA H200, 143771\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


@pytest.mark.parametrize(("visible", "count"), [(None, 2), ("0", 1), ("0,1", 2)])
def test_the_driver_is_asked_for_what_is_visible(driver, visible, count, monkeypatch):
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    machine = gpus_here()
    assert (machine.gpu.name, machine.count) == ("H200", count)


def test_hidden_gpus_are_none(driver, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus_here() is None


def test_no_driver_is_no_gpu(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert gpus_here() is None


def test_processes_on_a_cpu_share_half_of_the_host_s_memory():
    alone, pair = host_memory(1), host_memory(2)
    assert alone > 0
    assert abs(alone - 2 * pair) <= 1
