"""examples/serving.md: what can be run here is run as it is written there; the rest is parsed."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from finetune.exporting import export_gguf
from finetune.generation.completion import Request
from finetune.generation.folder_model import FolderModel
from finetune.generation.sampling import Sampling
from finetune.generation.server import CompletionServer
from tests.completing.conftest import MIDDLE, PREFIX, SUFFIX, learned  # noqa: F401

PAGE = (Path(__file__).parent.parent / "examples" / "serving.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVER = ("llama_cpp", "fastapi", "uvicorn")


def blocks(language):
    return [text for name, text in FENCED.findall(PAGE) if name == language]


def command(start):
    """The arguments of the page's one command that begins so."""
    (found,) = [text for text in blocks("bash") if text.startswith(start)]
    return shlex.split(found)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def place(learned, tmp_path):  # noqa: F811
    """The folder the page is read in: runs/mine with a model that knows a text, and mine.py."""
    shutil.copytree(learned.parent, tmp_path / "runs")
    (tmp_path / "mine.py").write_text(PREFIX + SUFFIX)
    return tmp_path


def test_the_completion_at_a_cursor_is_run_as_written(place):
    _, *arguments = command("finetune complete")
    code = "import sys; from finetune.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=place, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Attachment A, restriction (f)" in done.stderr


def answer(process, arguments):
    """What curl gets, once the server listens."""
    for _ in range(120):
        assert process.poll() is None, process.stderr.read()
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
        time.sleep(0.5)
    raise AssertionError("the server does not answer")


needs_llama_cpp = pytest.mark.skipif(
    not all(map(find_spec, SERVER)) or shutil.which("curl") is None,
    reason="the server of llama-cpp-python and curl: pip install 'finetune-code[llama]'",
)


@contextmanager
def llama_cpp(place, kind):
    """The page's server with a GGUF of that kind, on a free port; the port."""
    run = place / "runs" / "mine"
    export_gguf(run.joinpath("merged"), run / "release", kind, [PREFIX + MIDDLE], {"name": "m"})
    port = str(free_port())
    serve = [one.replace("8012", port) for one in command("python -m llama_cpp.server")]
    serve = [one.replace("Q8_0", kind.upper()) for one in serve]
    with subprocess.Popen(
        [sys.executable, *serve[1:]],
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            answer(process, ["curl", "-sf", f"http://127.0.0.1:{port}/v1/models"])
            yield port
        finally:
            process.terminate()


@needs_llama_cpp
def test_llama_cpp_fills_the_gap_over_http_as_written(place):
    """The whole way: trained, merged, written as GGUF, served, asked with sentinels."""
    asked = command("curl -s http://127.0.0.1:8012/v1")
    with llama_cpp(place, "q8_0") as port:
        asked = [one.replace("8012", port) if one.startswith("http") else one for one in asked]
        found = json.loads(subprocess.run(asked, capture_output=True, text=True).stdout)
    assert found["choices"][0]["text"] == MIDDLE
    assert found["choices"][0]["finish_reason"] == "stop"


@needs_llama_cpp
def test_llama_cpp_completes_a_task_as_the_model_itself_does(place):
    """Its own defaults would penalise repetition and draw from few tokens. (Sentinels in an answer
    it leaves out, whatever it is asked: the model would write one behind PREFIX.)"""
    merged = FolderModel(folder=place / "runs" / "mine" / "merged")
    prompts = ["x", "return return return", SUFFIX, "def f(a, b):\n    a a a a"]  # no gaps
    requests = [
        Request(task="t", id=str(number), sample=0, prompt=prompt)
        for number, prompt in enumerate(prompts)
    ]
    greedy = Sampling(max_new_tokens=12)
    with llama_cpp(place, "f32") as port:
        server = CompletionServer(
            url=f"http://127.0.0.1:{port}",
            model="mine",
            tokenizer=merged.tokenizer,
            positions=merged.positions,
            as_text=True,
        )
        served = {one.id: one.text for one in server.complete(requests, greedy)}
    assert served == {one.id: one.text for one in merged.complete(requests, greedy)}


def test_the_settings_of_editors_are_what_their_formats_allow():
    (vscode,), (tabby,), (continues,) = blocks("json"), blocks("toml"), blocks("yaml")
    assert json.loads(vscode)["llama-vscode.endpoint"].startswith("http://")
    completion = tomllib.loads(tabby)["model"]["completion"]["http"]
    (model,) = YAML(typ="safe").load(continues)["models"]
    templates = [completion["prompt_template"], model["promptTemplates"]["autocomplete"]]
    order = re.compile(r"<fim_prefix>\{+prefix\}+<fim_suffix>\{+suffix\}+<fim_middle>")
    assert all(map(order.fullmatch, templates))


def test_the_body_for_infill_is_json():
    *_, body = command("curl -s http://127.0.0.1:8012/infill")
    assert json.loads(body)["input_prefix"] == PREFIX
