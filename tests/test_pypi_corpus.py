"""The example that makes a corpus of packages, against an index on this machine."""

import gzip
import hashlib
import importlib.util
import io
import json
import tarfile
import tracemalloc
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


ANSWERS = {}
"""Path -> what a test lets the index answer; None stands for what is no HTTP."""


class Index(BaseHTTPRequestHandler):
    """Package pages as JSON, and the archives."""

    def do_GET(self):
        name = self.path.strip("/").rpartition("/")[2]
        if self.path in ANSWERS:
            self._answer(ANSWERS[self.path])
        elif self.path.startswith("/away/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/away/"))
            self.end_headers()
        elif self.path.startswith("/files/"):
            self._answer(ARCHIVES[name])
        else:
            files = [self._entry(file) for file in ARCHIVES if file.startswith(f"{name}-")]
            self._answer(json.dumps({"files": files}).encode())

    def _entry(self, file):
        content = b"" if file.startswith("changed") else ARCHIVES[file]
        digest = hashlib.sha256(content).hexdigest()
        return {"filename": file, "url": f"/files/{file}", "hashes": {"sha256": digest}}

    def _answer(self, content):
        if content is None:
            self.wfile.write(b"hello\r\n" * 3)
            return
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


GZIP_OF = {"mode": "wb", "compresslevel": 1, "mtime": 0}


