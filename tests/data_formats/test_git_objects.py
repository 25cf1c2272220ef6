"""Objects by their ids: commits as they are written, and what is missing, damaged or left out."""

import os
from collections import Counter

import pytest
from git_samples import commit, git, gone, history, put, renamed

from data_formats.document import Document, Drop
from data_formats.git import DAMAGED, NOT_CLONED, open_repository, read_files
from data_formats.git_history import read_commits

ELSEWHERE = "1234567890" * 4
LINES = b"".join(b"line %d\n" % number for number in range(20))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "repository"


def object_file(folder, name):
    sha = git(folder, "rev-parse", name).decode().strip()
    file = folder / ".git" / "objects" / sha[:2] / sha[2:]
    file.chmod(0o644)
    return file


def loose(folder, *commits):
    """A repository whose objects are files of their own."""
    shas = history(folder, *commits)
    for pack in (folder / ".git" / "objects" / "pack").glob("*.pack"):
        moved = pack.rename(folder / ".git" / pack.name)
        git(folder, "unpack-objects", "-q", stdin=moved.read_bytes())
    return shas


def outcomes(folder, shas):
    """(name, reason or `read`) of each file of each commit; of a commit that is dropped, ''."""
    repository = open_repository(folder)
    return [
        (one.path, "read")
        if isinstance(one, Document)
        else (one.path.partition(":")[2], one.reason)
        for one in read_commits(repository, shas, repo="r")
    ]


def contents(folder, sha):
    """Path -> content, or why there is none."""
    repository = open_repository(folder)
    read = read_files(repository, repository.files(sha), repo="r")
    return dict(
        (one.path, one.reason) if isinstance(one, Drop) else (one[0].path, one[1]) for one in read
    )


def test_a_commit_is_read_without_names_and_addresses(folder):
    first, second = history(folder, commit(b"0"), commit(b"Mend \xc3\xa9\n\nWhy.\n"))
    with open_repository(folder).objects() as objects:
        found = objects.commit(second)
    assert (found.sha, found.parents, found.subject) == (second, (first,), "Mend é")
    assert (found.message, found.author_time) == ("Mend é\n\nWhy.\n", 1_700_003_600)
    assert found.tree == git(folder, "rev-parse", "HEAD^{tree}").decode().strip()
    assert not any(word in repr(found) for word in ("Ann", "Carl", "example"))


@pytest.mark.parametrize(
    ("message", "encoding", "subject"),
    [
        (b"caf\xe9\n", "ISO-8859-1", "café"),
        (b"caf\xe9\n", "latin1", "café"),
        (b"caf\xe9\n", "windows-1252", "café"),
        (b"\xc1\n", "KOI8-R", "а"),
        (b"\xa4\xc6\n", "EUC-JP", "て"),
        (b"\x83e\n", "shift_jis", "テ"),
        (b"\xc4\xe3\n", "GBK", "你"),
        (b"\xa7A\n", "Big5", "你"),
        (b"caf\xc3\xa9\n", "", "café"),
        (b"caf\xe9\n", "", None),
        (b"caf\xe9\n", "UTF-8", None),
        (b"cafe\n", "no-such-encoding", None),
        (b"+2AA-\n", "utf-7", None),
        (b"caf-dma\n", "punycode", None),
        (b"\\x41\n", "unicode_escape", None),
        (b"cafe\n", "hex", None),
    ],
)
def test_a_message_is_decoded_as_it_states_or_not_at_all(folder, message, encoding, subject):
    (sha,) = history(folder, commit(message, encoding=encoding))
    with open_repository(folder).objects() as objects:
        found = objects.commit(sha)
    assert (found.message is None) == (subject is None)
    assert found.subject == (subject or "")


def test_a_long_message_in_an_encoding_that_is_slow_to_decode_costs_nothing(folder):
    (sha,) = history(folder, commit(b"-" + b"a" * 4_000_000, encoding="punycode"))
    with open_repository(folder).objects() as objects:
        assert objects.commit(sha).message is None


def test_an_object_that_is_not_there_is_told(folder):
    history(folder, commit(b"0"))
    with open_repository(folder).objects() as objects:
        assert objects.size(ELSEWHERE) is None
        assert objects.content(ELSEWHERE) is None
        assert objects.commit(ELSEWHERE) is None
        with pytest.raises(ValueError, match="is a blob; give the id of a commit"):
            objects.commit(git(folder, "hash-object", "-w", "--stdin").decode().strip())


def test_many_sizes_are_asked_for_at_once(folder):
    (sha,) = history(folder, commit(b"0", *(put(f"{n:03}", b"x" * n) for n in range(100))))
    repository = open_repository(folder)
    ids = [one.object_id for one in repository.files(sha)]
    with repository.objects() as objects:
        asked = [*ids[:50], ELSEWHERE, *ids[50:]]
        assert objects.sizes(asked) == [*range(50), None, *range(50, 100)]


def test_a_process_that_was_killed_is_an_error_and_the_next_one_answers(folder):
    history(folder, commit(b"0"))
    with open_repository(folder).objects() as objects:
        objects.size(ELSEWHERE)
        objects._running["--batch-check"].process.kill()
        objects._running["--batch-check"].process.wait()
        with pytest.raises(ChildProcessError, match="`git cat-file` was ended by signal 9"):
            objects.size(ELSEWHERE)
        assert objects.size(ELSEWHERE) is None


def test_an_object_damaged_in_a_pack_is_dropped_and_those_around_it_are_read(folder):
    noise = os.urandom(1 << 17)
    (sha,) = history(folder, commit(b"0", put("a.py", b"a"), put("b.py", noise), put("c.py", b"c")))
    git(folder, "repack", "-adq")
    (pack,) = (folder / ".git" / "objects" / "pack").glob("*.pack")
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 255
    pack.write_bytes(data)
    assert contents(folder, sha) == {"a.py": b"a", "b.py": DAMAGED, "c.py": b"c"}


