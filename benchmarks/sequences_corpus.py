"""What `sequences.py` measures on: Python sources of released packages, and larger files of them.

Wheels are downloaded and only read; nothing in them is installed, built or run.
"""

import random
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from zipfile import ZipFile

from data_formats.document import Document
from finetune.corpus.store import write_documents
from finetune.tokenizer import train_tokenizer

PACKAGES = (  # all under MIT, BSD or Apache licences; pinned, so that runs can be compared
    "celery==5.7.0",
    "click==8.5.1",
    "django==5.2.19",
    "fastapi==0.165.0",
    "flask==3.1.3",
    "httpx==0.28.1",
    "jinja2==3.1.6",
    "networkx==3.6.1",
    "pygments==2.21.0",
    "pytest==9.2.0",
    "requests==2.34.2",
    "rich==15.0.0",
    "scrapy==2.19.0",
    "setuptools==84.2.1",
    "sphinx==9.0.4",
    "sqlalchemy==2.1.9",
    "twisted==26.10.0",
    "werkzeug==3.1.9",
)
QUICK_PACKAGES = ("click==8.5.1", "flask==3.1.3", "networkx==3.6.1", "rich==15.0.0")
LONGEST = 1_000_000
"""Characters; `prepare` leaves out longer files as well."""
STARCODER = Path(__file__).parents[2] / "shared" / "data" / "starcoder-tokenizer"
VOCABULARY = 49152


def read_packages(packages: Sequence[str], folder: Path) -> list[Document]:
    """The different Python files of `packages`, downloaded where `folder` has them not yet."""
    documents: dict[str, Document] = {}
    for package in packages:
        for path, text in _python_files(_wheel(package, folder / package)):
            if text.strip() and len(text) <= LONGEST:
                document = Document(text=text, path=path, repo=package, language="python")
                documents.setdefault(text, document)
    return list(documents.values())


def _wheel(package: str, folder: Path) -> Path:
    if not any(folder.glob("*.whl")):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--only-binary", ":all:", "--dest", folder, package], check=True)
    return next(folder.glob("*.whl"))


def _python_files(wheel: Path) -> Iterator[tuple[str, str]]:
    """Path and text of each file that is UTF-8."""
    with ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".py"):
                try:
                    yield name, archive.read(name).decode()
                except UnicodeDecodeError:
                    continue  # test data of other encodings: no reader of ours would keep it


def find_tokenizer(documents: Sequence[Document], folder: Path) -> tuple[Path, str]:
    """StarCoder's own where it lies beside the checkout, else one trained on the corpus.

    Returns its folder and what to call it.
    """
    if STARCODER.is_dir():
        return STARCODER, "StarCoder's own"
    trained = folder / f"tokenizer-{len(documents)}"
    if not (trained / "tokenizer_config.json").is_file():
        texts = (document.text for document in documents)
        train_tokenizer(texts, VOCABULARY, positions=8192, folder=trained)
    return trained, f"trained on this corpus, vocabulary {VOCABULARY}"


def copies(documents: Sequence[Document], times: int) -> Iterator[Document]:
    """The corpus over and over, each copy at other paths and with another first line."""
    for copy in range(times):
        for one in documents:
            text, path = f"# copy {copy}\n{one.text}", f"{copy}/{one.path}"
            yield Document(text=text, path=path, repo=one.repo, language=one.language)


def small_documents(documents: Sequence[Document], count: int) -> Iterator[Document]:
    """`count` different documents of five to twenty consecutive lines of the corpus."""
    generator = random.Random(0)
    lines = [line for one in documents for line in one.text.splitlines(keepends=True)]
    for number in range(count):
        at = generator.randrange(len(lines) - 20)
        text = f"# part {number}\n" + "".join(lines[at : at + generator.randint(5, 20)])
        yield Document(text=text, path=f"{number}.py", repo="parts", language="python")


def write_once(file: Path, documents: Iterable[Document]) -> Path:
    """A corpus file as `prepare` writes it, unless it is there already."""
    if not file.is_file():
        aside = file.with_suffix(".partial")
        write_documents(aside, documents)
        aside.rename(file)
    return file
