"""GPUs by name: what `--gpus 8xA100-80GB` means, and which of them this machine has."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from difflib import get_close_matches

from finetune.errors import UserError

MIB = 2**20

HIDDEN = ("", "-1")
"""Entries of CUDA_VISIBLE_DEVICES that name no GPU."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One kind of GPU, from its maker's data sheet."""

    name: str
    memory: int
    """Bytes, as nvidia-smi reports the total."""
    tflops: float
    """Peak of dense products of 16-bit numbers summed in fp32, in 10^12 operations a second."""
    watts: int
    """Thermal design power of the board."""
    bf16: bool = True
    """Without it, train.precision has to be fp16."""
    measured: float | None = None
    """Best product that was measured, in the same unit, where one is known."""
    smi: str = ""
    """How nvidia-smi writes the name: a pattern."""

    @property
    def reachable(self) -> float:
        """Best measured share of the peak; 0.85 where none is known."""
        return self.measured / self.tflops if self.measured else 0.85


def _gpu(
    name: str,
    mib: int,
    tflops: float,
    watts: int,
    smi: str,
    *,
    measured: float | None = None,
    bf16: bool = True,
) -> Gpu:
    return Gpu(
        name=name,
        memory=mib * MIB,
        tflops=tflops,
        watts=watts,
        smi=smi,
        measured=measured,
        bf16=bf16,
    )


GPUS = {
    gpu.name: gpu
    for gpu in (
        _gpu("A100-40GB", 40960, 312, 400, r"A100.*40GB", measured=271.2),
        _gpu("A100-80GB", 81920, 312, 400, r"A100.*80GB", measured=271.2),
        _gpu("H100-80GB", 81559, 989, 700, r"H100", measured=794.5),
        _gpu("H200", 143771, 989, 700, r"H200", measured=794.5),
        _gpu("B200", 183359, 2250, 1000, r"B200"),
        _gpu("L40S", 46068, 362, 350, r"L40S"),
        _gpu("L4", 23034, 121, 72, r"L4\b"),
        _gpu("A10G", 23028, 70, 300, r"A10G"),
        _gpu("A6000", 49140, 155, 300, r"RTX A6000"),
        _gpu("RTX4090", 24564, 165, 450, r"RTX 4090"),
        _gpu("RTX3090", 24576, 71, 350, r"RTX 3090"),
        _gpu("V100-16GB", 16384, 125, 300, r"V100.*16GB", bf16=False),
        _gpu("V100-32GB", 32768, 125, 300, r"V100.*32GB", bf16=False),
        _gpu("T4", 15360, 65, 70, r"T4\b", bf16=False),
    )
}
"""By name. Peaks without sparsity; those of gaming boards with sums in fp32."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """So many GPUs of a kind."""

    gpu: Gpu
    count: int

    @property
    def words(self) -> str:
        return f"{self.count} x {self.gpu.name}"


def parse_gpus(text: str) -> Machine:
    """`8xA100-80GB`, `H200`; a name may be cut short where that is clear.

    Raises UserError that names the known ones.
    """
    match = re.fullmatch(r"(?:(\d+)\s*[xX*]\s*)?([\w .-]+)", text.strip())
    if match is None or match[1] == "0":
        raise UserError(f"--gpus {text}: is written COUNTxNAME, such as 8xA100-80GB; {_known()}")
    name = _plain(match[2])
    found = {_plain(known): gpu for known, gpu in GPUS.items()}
    starting = [known for known in found if known.startswith(name)]
    if len(starting) == 1:
        name = starting[0]
    if name not in found:
        near = starting or get_close_matches(name, found, n=1)
        hint = f"did you mean {' or '.join(found[one].name for one in near)}? " if near else ""
        raise UserError(f"--gpus {text}: no such GPU here; {hint}{_known()}")
    return Machine(gpu=found[name], count=int(match[1] or 1))


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _known() -> str:
    return f"known are {', '.join(GPUS)}"


def gpus_here() -> Machine | None:
    """The GPUs that this process may use, asked of the driver; None where there are none.

    Raises UserError where they differ, or are of a kind that is not known.
    """
    if shutil.which("nvidia-smi") is None:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = None if visible is None else [one for one in visible.split(",") if one not in HIDDEN]
    if chosen == []:
        return None
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    asked = subprocess.run(query, capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        return None
    machine = machine_of(asked.stdout)
    if machine is None or chosen is None:
        return machine
    return Machine(gpu=machine.gpu, count=min(len(chosen), machine.count))


def machine_of(listing: str) -> Machine | None:
    """From lines of `name, MiB`."""
    lines = [line.strip() for line in listing.splitlines() if line.strip()]
    if not lines:
        return None
    if len(set(lines)) > 1:
        kinds = "; ".join(sorted(set(lines)))
        raise UserError(f"--gpus: this machine has GPUs of several kinds ({kinds}); name one")
    name, mib = (part.strip() for part in lines[0].rsplit(",", 1))
    for gpu in GPUS.values():
        near = abs(gpu.memory / MIB - float(mib)) < 0.1 * gpu.memory / MIB
        if near and re.search(gpu.smi, name):
            return Machine(gpu=gpu, count=len(lines))
    raise UserError(f"--gpus: {name} ({mib} MiB) is not known here; name one like it: {_known()}")
