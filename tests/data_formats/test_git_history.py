"""A history read commit by commit: what becomes a document, and why the rest does not."""

import multiprocessing
from collections import Counter

import pytest
from git_samples import commit, git, gone, history, put, renamed, submodule

from data_formats.document import Document, Drop, rendered
from data_formats.git import open_repository
from data_formats.git_commits import commit_instruction, commit_parts, commit_row_document
from data_formats.git_history import read_commits

TEXT = b"".join(b"line %d\n" % number for number in range(20))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "repository"


def outcomes(folder, shas, **options):
    """Path -> reason or `read`, of the commits given; a commit's id as its number."""
    found = {}
    for one in read_commits(open_repository(folder), shas, repo="r", **options):
        if isinstance(one, Drop):
            sha, _, path = one.path.partition(":")
            found[path or shas.index(sha)] = one.reason
        else:
            found[one.path] = "read"
    return found


def test_a_commit_becomes_before_subject_after_to_the_byte(folder):
    _, second = history(
        folder,
        commit(b"0", put("a.py", b"x = 1\r\ny = 1\r\n")),
        commit(b"Mend\ny\n\nSigned-off-by: Ann <a@x.org>\n", put("a.py", b"x = 1\r\ny = 2\r\n")),
    )
    (document,) = read_commits(
        open_repository(folder), [second], repo="ann/a", licence="MIT", source=4
    )
    before, message, after = commit_parts(document)
    assert before in ("x = 1\r\ny = 1\r\n", "y = 1\r\n")
    assert message == "Mend y"
    assert after == before.replace("y = 1", "y = 2")
    assert (document.path, document.repo, document.language) == ("a.py", "ann/a", "python")
    assert (document.licence, document.source, document.revision) == ("MIT", 4, second)


def test_every_file_that_is_no_edit_of_a_text_is_named_with_its_reason(folder):
    names = ["bin.py", "caf.py", "big.py", "mode.py", "gone.py", "pure.py", "kind.py", "data.csv"]
    first, second = history(
        folder,
        commit(
            b"0",
            *(put(name, name.encode() + TEXT) for name in names),
            put("void.py", b""),
            put("emptied.py", b"x\n"),
            put("link.py", b"a", "120000"),
            submodule("lib.py", "1" * 40),
        ),
        commit(
            b"1",
            put("bin.py", b"\0"),
            put("caf.py", b"caf\xe9\n"),
            put("big.py", b"x" * 301),
            put("mode.py", b"mode.py" + TEXT, "100755"),
            gone("gone.py"),
            renamed("pure.py", "renamed.py"),
            put("kind.py", b"a", "120000"),
            put("data.csv", b"1\n"),
            put("new.py", b"x\n"),
            put("void.py", b"x\n"),
            put("emptied.py", b""),
            put("link.py", b"b", "120000"),
            submodule("lib.py", "2" * 40),
        ),
    )
    assert outcomes(folder, [first, second], max_bytes=300) == {
        0: "first commit: nothing stands before it",
        "bin.py": "binary: NUL byte in the first 8 KB",
        "caf.py": "not UTF-8",
        "big.py": "larger than 300 bytes",
        "mode.py": "only the file mode changes",
        "gone.py": "nothing stands in the file after the commit",
        "renamed.py": "renamed without a change",
        "kind.py": "symbolic link",
        "data.csv": "no known language",
        "new.py": "nothing stands in the file before the commit",
        "void.py": "nothing stands in the file before the commit",
        "emptied.py": "nothing stands in the file after the commit",
        "link.py": "symbolic link",
        "lib.py": "submodule",
    }


def test_every_commit_that_is_not_used_is_named_with_its_reason(folder):
    shas = history(
        folder,
        commit(b"0", put("a.py", TEXT)),
        commit(b" \n", put("a.py", TEXT + b"1\n")),
        commit(b"caf\xe9", put("a.py", TEXT + b"2\n")),
        commit(b"3"),
        commit(b"4", put("b.py", b"x\n"), parents=(0,)),
        commit(b"5", put("b.py", b"x\n"), parents=(3, 4)),
        commit(b"6" * 2000, put("a.py", TEXT)),
    )
    assert outcomes(folder, shas, max_bytes=1000) == {
        0: "first commit: nothing stands before it",
        1: "empty commit message",
        2: "commit message is not in its stated encoding",
        3: "commit changes no file",
        "b.py": "nothing stands in the file before the commit",
        5: "merge commit",
        6: "larger than 1000 bytes",
    }


