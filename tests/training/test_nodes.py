"""Two launchers as two machines, and the script that starts them under Slurm."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.launched import (
    ROOT,
    assert_same_curve,
    by_hand,
    ended,
    same_weights,
    wait_for_step,
)

SBATCH = ROOT / "examples" / "slurm" / "train.sbatch"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def on_two_nodes(config: str, recipe: Path, runs: Path, *overrides: str) -> None:
    """One process on each of two machines, which are the same."""
    port = str(free_port())
    started = [
        by_hand(
            config,
            recipe,
            runs,
            *overrides,
            options=(
                *("--num_machines", "2", "--machine_rank", str(node), "--num_processes", "2"),
                *("--main_process_ip", "127.0.0.1", "--main_process_port", port),
                *("--deepspeed_multinode_launcher", "standard"),
            ),
        )
        for node in (0, 1)
    ]
    for process in started:
        ended(process, 0)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ddp", "zero3"])
def test_two_nodes_of_one_process_equal_one_node_of_two(
    engine, recipe, runs, prepared, tmp_path, unbroken
):
    on_two_nodes(f"cpu_{engine}", recipe, runs, f"engine={engine}")
    shutil.copytree(prepared, tmp_path / "one" / "tiny")
    ended(by_hand(f"cpu_{engine}", recipe, tmp_path / "one", f"engine={engine}"), 0)
    assert same_weights(runs / "tiny", tmp_path / "one" / "tiny")
    assert_same_curve(runs / "tiny", unbroken())


def test_the_slurm_script_is_valid_bash():
    subprocess.run(["bash", "-n", str(SBATCH)], check=True)


def test_the_slurm_script_uses_options_that_accelerate_has():
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    script = SBATCH.read_text()
    launched = script[script.index("accelerate launch") : script.index("recipes/train.py")]
    used = set(re.findall(r"--[a-z_]+", launched))
    assert {"--config_file", "--num_machines", "--machine_rank", "--main_process_ip"} <= used
    assert used <= set(re.findall(r"--[a-z_]+", done.stdout))


def test_the_slurm_script_asks_for_sigterm_in_time_to_save():
    script = SBATCH.read_text()
    (seconds,) = re.findall(r"^#SBATCH --signal=B:TERM@(\d+)$", script, re.MULTILINE)
    (patience,) = re.findall(r"^export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=(\d+)$", script, re.MULTILINE)
    assert int(patience) < int(seconds)  # the launcher kills its ranks after its own patience


SRUN = """\
#!/bin/bash
# Two tasks on this machine, which get the SIGTERM that comes here.
shift
trap 'kill -TERM "$first" "$second"' TERM
SLURM_NODEID=0 "$@" & first=$!
SLURM_NODEID=1 "$@" & second=$!
code=0
for task in "$first" "$second"; do
    while kill -0 "$task" 2>/dev/null; do wait "$task"; code=$?; done
done
exit "$code"
"""
SCONTROL = """\
#!/bin/bash
if [ "$1" = requeue ]; then echo "$2" > "$REQUEUED"; else echo 127.0.0.1; fi
"""


def start_job(folder: Path, recipe: Path, runs: Path) -> "subprocess.Popen[str]":
    """The script as Slurm would start it for two machines of one process each."""
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "accelerate").write_text(
        f'#!/bin/bash\nexec {sys.executable} -m accelerate.commands.launch "${{@:2}}"\n'
    )
    (folder / "accelerate").chmod(0o755)
    slurm = {
        "SLURM_JOB_ID": str(free_port() % 20000),
        "SLURM_JOB_NODELIST": "here",
        "SLURM_NNODES": "2",
        "SLURM_GPUS_ON_NODE": "1",
        "SLURM_CPUS_PER_TASK": "1",
        "CONFIG": "deepspeed_configs/cpu_ddp.yaml",
        "REQUEUED": str(folder / "requeued"),
        "PATH": f"{folder}:{os.environ['PATH']}",
    }
    return subprocess.Popen(
        ["bash", str(SBATCH), str(recipe), "ddp", "--runs", str(runs)],
        cwd=ROOT,
        env={**os.environ, **slurm},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_job_that_slurm_stops_saves_queues_itself_again_and_goes_on(
    recipe, runs, tmp_path, unbroken
):
    """Slurm itself is stood in for; launchers, ranks and signals are real."""
    job = start_job(tmp_path, recipe, runs)
    wait_for_step(runs / "tiny", 1, job)
    job.send_signal(signal.SIGTERM)
    said = ended(job, 0)
    assert "stopped by SIGTERM" in said
    assert (tmp_path / "requeued").exists()
    assert not (runs / "tiny" / "model").exists()
    said = ended(start_job(tmp_path, recipe, runs), 0)
    assert "resumed from step-" in said
    assert_same_curve(runs / "tiny", unbroken())
