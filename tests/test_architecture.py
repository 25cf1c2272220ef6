"""The shape of the house: who imports whom, what stays light, what is shipped."""

import ast
import json
import re
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ORDER = [
    # Leaves: they know nothing of a recipe.
    "errors",
    "shipped",
    "versions",
    "grammars",
    "templates",
    "bars",
    "hub",
    # The recipe, and what is known without loading anything.
    "recipe",
    "families",
    "licences",
    "run_folder",
    "tokenizer",
    "tasks",
    "base",
    "ledger",
    "methods",
    # From files to blocks.
    "corpus",
    "trace",
    "sequences",
    "inventory",
    # With torch.
    "models",
    "planning",  # without torch
    "generation",
    "completing",
    "jail",  # without torch
    "training",
    "merging",
    "exporting",  # without torch
    "evaluation",
    "preflight",  # without torch; asks all of them what they need
    # From a run folder to people.
    "publishing",
    "report",
    # The whole.
    "job",
    "stages",
    "cli",
]
"""A room of `finetune` imports only rooms above it. A new room takes its place here."""

WITH_TORCH = {"models", "generation", "completing", "training", "merging", "evaluation"}
HEAVY = ("torch", "transformers", "peft", "accelerate", "deepspeed")
OURS = {"finetune", "data_formats", "recipes", "examples", "benchmarks", "tests"}
SCRIPT_FOLDERS = ("recipes", "examples", "benchmarks")


def python_files(*folders):
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def module_name(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file):
    """Dotted names that a file imports anywhere, inside functions too, with their lines."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import; write it whole"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def room_of(dotted):
    """`recipe` for `finetune.recipe.load`; empty for `finetune` itself."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ORDER else ""


def rooms():
    entries = (ROOT / "finetune").iterdir()
    return {
        entry.stem
        for entry in entries
        if (entry.suffix == ".py" and entry.stem != "__init__") or (entry / "__init__.py").is_file()
    }


def test_every_room_has_its_place_in_the_order():
    assert rooms() == set(ORDER)
    assert len(ORDER) == len(set(ORDER))


def test_the_readme_lists_the_rooms_in_this_order():
    tree = (ROOT / "README.md").read_text(encoding="utf-8").partition("\nfinetune/ ")[2]
    tree = tree.partition("\nrecipes/ ")[0]
    assert re.findall(r"^    (\w+)(?:\.py|/) ", tree, re.M) == ORDER


def test_a_room_imports_only_rooms_above_it():
    seen, wrong = 0, []
    for file in python_files("finetune"):
        own = room_of(module_name(file))
        for name, line in imports_of(file):
            if name.partition(".")[0] != "finetune" or not room_of(name):
                continue
            seen += 1
            if room_of(name) != own and ORDER.index(room_of(name)) > ORDER.index(own):
                wrong.append(f"{file.relative_to(ROOT)}:{line}: imports {name}")
    assert seen > 100, "else this test looks at nothing"
    assert wrong == []


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("data_formats", {"data_formats"}),
        ("finetune", {"data_formats", "finetune"}),
        ("recipes", {"data_formats", "finetune"}),
        ("examples", {"data_formats", "finetune"}),
        ("benchmarks", {"data_formats", "finetune"}),
    ],
)
def test_a_folder_imports_only_what_lies_below_it(folder, allowed):
    """A script too long for one file has its parts beside it, named after it: `a.py`, `a_b.py`."""
    stems = {file.stem for file in python_files(folder)} if folder in SCRIPT_FOLDERS else set()
    siblings = {stem for stem in stems if not any(stem.startswith(f"{s}_") for s in stems)}
    wrong = [
        f"{file.relative_to(ROOT)}:{line}: imports {name}"
        for file in python_files(folder)
        for name, line in imports_of(file)
        if name.partition(".")[0] in (OURS | siblings) - allowed
    ]
    assert wrong == []


