"""Starts `accelerate launch` with the configuration that the recipe's `engine:` names."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from finetune.errors import Failed, Refused, UserError
from finetune.shipped import shipped
from finetune.training.ranks import STOPPED, VARIABLE, Watch

CPU_PROCESSES = 2
"""Without a GPU there is little to gain from processes; two prove that an engine works."""
GRACE = 15.0
"""Seconds in which the other ranks may end by themselves when one has failed: they wait for it in
a collective, some kinds of which never give up."""
POLL = 0.2
"""Seconds between looks at the ranks."""
NOTHING_KEPT = "there is no checkpoint yet; started again, it begins anew"


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


def launch_command(
    engine: str, recipe: Path, overrides: tuple[str, ...], runs: Path, *options: str
) -> list[str]:
    """The command line, as a person could type it. `options` are those of `recipes/train.py`."""
    gpus = num_gpus()
    config = shipped(f"deepspeed_configs/{engine if gpus else f'cpu_{engine}'}.yaml")
    command = ["accelerate", "launch", "--config_file", str(config)]
    if engine.startswith("zero"):
        json = shipped(f"deepspeed_configs/{engine}.json")
        command += ["--deepspeed_config_file", str(json)]
    command += ["--num_processes", str(num_processes(engine))]
    if engine != "single":
        command += ["--main_process_port", "0"]  # any that is free: several runs share a machine
    command += [str(shipped("recipes/train.py")), str(recipe), *overrides, "--runs", str(runs)]
    return [*command, *options]


def die_with_parent() -> None:
    """Have the kernel send this process SIGTERM when its parent is gone, however it went.

    Without it a training that lost its `finetune train` to SIGKILL would go on unseen.
    """
    import ctypes

    PR_SET_PDEATHSIG = 1
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a launch ended."""

    code: int
    """As of `finetune`."""
    message: str = ""


def launch(command: list[str], processes: int, stage: str = "train") -> Outcome:
    """Run the launcher to its end, and say it, in the name of `stage`.

    SIGTERM and SIGINT are handed on to the ranks, which save before they end; the launcher itself
    is spared, for it would end its ranks, or leave them alone, before they are done. Where one
    rank fails or is killed, the others have GRACE seconds.
    """
    print(f"{stage}: {shlex.join(command)}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="finetune-ranks-") as folder:
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", VARIABLE: folder}
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
        environment.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "3600")  # seconds to save in
        child = subprocess.Popen(
            [sys.executable, "-m", "accelerate.commands.launch", *command[2:]],
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        signals = _HandingOn(child)
        try:
            watch = _wait(child, Watch(Path(folder)))
        finally:
            signals.restore()
    if signals.came == signal.SIGINT:
        raise KeyboardInterrupt
    return _outcome(watch, child.returncode, is_terminated=signals.came is not None)


class _HandingOn:
    """SIGTERM and SIGINT go to the ranks for as long as the launcher runs."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        self.child = child
        self.came: int | None = None
        self.before = {
            number: signal.signal(number, self._hand_on)
            for number in (signal.SIGTERM, signal.SIGINT)
        }

    def _hand_on(self, number: int, _: FrameType | None) -> None:
        is_again = self.came == number == signal.SIGINT  # who presses Ctrl-C twice does not wait
        self.came = number
        try:
            launcher = psutil.Process(self.child.pid)
            for process in launcher.children(recursive=True) or [launcher]:
                process.send_signal(signal.SIGKILL if is_again else signal.SIGTERM)
        except psutil.NoSuchProcess:
            return  # it has just ended, and its ranks before it

    def restore(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


def _wait(child: "subprocess.Popen[bytes]", watch: Watch) -> Watch:
    """Until the launcher and all its ranks have ended."""
    deadline = None
    while child.poll() is None or watch.living:
        time.sleep(POLL)
        watch.look()
        if watch.is_broken and deadline is None:
            deadline = time.monotonic() + GRACE
        if deadline is not None and time.monotonic() > deadline:
            watch.kill()
            if child.poll() is None and not watch.living:
                child.kill()
    watch.look()
    return watch


def _outcome(watch: Watch, code: int, *, is_terminated: bool) -> Outcome:
    if watch.failures and not watch.is_lost:
        rank, end = next(iter(watch.failures.items()))
        is_common = watch.failures.get(0) == end  # all have said so, whoever was the first
        where = "" if is_common else f"rank {rank}: "
        return Outcome(code=end.code, message=where + (end.traceback or end.message))
    if watch.is_stopped or is_terminated:
        message = next((end.message for end in watch.ends.values() if end.message), "")
        return Outcome(code=STOPPED, message=message or "stopped before the first step")
    if watch.lost:
        return Outcome(code=1, message=_words_for_lost(watch))
    if code != 0:
        return Outcome(code=1, message=f"the launcher ended with {code}; its words stand above")
    return Outcome(code=0)


def _words_for_lost(watch: Watch) -> str:
    others = "".join(f"\nrank {rank}: {end.message}" for rank, end in watch.failures.items())
    return (
        f"rank {watch.lost[0]} was killed: by somebody, or by the system where memory ran out "
        f"(`dmesg` tells)" + others
    )


def raise_for(outcome: Outcome, checkpoint: str | None, stage: str = "train") -> None:
    """Raise what a launch came to, unless it is done. `checkpoint` names the newest one, if any."""
    if outcome.code == STOPPED:
        print(f"{stage}: {outcome.message}", file=sys.stderr, flush=True)
        raise SystemExit(STOPPED)
    if outcome.code == 2:
        raise UserError(outcome.message)
    if outcome.code == 3:
        raise Refused(outcome.message)
    if outcome.code != 0 and stage != "train":
        raise Failed(f"{stage}: {outcome.message}")
    if outcome.code != 0:
        kept = f"{checkpoint} is kept; started again, it goes on from there"
        raise Failed(f"train: {outcome.message}\ntrain: {kept if checkpoint else NOTHING_KEPT}")
