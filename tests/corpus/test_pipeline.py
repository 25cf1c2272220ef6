"""Shards: the same for any number of tasks, picked up where they were left, silent about texts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.corpus import open_source, pipeline
from finetune.corpus.contamination import contamination_index
from finetune.corpus.pipeline import Slice, load_plan, shards_of, steps
from finetune.corpus.prepare import plan_shards, prepare_corpus
from finetune.recipe.schema import Data
from finetune.run_folder import RunFolder


def code(number):
    lines = [f"def function_{number}_{line}(value_{line}):" for line in range(20)]
    return "".join(f"{line}\n    return {number} + {at}\n" for at, line in enumerate(lines))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Forty files, some of them copies, some of them empty, in shards of a few."""
    monkeypatch.setattr(pipeline, "SHARD_BYTES", 6000)
    root = tmp_path / "lib"
    root.mkdir()
    for number in range(40):
        text = "" if number % 13 == 5 else code(number % 30)
        (root / f"m{number:02}.py").write_text(text)
    return root


def data_of(folder, **keys):
    return Data(sources=[{"format": "source_code", "path": str(folder)}], holdout=0.1, **keys)


def planned(data, parent):
    readers = [open_source(source, index) for index, source in enumerate(data.sources)]
    return plan_shards(data, readers, parent, contamination_index([]))


def contents(folder):
    files = [file for file in folder.iterdir() if file.is_file() and file.name != "plan.pickle"]
    return {file.name: file.read_bytes() for file in files}


def run(folder, tasks):
    for rank in range(tasks):
        data = None
        for step in steps(folder):
            data = step(data, rank, tasks)
        list(data)


@pytest.mark.parametrize("tasks", [2, 5])
def test_several_tasks_leave_what_one_leaves(folder, tmp_path, tasks):
    written = []
    for number, count in enumerate((1, tasks)):
        work = planned(data_of(folder), tmp_path / f"run{number}")
        assert len(load_plan(work).shards) > 5
        run(work, count)
        written.append(contents(work))
    assert len(written[0]) > 25
    assert written[0] == written[1]


def test_two_processes_of_the_local_executor_give_the_corpus_of_one(folder, tmp_path):
    written = []
    for workers in (1, 2):
        run_folder = RunFolder(tmp_path / f"run{workers}")
        summary = prepare_corpus(
            data_of(folder, workers=workers), run_folder, contamination_index([])
        )
        files = (
            run_folder.train_corpus,
            run_folder.holdout_corpus,
            run_folder.manifest,
            run_folder.drops,
        )
        written.append((summary, [file.read_bytes() for file in files]))
    assert written[0] == written[1]
    assert sum(written[0][0].drops.values()) == 11


def test_what_was_written_before_an_interruption_is_not_read_again(folder, tmp_path):
    work = planned(data_of(folder), tmp_path / "run")
    shards = steps(work)[0](None, 0, 1)
    for step in steps(work)[1:]:
        shards = step(shards, 0, 1)
    assert [next(shards), next(shards)] == [0, 1]  # a kill comes here
    first = {name: (work / name).stat().st_mtime_ns for name in contents(work)}
    (folder / "m00.py").unlink()  # would be told if it were read again
    run(work, 1)
    second = {name: (work / name).stat().st_mtime_ns for name in first}
    assert first == second
    assert len(contents(work)) > len(first)


def test_a_shard_without_its_last_file_is_written_again(folder, tmp_path):
    work = planned(data_of(folder), tmp_path / "run")
    run(work, 1)
    whole = contents(work)
    (work / "00001.json").unlink()
    (work / "00001.parquet").write_bytes(b"half")
    run(work, 1)
    assert contents(work) == whole


def test_shards_of_another_plan_are_deleted(folder, tmp_path):
    first = planned(data_of(folder), tmp_path / "run")
    run(first, 1)
    second = planned(data_of(folder, curate={"max_line": 500}), tmp_path / "run")
    assert not first.exists()
    assert second.is_dir()


def test_a_shard_ends_where_it_is_full_and_goes_on_over_sources(monkeypatch):
    monkeypatch.setattr(pipeline, "SHARD_BYTES", 10)
    assert shards_of([[4, 4, 4, 4], [4, 4], [30, 1]], [False, False, True]) == (
        (Slice(0, 0, 3),),
        (Slice(0, 3, 4), Slice(1, 0, 2)),
        (Slice(2, 0, 2),),
    )


def test_a_source_of_nothing_has_no_shard():
    assert shards_of([[], []], [False, False]) == ()


FAILING = """
import sys
from pathlib import Path
from finetune.corpus import chain, execute

def fail(document):
    secret = document.text
    raise RuntimeError("a step failed")

if __name__ == "__main__":
    chain.redact = fail
    execute.execute(Path(sys.argv[1]), 1)
"""


