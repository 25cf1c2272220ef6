"""Tokenised once, whole or not there, and shared by whoever reads the same bytes."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from data_formats.document import Document
from finetune.corpus.store import write_documents
from finetune.errors import UserError
from finetune.recipe.schema import Fim, Sequences
from finetune.sequences import Encoder, Rule, block_stream, open_corpus, tokenise
from finetune.sequences.cache import cache_folder
from finetune.tokenizer import CodeTokenizer, train_tokenizer

TEXTS = [
    *(f"def f_{i}(x):\n    return x + {i}\n" * (1 + i % 9) for i in range(60)),
    "",
    "名前 = '日本' # 🙂\r\n" * 30,
    "e\u0301 = 1\n",
    "\0\ufeff",
]
DOCUMENTS = [
    Document(
        text=text,
        path=f"{i}.py",
        repo="r",
        language="python" if i % 3 else "cpp",
        source=i % 2,
    )
    for i, text in enumerate(TEXTS)
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def corpus_file(tmp_path, monkeypatch) -> Path:
    """A corpus file of several row groups."""
    monkeypatch.setattr("finetune.corpus.store.BATCH_CHARACTERS", 2000)
    write_documents(tmp_path / "train.parquet", DOCUMENTS)
    return tmp_path / "train.parquet"


@pytest.fixture
def tokenizer(tiny_tokenizer) -> CodeTokenizer:
    return CodeTokenizer(tiny_tokenizer)


def caches():
    return sorted(path for path in (cache_folder() / "tokens").glob("*") if path.is_dir())


def ids_of(corpus):
    return [corpus.read(i).ids.tolist() for i in range(len(corpus))]


def blocks_of(corpus, count=20):
    rules = [Rule(Fim()), Rule(Fim(), weight=0.3)]
    stream = block_stream(corpus, rules, Sequences(length=64), seed=0)
    return [block.input_ids.tolist() for block in islice(stream, count)]


def test_a_cached_corpus_equals_one_in_memory(corpus_file, tokenizer):
    cached, memory = open_corpus(corpus_file, tokenizer), tokenise(DOCUMENTS, Encoder(tokenizer))
    assert ids_of(cached) == ids_of(memory)
    for i, document in enumerate(DOCUMENTS):
        one, other = cached.read(i), memory.read(i)
        assert (one.text, one.starts.tolist()) == (document.text, other.starts.tolist())
        assert cached.describe(i) == document
        assert cached.id_of(i) == document.id
        assert cached.language(i) == document.language
    assert cached.rows["source"].tolist() == [d.source for d in DOCUMENTS]
    assert cached.rows["characters"].tolist() == [len(d.text) for d in DOCUMENTS]
    assert blocks_of(cached) == blocks_of(memory)


def test_the_same_files_in_another_language_have_a_cache_of_their_own(tokenizer, tmp_path):
    for language in ("python", "ruby"):
        file = tmp_path / f"{language}.parquet"
        write_documents(file, [Document(text="x\n", path="a", repo="r", language=language)])
        assert open_corpus(file, tokenizer).language(0) == language


def test_a_cache_that_is_deleted_while_it_is_open_can_be_read(corpus_file, tokenizer):
    corpus = open_corpus(corpus_file, tokenizer)
    shutil.rmtree(cache_folder())
    assert [corpus.read(i).text for i in range(len(corpus))] == TEXTS


def test_a_script_without_a_guard_is_told_to_have_one(corpus_file, tiny_tokenizer, tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from pathlib import Path\n"
        "from finetune.sequences import open_corpus\n"
        "from finetune.tokenizer import CodeTokenizer\n"
        f"open_corpus(Path({str(corpus_file)!r}), CodeTokenizer(Path({str(tiny_tokenizer)!r})))\n"
    )
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert 'does so below `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]
    assert caches() == []


def test_the_documents_of_one_language_are_a_corpus(corpus_file, tokenizer):
    cpp = open_corpus(corpus_file, tokenizer).in_language("cpp")
    assert [cpp.read(i).text for i in range(len(cpp))] == TEXTS[::3]
    assert {cpp.language(i) for i in range(len(cpp))} == {"cpp"}


def test_one_process_writes_the_same_files_as_several(corpus_file, tokenizer, monkeypatch):
    open_corpus(corpus_file, tokenizer)
    (several,) = caches()
    digests = {p.name: p.read_bytes() for p in several.iterdir()}
    assert len([name for name in digests if name.endswith(".ids")]) > 2
    shutil.rmtree(several)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    open_corpus(corpus_file, tokenizer)
    assert {p.name: p.read_bytes() for p in several.iterdir()} == digests


def test_the_same_corpus_is_tokenised_once(corpus_file, tokenizer, tmp_path, monkeypatch):
    before = blocks_of(open_corpus(corpus_file, tokenizer))
    monkeypatch.setattr(Encoder, "tokens", None)
    copy = tmp_path / "another.parquet"
    shutil.copy(corpus_file, copy)
    assert blocks_of(open_corpus(copy, tokenizer)) == before
    assert len(caches()) == 1


def test_another_text_or_tokenizer_has_a_cache_of_its_own(
    corpus_file, tokenizer, tmp_path, monkeypatch
):
    open_corpus(corpus_file, tokenizer)
    changed = [*DOCUMENTS[1:], Document(text="x\n", path="0.py", repo="r", language="python")]
    write_documents(tmp_path / "changed.parquet", changed)
    open_corpus(tmp_path / "changed.parquet", tokenizer)
    train_tokenizer(TEXTS, vocabulary=290, positions=64, folder=tmp_path / "other")
    open_corpus(corpus_file, CodeTokenizer(tmp_path / "other"))
    assert len(caches()) == 3


@pytest.mark.parametrize("damage", ["shorter", "missing", "no listing"])
def test_a_damaged_cache_is_made_anew(corpus_file, tokenizer, damage):
    before = ids_of(open_corpus(corpus_file, tokenizer))
    (folder,) = caches()
    file = folder / ("cache.json" if damage == "no listing" else "0000.ids")
    if damage == "shorter":
        os.truncate(file, 4)
    else:
        file.unlink()
    assert ids_of(open_corpus(corpus_file, tokenizer)) == before


def test_a_file_that_shrinks_while_it_is_read_is_an_error(corpus_file, tokenizer):
    corpus = open_corpus(corpus_file, tokenizer)
    (folder,) = caches()
    for file in folder.glob("*.text"):
        os.truncate(file, 1)
    with pytest.raises(UserError, match=r"shorter than it was; delete "):
        corpus.read(5)


def test_a_failure_leaves_nothing_half_written(corpus_file, tokenizer, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr("finetune.sequences.cache.write_json", _disk_full)
    with pytest.raises(UserError, match=r"token cache cannot be written: No space left.*FINETUNE"):
        open_corpus(corpus_file, tokenizer)
    assert caches() == []


def _disk_full(*_):
    raise OSError(28, "No space left on device")


def test_a_cache_that_cannot_be_written_says_how_to_mend_it(
    corpus_file, tokenizer, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="set FINETUNE_CACHE to a folder with room"):
        open_corpus(corpus_file, tokenizer)


def _open(file, folder, results):
    results.put(ids_of(open_corpus(file, CodeTokenizer(folder))))


def test_runs_that_start_together_share_one_cache(corpus_file, tiny_tokenizer, tokenizer):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    started = [
        context.Process(target=_open, args=(corpus_file, tiny_tokenizer, results)) for _ in range(3)
    ]
    for process in started:
        process.start()
    found = [results.get(timeout=120) for _ in started]
    for process in started:
        process.join(timeout=60)
    assert found == [ids_of(tokenise(DOCUMENTS, Encoder(tokenizer)))] * 3
    assert len(caches()) == 1


def test_a_kill_in_the_middle_leaves_a_cache_that_is_made_anew(
    corpus_file, tiny_tokenizer, tokenizer
):
    """The process is killed when all files are written but the folder has no name yet."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "import finetune.sequences.cache as cache\n"
        "from finetune.tokenizer import CodeTokenizer\n"
        "cache.sync_tree = lambda folder: os.kill(os.getpid(), 9)\n"
        "os.sched_getaffinity = lambda _: {0}\n"
        "cache.open_corpus(Path(sys.argv[1]), CodeTokenizer(Path(sys.argv[2])))\n"
    )
    command = [sys.executable, "-c", code, str(corpus_file), str(tiny_tokenizer)]
    assert subprocess.run(command, check=False).returncode == -9
    left = caches()
    assert [path.suffix for path in left] == [".partial"]
    assert ids_of(open_corpus(corpus_file, tokenizer)) == ids_of(
        tokenise(DOCUMENTS, Encoder(tokenizer))
    )


def test_what_a_killed_process_left_is_cleared_away(corpus_file, tokenizer):
    open_corpus(corpus_file, tokenizer)
    (folder,) = caches()
    shutil.move(folder, folder.with_suffix(".12345.partial"))
    open_corpus(corpus_file, tokenizer)
    assert caches() == [folder]


def test_a_cache_states_what_it_was_made_from(corpus_file, tokenizer):
    open_corpus(corpus_file, tokenizer)
    (folder,) = caches()
    about = json.loads((folder / "cache.json").read_text())
    assert about["tokenizer"] == tokenizer.digest
    assert about["languages"] == ["cpp", "python"]
    assert about["bytes"]["rows.npy"] == (folder / "rows.npy").stat().st_size


def test_reading_keeps_few_documents_in_memory(corpus_file, tokenizer):
    corpus = open_corpus(corpus_file, tokenizer)
    first = corpus.read(0)
    assert corpus.read(0) is first
    for index in range(1, 20):
        corpus.read(index)
    assert corpus.read(0) is not first
