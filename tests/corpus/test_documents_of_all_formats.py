"""Documents with headers, marks and rows, through the stages that were made for plain files."""

import json
import os
import subprocess

import pytest

from data_formats.document import Document, Mark, Sentinel, compose
from data_formats.repository import repository_files
from data_formats.source_code import with_header
from finetune.corpus import open_source, read_documents
from finetune.corpus.holdout import group_of
from finetune.corpus.store import write_documents
from finetune.errors import UserError
from finetune.evaluation.gap_kinds import problems_of_kind
from finetune.models.measure import measuring_set
from finetune.recipe.schema import Fim, Sequences, Source
from finetune.run_folder import RunFolder, read_lines
from finetune.sequences import Encoder, Rule, block_stream, open_corpus, tokenise
from finetune.tokenizer import CodeTokenizer
from tests.corpus.test_prepare_corpus import data, prepare_corpus, write
from tests.corpus.test_sources import git

CODE = "def f(x):\n    return x + 1\n\ndef g(y):\n    return f(y)\n"


def commit():
    text, marks = compose([Sentinel("<commit_before>"), CODE, Sentinel("<commit_msg>"), "Say so"])
    keys = {"repo": "r", "language": "python", "bodies": ()}
    return Document(text=text, path="c.py", marks=marks, **keys)


def test_two_tokenizers_that_differ_in_special_ids_share_no_cache(
    tiny_tokenizer, tmp_path, monkeypatch
):
    monkeypatch.setenv("FINETUNE_CACHE", str(tmp_path / "cache"))
    write_documents(tmp_path / "t.parquet", [Document(
        text="hi", path="p", repo="r", language="chat", marks=(Mark(0, "<|user|>"),), bodies=()
    )])  # fmt: skip
    parsed = json.loads((tiny_tokenizer / "tokenizer.json").read_text())
    for number in (5000, 5001):
        folder = tmp_path / str(number)
        folder.mkdir()
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        added = {"id": number, "content": "<|user|>", "special": True, **flags}
        tokens = [*parsed["added_tokens"], added]
        (folder / "tokenizer.json").write_text(json.dumps({**parsed, "added_tokens": tokens}))
        corpus = open_corpus(tmp_path / "t.parquet", CodeTokenizer(folder))
        assert corpus.read(0).ids[0] == number


def test_syntax_is_that_of_the_body_alone(tiny_tokenizer):
    one = Document(text=CODE, path="tests/2d/import.py", repo="r", language="python")
    corpus = tokenise([with_header(one, 1.0)], Encoder(CodeTokenizer(tiny_tokenizer)))
    rules = [Rule(Fim(rate=1.0, cut="syntax"))]
    stream = block_stream(corpus, rules, Sequences(length=512), seed=0, epochs=1)
    list(stream)
    assert (stream.counts.kinds, stream.counts.instead) == ({"syntax": 1}, {})


def test_only_what_may_be_cut_is_measured_by_infilling(tiny_tokenizer):
    code = Document(text=CODE, path="a.py", repo="r", language="python")
    corpus = tokenise([code, commit()], Encoder(CodeTokenizer(tiny_tokenizer)))
    measured = measuring_set(corpus, "psm", 512, 10_000)
    assert all(placed.cut for block in measured.blocks for placed in block.placed)


def test_lines_to_fill_in_are_of_what_may_be_cut():
    one = Document(text=CODE, path="tests/long_name.py", repo="me/long", language="python")
    plain, headed = (problems_of_kind([d], "line", 9) for d in (one, with_header(one, 1.0)))
    assert {p.gap for p in headed} == {p.gap for p in plain}
    assert problems_of_kind([commit()], "line", 9) == []


def test_rows_are_held_out_one_by_one():
    assert group_of("data/a.jsonl:12") == "data/a.jsonl:12"
    assert group_of("a.jsonl:12#3") == "a.jsonl:12"


@pytest.mark.parametrize(
    "keys", [{"include": ["*.py"]}, {"revision": "v1"}, {"template": "chatml"}]
)
def test_keys_that_rows_have_no_use_for_are_refused(tmp_path, keys):
    file = tmp_path / "a.jsonl"
    file.write_text('{"prompt": "a", "completion": "b"}\n')
    with pytest.raises(UserError, match=next(iter(keys))):
        open_source(Source(format="instructions", path=str(file), **keys), 0)


def test_a_copy_that_is_trained_on_stands_for_one_that_is_only_measured(tmp_path):
    both = {f"lib{number}.py": f"value = {number}\n".encode() for number in range(10)}
    others = {f"other{number}.py": f"other = {number}\n".encode() for number in range(10)}
    one, two = write(tmp_path / "one", both | others), write(tmp_path / "two", both)
    run = RunFolder(tmp_path / "run")
    recipe = data({"path": str(one), "weight": 0.0}, {"path": str(two)}, holdout=0.2)
    summary = prepare_corpus(recipe, run)
    documents = read_documents(run.train_corpus) + read_documents(run.holdout_corpus)
    texts = [document.text for document in documents]
    assert {one.decode() for one in both.values()} <= set(texts)
    assert len(texts) == len(set(texts))
    assert summary.documents_in == 30
    kept = {document.id for document in documents}
    drops = [line for line in read_lines(run.drops) if "of one that is kept" in line["reason"]]
    assert all(line["duplicate_of"] in kept for line in drops)