def test_a_renamed_file_with_an_edit_is_read_under_its_new_name(folder):
    _, second = history(
        folder,
        commit(b"0", put("old.txt", TEXT)),
        commit(b"1", renamed("old.txt", "new.py"), put("new.py", b"first\n" + TEXT)),
    )
    (document,) = read_commits(open_repository(folder), [second], repo="r")
    before, _, after = commit_parts(document)
    assert (document.path, after) == ("new.py", "first\n" + before)


def test_a_message_in_latin_1_is_read_as_it_states(folder):
    _, second = history(
        folder,
        commit(b"0", put("a.py", b"1\n")),
        commit(b"caf\xe9", put("a.py", b"2\n"), encoding="ISO-8859-1"),
    )
    (document,) = read_commits(open_repository(folder), [second], repo="r")
    assert rendered(document) == "<commit_before>1\n<commit_msg>café<commit_after>2\n"


def test_a_name_that_is_not_utf8_is_told_as_elsewhere(folder):
    _, second = history(
        folder, commit(b"0", put(b"\xe9.py", b"1\n")), commit(b"1", put(b"\xe9.py", b"2\n"))
    )
    (document,) = read_commits(open_repository(folder), [second], repo="r")
    assert document.path == "\\xe9.py"


def test_each_file_of_a_commit_is_a_document_unless_one_file_is_asked_for(folder):
    first, second, third = history(
        folder,
        commit(b"0", put("a.py", b"1\n"), put("b.py", b"1\n")),
        commit(b"1", put("a.py", b"2\n"), put("b.py", b"2\n")),
        commit(b"2", put("a.py", b"3\n")),
    )
    assert outcomes(folder, [second]) == {"a.py": "read", "b.py": "read"}
    assert outcomes(folder, [first, second, third], max_files=1) == {
        0: "first commit: nothing stands before it",
        1: "commit changes more files than 1",
        "a.py": "read",
    }


def test_where_a_shallow_clone_is_cut_off_nothing_is_made_up(folder, tmp_path):
    history(folder, *(commit(b"%d" % n, put("a.py", b"%d\n" % n)) for n in range(3)))
    git(tmp_path, "clone", "--quiet", "--depth=2", folder.as_uri(), "clone")
    repository = open_repository(tmp_path / "clone")
    shas = repository.commits(repository.resolve("HEAD"))
    assert outcomes(tmp_path / "clone", shas) == {
        0: "the commit before it is not in this shallow clone",
        "a.py": "read",
    }


def test_an_edit_can_be_written_as_an_instruction(folder):
    _, second = history(
        folder, commit(b"0", put("a.py", b"1\n")), commit(b"Count", put("a.py", b"2\n"))
    )
    repository = open_repository(folder)
    (document,) = read_commits(repository, [second], repo="r", write=commit_instruction)
    assert document.text == "Question: Count\n1\n\n\nAnswer: 2\n"


def test_a_table_and_a_history_give_the_same_document(folder):
    _, second = history(
        folder, commit(b"0", put("a.py", TEXT)), commit(b"Add", put("a.py", b"new\n" + TEXT))
    )
    (document,) = read_commits(open_repository(folder), [second], repo="r", licence="mit")
    row = {
        "commit": second,
        "repos": "r",
        "subject": "Add",
        "new_file": "a.py",
        "old_contents": TEXT.decode(),
        "new_contents": "new\n" + TEXT.decode(),
        "license": "mit",
    }
    assert commit_row_document(row) == document


def read_slice(repository, shas):
    return list(read_commits(repository, shas, repo="r"))


def test_slices_in_several_processes_give_what_one_process_gives(folder):
    """More commits than are asked for at once, so that the seams are crossed."""
    contents = [b"%d\n" % number + TEXT * 5 for number in range(300)]
    shas = history(folder, *(commit(b"edit", put("a.py", text)) for text in contents))
    repository = open_repository(folder)
    whole = read_slice(repository, shas)
    assert Counter(type(one) for one in whole) == {Document: 299, Drop: 1}
    assert [one.revision for one in whole[1:]] == shas[1:]
    slices = [(repository, shas[at : at + 110]) for at in range(0, 300, 110)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        parts = pool.starmap(read_slice, slices)
    assert [one for part in parts for one in part] == whole


def test_an_id_that_is_no_commit_is_an_error(folder):
    history(folder, commit(b"0", put("a.py", b"1\n")))
    tree = git(folder, "rev-parse", "HEAD^{tree}").decode().strip()
    with pytest.raises(ValueError, match="is a tree; give the id of a commit"):
        read_slice(open_repository(folder), [tree])
