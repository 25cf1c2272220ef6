"""A run that is ready to be pushed, and the real command that pushes it to a local Hub."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from finetune.ledger import Ledger, basis_of
from finetune.publishing.artefacts import PROVENANCE, entries
from finetune.recipe import load_recipe
from finetune.run_folder import RunFolder, sha256_of
from tests.conftest import ROOT

TOKEN = "hf_" + "Kq7" * 11 + "z"
REPO = "ann/mylib-completion"
RECIPE = f"""\
name: tuned
base: ./model
data:
  sources:
    - {{format: source_code, path: src}}
sequences: {{length: 64}}
train: {{tokens: 256, batch_tokens: 128}}
publish: {{repo: {REPO}}}
"""


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str
    waits: list[float] = field(default_factory=list)

    @property
    def message(self):
        """The last line of the error output that is no progress bar."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


def make_run(folder: Path, release: Path, *, passed: bool = True) -> RunFolder:
    """A recipe in `folder` and its run, released and never pushed."""
    (folder / "src").mkdir()
    (folder / "src" / "a.py").write_text("x = 1\n")
    (folder / "r.yaml").write_text(RECIPE)
    run = RunFolder(folder / "runs" / "tuned")
    run.path.mkdir(parents=True)
    shutil.copytree(release, run.release)
    gate = {"passed": passed, "reasons": [] if passed else ["psm rose by 0.5"]}
    run.scores.write_text(json.dumps({"gate": gate}))
    recipe, ledger = load_recipe(folder / "r.yaml", ()).recipe, Ledger(run)
    for stage in ("prepare", "train", "merge", "evaluate", "release"):
        inputs = dict.fromkeys(("merge", "evaluate"), "0") if stage == "release" else {}
        with ledger.recording(stage, basis_of(stage, recipe, inputs)) as outcome:
            outcome.output = "0"
    return run


def restate(release: Path) -> None:
    """Have provenance.json state the files as they are now, as if they had been made so."""
    file = release / PROVENANCE
    names = [name for name in entries(release) if name != PROVENANCE]
    files = {
        name: {"sha256": sha256_of(release / name), "size": (release / name).stat().st_size}
        for name in names
    }
    file.write_text(json.dumps(json.loads(file.read_text()) | {"files": files}))


def client_environment(folder: Path, hub, token=TOKEN, **more) -> dict[str, str]:
    """What the stock client is told: where the Hub is, where its own files go, no Xet."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1"}
    own |= {"WAITS_FILE": str(folder / "waits"), "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    own |= {} if token is None else {"HF_TOKEN": token}
    return kept | own | more


def command(folder: Path, hub, *arguments, token=TOKEN, **more) -> Ran:
    """Run `finetune` in a process of its own, its waits noted and not slept through."""
    waits = folder / "waits"
    waits.write_text("")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "hub" / "impatient.py"), *map(str, arguments)],
        cwd=folder,
        env=client_environment(folder, hub, token, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    slept = [float(line) for line in waits.read_text().split()]
    return Ran(done.returncode, done.stdout, done.stderr, slept)


@contextmanager
def forked_commands(folder: Path, hub) -> Iterator[Callable[..., Ran]]:
    """`call(folder, *arguments)`: like `command`, from one process that has imported everything."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hub.forked"],
        cwd=ROOT,
        env=client_environment(folder, hub),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as server:

        def call(where: Path, *arguments) -> Ran:
            files = {name: where / f".{name}" for name in ("out", "err", "waits")}
            files["waits"].write_text("")
            job = {"folder": str(where), "arguments": [str(one) for one in arguments]}
            job |= {name: str(file) for name, file in files.items()}
            server.stdin.write(json.dumps(job) + "\n")
            code = int(server.stdout.readline())
            out, err, waits = (file.read_text() for file in files.values())
            return Ran(code, out, err, [float(line) for line in waits.split()])

        yield call
        server.stdin.close()