def test_the_light_rooms_import_no_torch():
    light = [
        module_name(file)
        for file in python_files("data_formats", "finetune")
        if room_of(module_name(file)) not in WITH_TORCH and file.stem != "__main__"
    ]
    assert {room_of(name) for name in light} == {*ORDER, ""} - WITH_TORCH
    code = (
        "import importlib, json, sys\n"
        "found = {}\n"
        "for name in json.loads(sys.argv[1]):\n"
        "    importlib.import_module(name)\n"
        "    new = [h for h in json.loads(sys.argv[2]) if h in sys.modules]\n"
        "    if new:\n"
        "        found[name] = new\n"
        "        break\n"
        "print(json.dumps(found))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(light), json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {}


def dependency_packages():
    """Top-level names of every distribution that ours needs, however far down."""
    wanted, seen = ["finetune-code"], set()
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            requires = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # of an extra, or of another platform
        wanted += [re.match(r"[\w.-]+", one)[0] for one in requires]
    return {
        package
        for package, owners in packages_distributions().items()
        if any(re.sub(r"[-_.]+", "-", owner).lower() in seen for owner in owners)
    }


def test_no_script_hides_a_package():
    """Python puts a script's folder first on its path: `evaluate.py` would hide `evaluate`."""
    packages = dependency_packages() | set(sys.stdlib_module_names) | OURS
    assert {"evaluate", "torch", "finetune", "trl", "json"} <= packages
    scripts = {file.stem: file for file in python_files(*SCRIPT_FOLDERS)}
    assert "train" in scripts
    assert [str(scripts[name]) for name in sorted(scripts.keys() & packages)] == []


def test_files_are_short():
    long = {
        str(file.relative_to(ROOT)): count
        for file in python_files("data_formats", "finetune", "tests", *SCRIPT_FOLDERS)
        if (count := len(file.read_text(encoding="utf-8").splitlines())) >= 400
    }
    assert long == {}


def test_functions_are_short():
    long = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for file in python_files("data_formats", "finetune", "tests", *SCRIPT_FOLDERS)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno >= 60
    ]
    assert long == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, unpacked."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; pip install hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def files_below(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize(
    ("folder", "place", "example"),
    [
        ("finetune", "finetune", "stages.py"),
        ("finetune", "finetune", "licence_texts/bigcode-openrail-m.txt"),
        ("finetune", "finetune", "publishing/card.md.j2"),
        ("finetune", "finetune", "report/page.html.j2"),
        ("finetune", "finetune", "sequences/preview.html.j2"),
        (
            "finetune",
            "finetune",
            "evaluation/metrics/infilling_exact_match/infilling_exact_match.py",
        ),
        ("data_formats", "data_formats", "fim.py"),
        ("recipes", "finetune/shipped/recipes", "recipe.schema.json"),
        ("recipes", "finetune/shipped/recipes", "nano/base.yaml"),
        ("deepspeed_configs", "finetune/shipped/deepspeed_configs", "zero3.json"),
    ],
)
def test_the_wheel_holds_all_files_of_a_folder(wheel, folder, place, example):
    wanted = files_below(ROOT / folder)
    assert example in wanted
    assert wanted - files_below(wheel / place) == set()


def test_the_wheel_holds_no_tests_and_no_runs(wheel):
    tops = {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert tops == {"finetune", "data_formats"}


def test_check_works_from_the_wheel_alone(wheel, tmp_path):
    code = (
        "import sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from finetune.cli import main\n"
        "from finetune.shipped import shipped\n"
        "recipe = shipped('recipes/nano/base.yaml')\n"
        "assert recipe.is_relative_to(sys.argv[1]), recipe\n"
        "assert main(['new', 'mine.yaml', '--from', 'base']) == 0\n"
        "assert main(['check', 'mine.yaml']) == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(wheel)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "mine.yaml").read_text().splitlines()[0]
    assert Path(first.rpartition("=")[2]).is_relative_to(wheel)


TEXTS = {".py", ".md", ".yaml", ".yml", ".json", ".toml", ".txt", ".cfg", ".j2", ".css", ".tsv"}


def text_files():
    """Everything that people read, in the folders that are ours."""
    folders = ["deepspeed_configs", *OURS, ".ci"]
    below = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    for path in [*ROOT.iterdir(), *below]:
        is_text = path.suffix in TEXTS or path.name in ("Makefile", "run")
        if path.is_file() and is_text and "__pycache__" not in path.parts:
            yield path


def test_no_file_names_a_path_of_the_machine_it_was_written_on():
    machine = re.compile(r"(?<![\w.~}])/(?:" + "|".join(("work", "root")) + ")/")
    files = list(text_files())
    assert len(files) > 100, "else this test looks at nothing"
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if machine.search(line)
    ]
    assert found == []
