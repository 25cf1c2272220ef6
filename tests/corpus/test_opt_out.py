"""What was opted out never enters, and a line that says nothing clear is an error."""

import pickle
from hashlib import sha256

import pytest

from data_formats.document import Document, Drop
from finetune.corpus.opt_out import OptOut, read_opt_out
from finetune.errors import UserError


def document(repo, path="src/a.py", text="x = 1\n"):
    return Document(text=text, path=path, repo=repo, language="python")


@pytest.fixture
def read(tmp_path):
    def write_and_read(text):
        file = tmp_path / "optout.txt"
        file.write_text(text, encoding="utf-8")
        return read_opt_out(file)

    return write_and_read


def test_each_kind_of_entry_has_its_reason(read):
    digest = sha256(b"secret\n").hexdigest()
    entries = read(
        f"# who asked\nowner: Ann\nrepo: acme/Tools  # since May\npath: acme/web/keys/**\n\n"
        f"SHA256: {digest.upper()}\n"
    )
    assert entries.reason(document("ann/x")) == "opted out: owner"
    assert entries.reason(document("Acme/tools")) == "opted out: repository"
    assert entries.reason(document("acme/web", "keys/a/b.py")) == "opted out: path"
    assert entries.reason(document("acme/web", text="secret\n")) == "opted out: content"
    assert entries.reason(document("acme/web")) is None


def test_repositories_may_be_written_as_in_published_lists(read):
    entries = read(
        "acme/one\nhttps://github.com/acme/two\nrepo: https://github.com/acme/three.git/\n"
        "https://github.com/ann\n"
    )
    assert entries.repos == {"acme/one", "acme/two", "acme/three"}
    assert entries.owners == {"ann"}


def test_an_owner_is_no_prefix_of_another_and_no_folder(read):
    entries = read("owner: ann\n")
    assert entries.reason(document("anna/x")) is None
    assert entries.reason(document("ann")) is None


def test_a_pattern_also_reaches_a_repository_without_an_owner(read):
    assert read("path: mylib/**\n").reason(document("mylib")) == "opted out: path"


def test_a_hash_sign_inside_a_pattern_is_no_comment(read):
    assert read("path: acme/c#/**\n").paths == ("acme/c#/**",)


def test_an_empty_file_opts_nothing_out(read):
    assert read("\ufeff# nobody yet\n") == OptOut()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("owners: ann", r"optout.txt:2: `owners: ann` is no entry; did you mean `owner: ann`\?"),
        ("ann", "optout.txt:2: `ann` is no entry; write `owner: NAME`"),
        ("owner: ann/tools", "`owner: ann/tools` is not a user's"),
        ("owner:", "is not a user's"),
        ("repo: tools", "is not OWNER/NAME"),
        ("path: **", "is not a pattern that names something"),
        ("sha256: abc", "is not 64 hexadecimal digits"),
        ("https://github.com/acme/web/tree/main/keys", r"write `path: OWNER/NAME/folder/\*\*`"),
        ("https://github.com/", "is not the address of an owner or a repository"),
    ],
)
def test_a_line_that_is_no_entry_is_refused_with_its_place(read, line, message):
    with pytest.raises(UserError, match=message):
        read(f"owner: x\n{line}\n")


def test_a_missing_file_is_one_clear_sentence(tmp_path):
    with pytest.raises(UserError, match=r"opt_out: .*none.txt: cannot be read: No such file"):
        read_opt_out(tmp_path / "none.txt")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"owner: \xff\n")
    with pytest.raises(UserError, match="it is not UTF-8"):
        read_opt_out(tmp_path / "bad.txt")


def test_the_entries_are_a_step_that_travels(read):
    entries = read("owner: ann\npath: a/b/**\n")
    assert entries.reason(document("x/y")) is None  # compiles the patterns
    again = pickle.loads(pickle.dumps(entries))
    kept = document("x/y")
    assert again(kept) is kept
    dropped = again(document("ann/y"))
    assert isinstance(dropped, Drop)
    assert dropped.reason == "opted out: owner"