def test_a_step_that_fails_logs_no_text_of_the_corpus(folder, tmp_path):
    """loguru, by which datatrove logs, prints the values of variables beside a traceback."""
    (folder / "m00.py").write_text(code(0) + "# SECRET-OF-THE-CORPUS\n")
    work = planned(data_of(folder), tmp_path / "run")
    done = run_script(FAILING, work, tmp_path)
    assert "RuntimeError: a step failed" in done.stderr
    assert "SECRET-OF-THE-CORPUS" not in done.stderr + done.stdout
    logs = [file.read_text() for file in work.rglob("*.log")]
    assert all("SECRET-OF-THE-CORPUS" not in log for log in logs)


RECIPE = """\
name: by-shards
base: {{scratch: {{licence: mit}}}}
data: {{holdout: 0.1, sources: [{{format: source_code, path: {folder}}}]}}
train: {{tokens: 1000}}
"""


def test_the_example_for_clusters_gives_the_corpus_of_prepare(folder, tmp_path):
    recipe, root = tmp_path / "r.yaml", Path(__file__).parents[2]
    recipe.write_text(RECIPE.format(folder=folder))
    command = [sys.executable, "examples/prepare_by_shards.py", str(recipe), str(tmp_path / "a")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "26 documents to train on, 3 held out" in done.stdout
    run_folder = RunFolder(tmp_path / "b")
    prepare_corpus(data_of(folder), run_folder, contamination_index([]))
    other = RunFolder(tmp_path / "a")
    assert other.train_corpus.read_bytes() == run_folder.train_corpus.read_bytes()
    assert other.drops.read_text() == run_folder.drops.read_text()


def test_a_shard_of_a_process_that_was_orphaned_harms_nobody(folder, tmp_path):
    """A worker whose parent was killed may write the shard that the next run writes too."""
    work = planned(data_of(folder), tmp_path / "run")
    run(work, 1)
    whole = contents(work)
    (work / "00001.json").unlink()
    shards = steps(work)[1](steps(work)[0](None, 0, 1), 0, 1)
    orphan = next(iter(shards))  # is at it still
    run(work, 1)
    assert contents(work) == whole
    list(orphan.outcomes)
    assert [path.name for path in work.iterdir() if path.name.startswith(".")] == []


KILLED = """
import os, signal, sys
from pathlib import Path
from finetune.corpus import execute
from finetune.errors import Failed

run_task = execute.run_task

def dies(folder, rank, tasks):
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    run_task(folder, rank, tasks)

execute.run_task = dies
if __name__ == "__main__":
    try:
        execute.execute(Path(sys.argv[1]), 2)
    except Failed as error:
        print(error)
"""


def run_script(text, work, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(text)
    return subprocess.run(
        [sys.executable, str(script), str(work)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_a_process_that_is_killed_ends_the_run_with_a_sentence(folder, tmp_path):
    work = planned(data_of(folder), tmp_path / "run")
    done = run_script(KILLED, work, tmp_path)
    assert "a process that read and curated was ended by signal 9" in done.stdout, done.stderr
    run(work, 1)
    whole = planned(data_of(folder), tmp_path / "other")
    run(whole, 1)
    assert contents(work) == contents(whole)


LEAVING = KILLED.replace(
    "def dies(folder, rank, tasks):\n",
    "def dies(folder, rank, tasks):\n"
    "    import subprocess, time\n"
    "    subprocess.Popen(['sleep', '300'])\n"
    "    time.sleep(300 if rank == 0 else 1)\n",
)


def test_what_a_process_has_started_ends_with_it(folder, tmp_path):
    """Else it would hold the command's output open, and whoever reads that would wait."""
    done = run_script(LEAVING, planned(data_of(folder), tmp_path / "run"), tmp_path)
    assert "was ended by signal 9" in done.stdout, done.stderr


RAISING = """
import sys
from pathlib import Path
from finetune.corpus import chain, execute
from finetune.errors import UserError

def fail(document):
    raise UserError("one message")

chain.redact = fail
if __name__ == "__main__":
    try:
        execute.execute(Path(sys.argv[1]), 2)
    except UserError as error:
        print("caught:", error)
"""


def test_an_error_of_a_process_says_where_and_shows_no_text(folder, tmp_path):
    """Its own words may be as long as a document: a pipe holds 64 KB."""
    script = RAISING.replace('UserError("one message")', "ValueError(document.text * 10_000)")
    script = script.replace("except UserError as", "except Exception as")
    (folder / "m00.py").write_text(code(0) + "# SECRET-OF-THE-CORPUS\n")
    done = run_script(
        script + "        print(error.__notes__)\n",
        planned(data_of(folder), tmp_path / "run"),
        tmp_path,
    )
    assert "a process that read and curated failed with ValueError" in done.stdout
    assert "in fail" in done.stdout
    assert "SECRET-OF-THE-CORPUS" not in done.stdout + done.stderr


def test_what_a_step_raises_in_a_process_is_raised_here(folder, tmp_path):
    done = run_script(RAISING, planned(data_of(folder), tmp_path / "run"), tmp_path)
    assert (done.stdout, done.stderr) == ("caught: one message\n", "")
