"""Starts `accelerate launch` with the configuration that the recipe's `engine:` names."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

import psutil

from finetune.shipped import shipped

CPU_PROCESSES = 2
"""Without a GPU there is little to gain from processes; two prove that an engine works."""


def num_gpus() -> int:
    """GPUs that this process may use, asked of the driver: torch takes seconds to import."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name not in ("", "-1")])
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return listed.stdout.count("GPU ")


def settle_device() -> None:
    """Tell DeepSpeed, which many libraries load, that a machine without a GPU has none."""
    if num_gpus() == 0:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")


def num_processes(engine: str) -> int:
    """How many processes `launch_command` starts."""
    if engine == "single":
        return 1
    return num_gpus() or CPU_PROCESSES


def launch_command(engine: str, recipe: Path, overrides: tuple[str, ...], runs: Path) -> list[str]:
    """The command line, as a person could type it."""
    gpus = num_gpus()
    config = shipped(f"deepspeed_configs/{engine if gpus else f'cpu_{engine}'}.yaml")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    if engine.startswith("zero"):
        json = shipped(f"deepspeed_configs/{engine}.json")
        command += ["--deepspeed_config_file", str(json)]
    command += ["--num_processes", str(num_processes(engine))]
    command += [str(shipped("recipes/train.py")), str(recipe), *overrides, "--runs", str(runs)]
    return command


def die_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent is gone, however it went.

    Without it a training that lost its `finetune train` to SIGKILL would go on unseen.
    """
    import ctypes

    PR_SET_PDEATHSIG = 1
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def launch(command: list[str], processes: int) -> int:
    """Run the launcher to its end and return its exit code; 143 where SIGTERM came.

    SIGTERM is handed on to the ranks, which save before they end; the launcher itself is spared,
    for it would end its ranks, or leave them alone, before they are done.
    """
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    environment.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "3600")  # seconds to save in
    terminated = False

    def hand_on(number: int, _: FrameType | None) -> None:
        nonlocal terminated
        terminated = True
        launcher = psutil.Process(child.pid)
        for process in launcher.children(recursive=True) or [launcher]:
            process.send_signal(number)

    child = subprocess.Popen(
        command, env=environment, start_new_session=True, preexec_fn=die_with_parent
    )
    previous = signal.signal(signal.SIGTERM, hand_on)
    try:
        code = child.wait()
    except BaseException:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 143 if terminated else code
