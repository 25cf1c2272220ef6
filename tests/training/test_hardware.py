"""What a training ran on, and that nothing is invented where nothing was measured."""

import platform
from types import SimpleNamespace

import torch

from finetune.training.hardware import gpu_energy, processor_model, ran_on


def test_the_processor_is_called_what_linux_calls_it(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: AMD EPYC 7763\nmodel name\t: AMD EPYC 7763\n")
    assert processor_model(file) == "AMD EPYC 7763"


def test_a_processor_without_a_name_is_told_by_its_architecture(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")
    assert processor_model(file) == processor_model(tmp_path / "none") == platform.machine()


def test_without_a_gpu_no_energy_is_measured_and_none_invented():
    device = torch.device("cpu")
    assert gpu_energy(device) is None
    ran = ran_on(SimpleNamespace(device=device, num_processes=1), None)
    assert ran["energy"] == {"gpu_joules": "not measured", "host_joules": "not measured"}
    assert len(ran["hardware"]) == 1


def test_energy_is_the_difference_of_two_readings_in_joules(monkeypatch):
    monkeypatch.setattr("finetune.training.hardware.gpu_energy", lambda _: 7_500)
    accelerator = SimpleNamespace(device=torch.device("cpu"), num_processes=1)
    assert ran_on(accelerator, 5_000)["energy"]["gpu_joules"] == 2.5