def test_bytes_of_a_split_answer_leave_out_its_first_token_too(tiny_tokenizer):
    prompt, answer = "Question: say it\n\nAnswer:", " it is x\n" * 60
    text, place = prompt + answer, (len(prompt), len(prompt + answer))
    one = Document(
        text=text, path="p", repo="r", language="chat",
        marks=(Mark(place[0], ""),), bodies=(), learned=(place,),
    )  # fmt: skip
    tokenizer = CodeTokenizer(tiny_tokenizer)
    # A turn that is not learned follows, so that not all labels of the last part are there.
    keys = {**vars(one), "text": text + "Human: ok\n", "marks": (*one.marks, Mark(place[1], ""))}
    two = Document(**keys)
    measured = measuring_set(tokenise([two], Encoder(tokenizer)), "left_to_right", 64, 10_000)
    labels = [i for block in measured.blocks for i in block.labels.tolist() if i >= 0]
    assert measured.bytes == len(tokenizer.decode(labels).encode())


def repository_of(root):
    """Thirty files, each of which a second commit changes."""
    git(root, "init", "-q", "-b", "main")
    for number in (1, 2):
        files = {
            f"pkg{at}/a.py": f"def f_{at}(x):\n    return x + {at * number}\n".encode()
            for at in range(30)
        }
        write(root, files)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", f"Version {number}")
    return str(root)


def test_commits_of_a_file_that_is_held_out_are_held_out(tmp_path):
    (tmp_path / "lib").mkdir()
    path = repository_of(tmp_path / "lib")
    recipe = data({"path": path}, {"path": path, "format": "git_commits"}, holdout=0.2)
    run = RunFolder(tmp_path / "run")
    prepare_corpus(recipe, run)
    held = {one.path for one in read_documents(run.holdout_corpus)}
    trained = {one.path for one in read_documents(run.train_corpus)}
    assert len(held) >= 5
    assert held & trained == set()


def test_a_repository_beside_its_own_files_is_refused(tmp_path):
    path = str(write(tmp_path / "lib", {"a.py": b"a = 1\n", "b.py": b"b = 1\n"}))
    recipe = data({"path": path}, {"path": path, "format": "repository"})
    with pytest.raises(UserError, match="lib is read as a repository and as source_code"):
        prepare_corpus(recipe, RunFolder(tmp_path / "run"))


def repositories(path, run, **keys):
    """The files of each document of a repository, as (path, code), and the reasons of drops."""
    source = {"path": str(path), "format": "repository", "header": 1.0, **keys}
    beside = {f"x{at}.py": f"x = {at}\n".encode() for at in range(4)}
    recipe = data(source, {"path": str(write(path.parent / "beside", beside))}, holdout=0.3)
    prepare_corpus(recipe, run)
    corpora = [*read_documents(run.train_corpus), *read_documents(run.holdout_corpus)]
    found = [repository_files(one) for one in corpora if one.path == "."]
    return found, [line["reason"] for line in read_lines(run.drops)]


def test_files_whose_names_are_one_without_the_addresses_in_them_are_both_kept(tmp_path):
    files = {
        "bob@acme.com.py": b"import m\n",
        "alice@acme.com.py": b"import n\n",
        "m.py": b"m = 1\n",
        "n.py": b"n = 1\n",
    }
    root = write(tmp_path / "lib", files)
    found, _ = repositories(root, RunFolder(tmp_path / "run"), order="dependency")
    assert found == [
        [
            ("n.py", "n = 1\n"),
            ("<EMAIL>", "import n\n"),
            ("m.py", "m = 1\n"),
            ("<EMAIL>", "import m\n"),
        ]
    ]


def test_of_two_files_of_one_path_the_second_is_dropped(tmp_path):
    """A name that is not UTF-8 beside the name that stands for it."""
    root = write(tmp_path / "lib", {"\\xff.py": b"x = 1\n", "a.py": b"a = 1\n"})
    (root / os.fsdecode(b"\xff.py")).write_bytes(b"y = 1\n")
    found, reasons = repositories(root, RunFolder(tmp_path / "run"))
    ((first, second),) = found
    assert second == ("a.py", "a = 1\n")
    assert first in [("\\xff.py", "x = 1\n"), ("\\xff.py", "y = 1\n")]
    assert reasons == ["two files of one path"]


def test_a_tree_that_names_a_file_twice_gives_the_first(tmp_path):
    (tmp_path / "lib").mkdir()
    path = repository_of(tmp_path / "lib")
    blobs = [
        subprocess.run(
            ["git", "-C", path, "hash-object", "-w", "--stdin"],
            input=content,
            capture_output=True,
            check=True,
        ).stdout.strip()
        for content in (b"one = 1\n", b"two = 2\n")
    ]
    entries = b"".join(b"100644 a.py\0" + bytes.fromhex(one.decode()) for one in blobs)
    command = ["git", "-C", path, "hash-object", "-w", "-t", "tree", "--literally", "--stdin"]
    done = subprocess.run(command, input=entries, capture_output=True, check=True)
    commit_of = [
        "git",
        "-C",
        path,
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@b.c",
        "commit-tree",
        done.stdout.decode().strip(),
        "-m",
        "y",
    ]
    sha = subprocess.run(commit_of, capture_output=True, check=True).stdout.decode().strip()
    found, reasons = repositories(tmp_path / "lib", RunFolder(tmp_path / "run"), revision=sha)
    assert found == [[("a.py", "one = 1\n")]]
    assert reasons == ["two files of one path"]


def test_a_header_holds_no_address(tmp_path):
    files = {f"jane.doe@acme.org/{at}.py": f"x = {at}\n".encode() for at in range(5)}
    root = write(tmp_path / "lib", files)
    run = RunFolder(tmp_path / "run")
    prepare_corpus(data({"path": str(root), "header": 1.0}, holdout=0.2), run)
    texts = [one.text for one in read_documents(run.train_corpus)]
    assert all(text.startswith("lib<EMAIL>/") for text in texts)
    assert texts
