"""The example that makes a corpus of packages, against an index on this machine."""

import hashlib
import importlib.util
import io
import json
import tarfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "pypi_corpus.py"
METADATA = (
    "Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: {licence}\n"
)


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("pypi_corpus", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sdist(name, version, licence, files=(), members=()):
    """A source distribution in memory; `members` are put in as they are."""
    top = f"{name}-{version}"
    metadata = METADATA.format(name=name, version=version, licence=licence)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in {f"{top}/PKG-INFO": metadata, **dict(files)}.items():
            info = tarfile.TarInfo(path)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
        for member in members:
            tar.addfile(member)
    return buffer.getvalue()


def link(path, target):
    info = tarfile.TarInfo(path)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


BUILD = "import pathlib\npathlib.Path(__file__).with_name('RAN').touch()\n"
ARCHIVES = {
    "good-1.0.tar.gz": sdist("good", "1.0", "MIT", {"good-1.0/good.py": "x = 1\n"}),
    "good-1.2.tar.gz": sdist(
        "good",
        "1.2",
        "MIT",
        {"good-1.2/good.py": "x = 2\n", "good-1.2/setup.py": BUILD},
        [link("good-1.2/out", "/etc/passwd")],
    ),
    "good-2.0rc1.tar.gz": sdist("good", "2.0rc1", "MIT"),
    "gpl-1.0.tar.gz": sdist("gpl", "1.0", "GPL-3.0-only"),
    "evil-1.0.tar.gz": sdist("evil", "1.0", "MIT", {"../outside.py": "x = 1\n"}),
    "two-1.0.tar.gz": sdist("two", "1.0", "MIT", {"other/x.py": "x = 1\n"}),
    "changed-1.0.tar.gz": sdist("changed", "1.0", "MIT"),
}


class Index(BaseHTTPRequestHandler):
    """Package pages as JSON, and the archives."""

    def do_GET(self):
        name = self.path.strip("/").rpartition("/")[2]
        if self.path.startswith("/files/"):
            self._answer(ARCHIVES[name])
        else:
            files = [self._entry(file) for file in ARCHIVES if file.startswith(f"{name}-")]
            self._answer(json.dumps({"files": files}).encode())

    def _entry(self, file):
        content = b"" if file.startswith("changed") else ARCHIVES[file]
        digest = hashlib.sha256(content).hexdigest()
        return {"filename": file, "url": f"/files/{file}", "hashes": {"sha256": digest}}

    def _answer(self, content):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def index():
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()


@pytest.fixture
def take(example, index, tmp_path):
    (tmp_path / "corpus").mkdir()
    return partial(example.take, folder=tmp_path / "corpus", index=index)


def test_the_newest_release_is_unpacked_and_nothing_of_it_runs(take, tmp_path):
    assert take("Good") == "good-1.2: MIT"
    folder = tmp_path / "corpus" / "good-1.2"
    assert sorted(path.name for path in folder.iterdir()) == ["PKG-INFO", "good.py", "setup.py"]
    assert (folder / "good.py").read_text() == "x = 2\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gpl", "GPL-3.0-only is not permissive"),
        ("two", "exactly one top folder"),
        ("changed", "SHA-256"),
        ("missing", "no source distribution"),
    ],
)
def test_what_is_not_fit_is_left_out(take, example, tmp_path, name, reason):
    with pytest.raises(example.NotTaken, match=reason):
        take(name)
    assert list((tmp_path / "corpus").iterdir()) == []


def test_a_path_that_leads_out_of_the_folder_is_refused(take, tmp_path):
    with pytest.raises(tarfile.OutsideDestinationError):
        take("evil")
    assert [path.name for path in tmp_path.rglob("*")] == ["corpus"]


def test_the_source_of_a_recipe_is_printed(example, index, tmp_path, capsys):
    example.main(tmp_path / "corpus", ["good", "gpl"], index)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "good-1.2: MIT",
        "gpl: left out: licence GPL-3.0-only is not permissive",
        "1 of 2 packages",
    ]
    assert "format: source_code, path: " in lines[-1]
