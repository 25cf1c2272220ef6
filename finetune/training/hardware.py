"""What a training ran on, and the energy its GPUs took.

A GPU counts its energy since its driver was loaded, in millijoules (NVML, from Volta on): the
difference of two readings is what a training took, that of others on the same GPU included. The
processor's counter (RAPL) overflows within the hour and is for root alone, so the host's energy is
not measured, and nothing is put in its place.
https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
"""

import ctypes
import platform
from pathlib import Path
from typing import Any

NOT_MEASURED = "not measured"


def hardware(device: Any) -> dict[str, Any]:
    """The model of a rank's GPU, or of the processor where it has none."""
    import torch

    if device.type == "cuda":
        return {"gpu": torch.cuda.get_device_name(device)}
    return {"processor": processor_model(Path("/proc/cpuinfo"))}


def processor_model(cpuinfo: Path) -> str:
    """As Linux names it; the architecture where it does not, as on most aarch64."""
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def gpu_energy(device: Any) -> int | None:
    """Millijoules that a rank's GPU has taken since its driver was loaded; None where not told."""
    if device.type != "cuda":
        return None
    import torch

    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    if nvml.nvmlInit_v2() != 0:
        return None
    handle, taken = ctypes.c_void_p(), ctypes.c_ulonglong()
    try:
        if nvml.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle)) != 0:
            return None
        told = nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(taken))
        return int(taken.value) if told == 0 else None
    finally:
        nvml.nvmlShutdown()


def ran_on(accelerator: Any, before: int | None) -> dict[str, Any]:
    """Hardware and energy of all ranks since each read `before`, None where that was not at the
    training's beginning. Every rank must call it."""
    from accelerate.utils import gather_object

    device = accelerator.device
    now = gpu_energy(device)
    taken = None if before is None or now is None else now - before
    own = [(hardware(device), taken)]
    ranks = gather_object(own) if accelerator.num_processes > 1 else own
    joules = [one for _, one in ranks if one is not None]
    is_whole = len(joules) == len(ranks)
    return {
        "hardware": [name for name, _ in ranks],
        "energy": {
            "gpu_joules": sum(joules) / 1000 if is_whole else NOT_MEASURED,
            "host_joules": NOT_MEASURED,
        },
    }