@pytest.mark.parametrize("how", ["missing", "garbage", "cut off", "empty"])
def test_a_file_whose_object_is_missing_or_damaged_is_dropped(folder, how):
    noise = os.urandom(1 << 17)
    first, second = loose(
        folder,
        commit(b"0", put("a.py", noise), put("b.py", b"b")),
        commit(b"1", put("a.py", noise + b"more"), put("b.py", b"c")),
    )
    file = object_file(folder, "HEAD:a.py")
    if how == "missing":
        file.unlink()
    else:
        whole = file.read_bytes()
        ends = {"garbage": b"garbage", "cut off": whole[: len(whole) // 2], "empty": b""}
        file.write_bytes(ends[how])
    assert contents(folder, second) == {"a.py": DAMAGED, "b.py": b"c"}
    found = dict(outcomes(folder, [first, second]))
    assert found["b.py"] == "read"
    assert found["a.py"] == DAMAGED


def test_a_commit_whose_folder_is_missing_is_dropped_and_the_others_are_read(folder):
    shas = loose(
        folder,
        *(
            commit(b"%d" % n, put("d/a.py", b"%d\n" % n), put("b.py", b"%d\n" % n))
            for n in range(5)
        ),
    )
    object_file(folder, f"{shas[2]}:d").unlink()
    assert outcomes(folder, shas) == [
        ("", "first commit: nothing stands before it"),
        ("b.py", "read"),
        ("d/a.py", "read"),
        ("", DAMAGED),
        ("", DAMAGED),
        ("b.py", "read"),
        ("d/a.py", "read"),
    ]
    with pytest.raises(ValueError, match=r"`git ls-tree` failed: .*; see what `git fsck` says"):
        list(open_repository(folder).files(shas[2]))


def test_a_rename_whose_content_is_missing_is_told_as_deleted_and_added(folder):
    shas = loose(
        folder,
        commit(b"0", put("a.py", LINES), put("b.py", b"0\n")),
        commit(b"1", put("b.py", b"1\n")),
        commit(b"2", renamed("a.py", "z.py"), put("z.py", LINES + b"more\n"), put("b.py", b"2\n")),
        commit(b"3", put("b.py", b"3\n")),
    )
    object_file(folder, "HEAD:z.py").unlink()
    assert outcomes(folder, shas[1:]) == [
        ("b.py", "read"),
        ("a.py", "nothing stands in the file after the commit"),
        ("b.py", "read"),
        ("z.py", "nothing stands in the file before the commit"),
        ("b.py", "read"),
    ]


@pytest.fixture
def origin(folder):
    """A repository that can be cloned in part, and the ids of its commits."""
    shas = history(
        folder,
        commit(b"0", put("a.py", LINES), put("d/b.py", b"0\n")),
        commit(b"1", put("a.py", LINES + b"1\n")),
        commit(b"2", renamed("a.py", "z.py"), put("z.py", b"2\n" + LINES)),
        commit(b"3", put("d/b.py", b"3\n")),
        commit(b"4", put("d/b.py", b"4\n"), put("z.py", LINES)),
        commit(b"5", gone("d/b.py")),
    )
    git(folder, "config", "uploadpack.allowFilter", "true")
    return folder, shas


def clone(origin, *options):
    folder, shas = origin
    target = folder.parent / "clone"
    git(folder, "clone", "--quiet", *options, folder.as_uri(), str(target))
    return target, shas


@pytest.mark.parametrize("kind", [(), ("--bare",)])
def test_of_a_clone_without_contents_what_is_there_is_read_and_the_rest_is_named(origin, kind):
    folder, shas = clone(origin, "--filter=blob:none", *kind)
    assert open_repository(folder).resolve("HEAD") == shas[-1]
    assert contents(folder, shas[-1]) == {"z.py": NOT_CLONED if kind else LINES}
    assert contents(folder, shas[0]) == {
        "a.py": NOT_CLONED if kind else LINES,
        "d/b.py": NOT_CLONED,
    }
    assert Counter(outcomes(folder, shas)) == {
        ("", "first commit: nothing stands before it"): 1,
        ("a.py", NOT_CLONED): 1,
        ("a.py", "nothing stands in the file after the commit"): 1,
        ("z.py", "nothing stands in the file before the commit"): 1,
        ("d/b.py", NOT_CLONED): 2,
        ("z.py", NOT_CLONED): 1,
        ("d/b.py", "nothing stands in the file after the commit"): 1,
    }


def test_a_commit_whose_contents_were_fetched_is_read_from_a_partial_clone(origin):
    folder, shas = clone(origin, "--filter=blob:none", "--no-checkout")
    git(folder, "checkout", "--quiet", shas[3])
    git(folder, "checkout", "--quiet", shas[4])
    assert outcomes(folder, shas[4:5]) == [("d/b.py", "read"), ("z.py", "read")]


def test_a_clone_without_folders_says_what_brings_them(origin):
    folder, shas = clone(origin, "--filter=tree:0", "--bare")
    repository = open_repository(folder)
    with pytest.raises(ValueError, match=r"clone: folders of .* are not in this partial clone; `"):
        list(repository.files(shas[0]))
    assert outcomes(folder, shas[1:]) == [("", NOT_CLONED)] * 5
    git(folder, "fetch", "--quiet", "--refetch", "--filter=blob:none")
    assert [one.path for one in repository.files(shas[0])] == ["a.py", "d/b.py"]
