"""Listing the files of a source, and saying clearly why there are none."""

import os
import subprocess
import sys

import pytest

from finetune.corpus.locate import fingerprint, locate
from finetune.errors import UserError
from finetune.recipe.schema import Source


def source(path, **keys):
    return Source(format="source_code", path=str(path), **keys)


def fill(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    return root


def paths(files):
    return [one.path for one in files.files]


def test_files_are_sorted_by_relative_path(tmp_path):
    fill(tmp_path, "b.py", "a/z.py", "a/b/c.py", "a.py")
    assert paths(locate(source(tmp_path))) == ["a.py", "a/b/c.py", "a/z.py", "b.py"]


def test_the_repository_of_a_folder_is_its_name_and_the_licence_the_recipes(tmp_path):
    fill(tmp_path / "mylib", "a.py")
    files = locate(source(tmp_path / "mylib", licence="MIT"))
    assert (files.repo, files.licence) == ("mylib", "MIT")


def test_include_and_exclude_choose_by_relative_path(tmp_path):
    fill(tmp_path, "a.py", "src/b.py", "src/tests/c.py")
    chosen = locate(source(tmp_path, include=["src/**"], exclude=["**/tests/**"]))
    assert paths(chosen) == ["src/b.py"]
    assert chosen.skipped == {"not included": 1, "excluded": 1}


def test_a_language_keeps_only_its_files_and_counts_the_rest(tmp_path):
    fill(tmp_path, "a.py", "b.c", "c.h", "d.json")
    files = locate(source(tmp_path, language="cpp"))
    assert [(one.path, one.language) for one in files.files] == [("c.h", "cpp")]
    assert files.skipped == {"another language": 2, "no known language": 1}


def test_caches_and_hidden_folders_are_skipped_and_counted(tmp_path):
    fill(tmp_path, "a.py", "__pycache__/a.py", ".git/b.py", "c/.tox/d.py")
    files = locate(source(tmp_path))
    assert paths(files) == ["a.py"]
    assert files.skipped == {"__pycache__ folder": 1, "hidden folder": 2}


def test_a_hidden_root_is_read(tmp_path):
    assert paths(locate(source(fill(tmp_path / ".src", "a.py")))) == ["a.py"]


def test_links_are_skipped_and_counted_by_where_they_lead(tmp_path):
    fill(tmp_path, "out/secret.py", "root/a.py", "root/sub/b.py")
    root = tmp_path / "root"
    (root / "escape.py").symlink_to(tmp_path / "out" / "secret.py")
    (root / "escape").symlink_to(tmp_path / "out")
    (root / "sub" / "loop").symlink_to(root)
    (root / "self.py").symlink_to(root / "self.py")
    files = locate(source(root))
    assert paths(files) == ["a.py", "sub/b.py"]
    inside, outside = "symbolic link within the folder", "symbolic link out of the folder"
    assert files.skipped == {inside: 2, outside: 2}


def test_a_root_that_is_a_link_is_followed(tmp_path):
    fill(tmp_path / "real", "a.py")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert paths(locate(source(tmp_path / "link"))) == ["a.py"]


def test_a_pipe_is_not_opened(tmp_path):
    fill(tmp_path, "a.py")
    os.mkfifo(tmp_path / "pipe.py")
    files = locate(source(tmp_path))
    assert (paths(files), files.skipped) == (["a.py"], {"not a regular file": 1})


@pytest.mark.skipif(sys.platform == "darwin", reason="the file system refuses such names")
def test_a_file_name_that_is_not_utf8_is_written_escaped(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.py")).write_text("x = 1\n")
    assert paths(locate(source(tmp_path))) == ["caf\\xe9.py"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"path": "{root}/missing"}, "no such folder"),
        ({"path": "{root}/a.py"}, r"is a file; give its folder .*include: \['a.py'\]"),
        ({"path": "{root}/empty"}, "the folder is empty"),
        ({"language": "pyton"}, "unknown language `pyton`; did you mean `python`"),
        ({"language": "C++"}, "did you mean `cpp`"),
        ({"language": "rs"}, "did you mean `rust`"),
        ({"language": "qqqq"}, "known here: ada, "),
        ({"language": "go"}, "`language: go` matches none; recognised here: python, c"),
        (
            {"include": ["*.java"]},
            "not included: 2, folder that no pattern includes: 2.*widen `include`",
        ),
        ({"exclude": ["**"]}, "excluded: 3"),
        ({"exclude": ["sub"]}, r"`sub` is a folder.*write `sub/\*\*`"),
    ],
)
def test_what_cannot_be_read_is_one_clear_sentence(tmp_path, keys, message):
    fill(tmp_path, "a.py", "b.c", "sub/c.py")
    (tmp_path / "empty").mkdir()
    keys = {"path": "{root}", **keys}
    keys["path"] = keys["path"].format(root=tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        locate(source(**keys))
    assert "\n" not in str(caught.value)
    assert "path: " in str(caught.value)


def test_nothing_is_opened_in_listing(tmp_path):
    fill(tmp_path, "a.py")
    (tmp_path / "a.py").chmod(0)
    assert paths(locate(source(tmp_path))) == ["a.py"]


def test_the_fingerprint_is_the_same_for_the_same_files(tmp_path):
    fill(tmp_path, "a.py", "b.py")
    assert fingerprint(locate(source(tmp_path))) == fingerprint(locate(source(tmp_path)))


def _append(root):
    (root / "a.py").write_text("# longer than before\n")


def _touch(root):
    os.utime(root / "a.py", ns=(1, 1))


def _add(root):
    fill(root, "c.py")


def _rename(root):
    (root / "b.py").rename(root / "bb.py")


def _remove(root):
    (root / "b.py").unlink()


@pytest.mark.parametrize("change", [_append, _touch, _add, _rename, _remove])
def test_the_fingerprint_changes_with_any_file(tmp_path, change):
    fill(tmp_path, "a.py", "b.py")
    before = fingerprint(locate(source(tmp_path)))
    change(tmp_path)
    assert fingerprint(locate(source(tmp_path))) != before


def test_listing_imports_nothing_heavy(tmp_path):
    fill(tmp_path, "a.py")
    code = (
        "import sys; from finetune.corpus.locate import locate; "
        "from finetune.recipe.schema import Source; "
        "locate(Source(format='source_code', path=sys.argv[1])); "
        "print(sorted({'torch', 'transformers', 'pyarrow', 'numpy', 'datasets'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