def packed(*blocks):
    """Blocks of a tar as they are, compressed; (block, number) is repeated."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, **GZIP_OF) as stream:
        for block, number in blocks:
            for _ in range(number):
                stream.write(block)
    return buffer.getvalue()


def header(path, kind=tarfile.REGTYPE, size=0):
    info = tarfile.TarInfo(path)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def summed(block):
    """A header that was changed, with the right sum."""
    total = sum(block[:148]) + 8 * ord(" ") + sum(block[156:])
    return block[:148] + b"%06o\0 " % total + block[156:]


MIB = bytes(1 << 20)
WHOLE = sdist("whole", "1.0", "MIT", {"whole-1.0/a.py": "x = 1\n" * 10_000})
SPARSE = header("p-1/a.py", tarfile.GNUTYPE_SPARSE)
SPARSE = summed(SPARSE[:482] + b"\1" + SPARSE[483:])  # more of its map follows


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(WHOLE[: len(WHOLE) // 2], "cut off or damaged", id="cut off"),
        pytest.param(
            WHOLE[:60] + bytes(20) + WHOLE[80:], "damaged|invalid|zlib error", id="damaged"
        ),
        pytest.param(b"<html>", "Not a gzipped file", id="no archive"),
        pytest.param(packed((b"x" * 512, 4)), "invalid header|truncated", id="no tar"),
        pytest.param(packed((header("x"), 3_000)), "more than 2000 files", id="members"),
        pytest.param(packed((header("p/" * 40 + "x"), 2)), "more than 32 folders", id="folders"),
        pytest.param(
            packed((header("x", tarfile.XHDTYPE, 3 << 30), 1), (MIB, 128)),
            "says more than 131072 bytes about one file",
            id="one long header",
        ),
        pytest.param(
            packed((header("x", tarfile.GNUTYPE_LONGNAME, 512) + bytes(512), 2_000)),
            "says more than 131072 bytes about one file|cut off or damaged",
            id="many headers of one file",
        ),
        pytest.param(
            packed((SPARSE, 1), (b"1" * 504 + b"\1" + bytes(7), 50_000)),
            "says more than 131072 bytes about one file",
            id="a map without end",
        ),
        pytest.param(
            packed((header("p/x", size=2 << 30), 1)),
            "unpacks to more than 1048576000 bytes",
            id="a large file",
        ),
        pytest.param(
            packed((header("p/x", size=-1024), 2)),
            "unpacks to more than|says more than|cut off or damaged|invalid header",
            id="a size below nothing",
        ),
    ],
)
def test_an_archive_that_is_damaged_or_made_to_do_harm_is_left_out(
    example, tmp_path, monkeypatch, content, reason
):
    monkeypatch.setattr(example, "MOST_MEMBERS", 2_000)
    file = tmp_path / "a.tar.gz"
    file.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises((example.NotTaken, OSError, tarfile.TarError), match=reason):
            example.unpack(file, tmp_path / "unpacked")
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
        assert not list((tmp_path / "unpacked").iterdir()), "nothing is written before all is seen"
    finally:
        tracemalloc.stop()


PAGES = {
    "html": b"<html>",
    "list": b"[]",
    "empty": b"{}",
    "nothing": b'{"files": null}',
    "strings": b'{"files": ["a"]}',
    "numbers": b'{"files": [{"filename": 5}]}',
    "nourl": b'{"files": [{"filename": "nourl-1.0.tar.gz", "hashes": {}}]}',
    "nohash": b'{"files": [{"filename": "nohash-1.0.tar.gz", "url": "x", "hashes": 1}]}',
    "deep": b"[" * 200_000,
}


@pytest.fixture
def answer(monkeypatch):
    """Lets the index give a page for a package, or an archive for a path."""

    def answer(path, content):
        monkeypatch.setitem(ANSWERS, path, content)

    return answer


def entry(filename, url, content=b""):
    digest = hashlib.sha256(content).hexdigest()
    files = [{"filename": filename, "url": url, "hashes": {"sha256": digest}}]
    return json.dumps({"files": files}).encode()


def said_by(example, index, folder, capsys, *names):
    example.main(folder, list(names), index)
    return capsys.readouterr().out.splitlines()[: len(names)]


def test_an_index_that_gives_no_list_of_files_is_an_outcome_of_each_package(
    example, index, answer, tmp_path, capsys
):
    for name, page in PAGES.items():
        answer(f"/simple/{name}/", page)
    lines = said_by(example, index, tmp_path / "corpus", capsys, *PAGES, "good")
    assert lines[:-1] == [
        f"{name}: left out: the index answers with something else than a list of files"
        for name in PAGES
    ]
    assert lines[-1] == "good-1.2: MIT"


@pytest.mark.parametrize(
    "filename", ["../../escaped-1.0.tar.gz", "x/escaped-1.0.tar.gz", "..\\escaped-1.0.tar.gz"]
)
def test_a_file_name_that_leads_elsewhere_is_no_archive_of_the_package(
    example, index, answer, tmp_path, capsys, filename
):
    content = sdist("escaped", "1.0", "MIT")
    answer("/simple/escaped/", entry(filename, "/files/escaped", content))
    answer("/files/escaped", content)
    (line,) = said_by(example, index, tmp_path / "a" / "b", capsys, "escaped")
    assert line == "escaped: left out: no source distribution (.tar.gz)"
    assert not list(tmp_path.rglob("escaped*"))


def test_the_folder_is_named_by_package_and_version_alone(example, index, answer, tmp_path, capsys):
    content = sdist("odd", "1.0", "MIT")
    answer("/simple/odd-name/", entry("Odd_Name-01.0.tar.gz", "/files/odd", content))
    answer("/files/odd", content)
    assert said_by(example, index, tmp_path, capsys, "Odd.Name") == ["odd-name-1.0: MIT"]
    assert [one.name for one in tmp_path.iterdir()] == ["odd-name-1.0"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a b"])
def test_what_is_no_name_of_a_package_is_not_asked_for(example, index, tmp_path, capsys, name):
    (line,) = said_by(example, index, tmp_path, capsys, name)
    assert line == f"{name}: left out: is not the name of a package"


def test_no_file_of_this_machine_is_opened(example, index, answer, tmp_path, capsys):
    content = sdist("local", "1.0", "MIT")
    (tmp_path / "local.tar.gz").write_bytes(content)
    for scheme in ("file", "ftp", "data"):
        url = f"{scheme}://{tmp_path / 'local.tar.gz'}"
        answer("/simple/local/", entry("local-1.0.tar.gz", url, content))
        (line,) = said_by(example, index, tmp_path / "corpus", capsys, "local")
        assert line.endswith("which is no address of http or https")
    answer("/simple/local/", entry("local-1.0.tar.gz", "/away/ftp://127.0.0.1/x", content))
    (line,) = said_by(example, index, tmp_path / "corpus", capsys, "local")
    assert "unknown url type: ftp" in line


def test_an_answer_that_is_no_http_is_an_outcome(example, index, answer, tmp_path, capsys):
    answer("/simple/raw/", None)
    answer("/simple/odd/", entry("odd-1.0.tar.gz", "http://[x/y"))
    answer("/simple/steer/", entry("steer-1.0.tar.gz", "x\x1b://y"))
    lines = said_by(example, index, tmp_path, capsys, "raw", "odd", "steer", "good")
    assert [line.partition(":")[2][:10] for line in lines[:3]] == [" left out:"] * 3
    assert "\x1b" not in "".join(lines)
    assert lines[3] == "good-1.2: MIT"
