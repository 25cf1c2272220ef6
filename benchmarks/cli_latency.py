"""CPU time of the commands that are typed most often, beside Python's own start.

    python benchmarks/cli_latency.py [RUNS]

User and system time of the process and its children, so that a busy machine does not matter.
"""

import os
import shutil
import statistics
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from finetune.shipped import shipped

BUDGETS = {"finetune --help": 0.15, "finetune check base.yaml": 0.6}  # seconds of CPU


def cpu_seconds(command: list[str]) -> float:
    """User plus system seconds of one run, its output thrown away."""
    silence = [
        (os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)
    ]
    process = os.posix_spawn(command[0], command, os.environ, file_actions=silence)
    _, status, usage = os.wait4(process, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise SystemExit(f"{' '.join(command)}: ended with {code}")
    return usage.ru_utime + usage.ru_stime


def commands() -> dict[str, list[str]]:
    """What is measured, by the name it has in the table."""
    beside = Path(sys.executable).with_name("finetune")
    finetune = str(beside) if beside.is_file() else shutil.which("finetune")
    if finetune is None:
        raise SystemExit("the finetune command is not installed: pip install -e .")
    recipe = str(shipped("recipes/nano/base.yaml"))
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "finetune --help": [finetune, "--help"],
        "finetune check base.yaml": [finetune, "check", recipe],
    }


def main(num_runs: int) -> None:
    """Measure and print."""
    table = Table("command", "best", "median", "budget", title=f"CPU seconds, {num_runs} runs each")
    for name, command in commands().items():
        cpu_seconds(command)  # once unmeasured: bytecode is compiled, files are cached
        seconds = [cpu_seconds(command) for _ in range(num_runs)]
        budget = f"{BUDGETS[name]:.2f}" if name in BUDGETS else ""
        best, median = min(seconds), statistics.median(seconds)
        table.add_row(name, f"{best:.3f}", f"{median:.3f}", budget)
    Console().print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
