"""Languages by name, and files read as they stand."""

from collections import Counter

import pytest

from data_formats.document import Document, rendered
from data_formats.source_code import (
    LANGUAGES,
    decode_source,
    language_of,
    languages_of,
    read_source_file,
    with_header,
    without_header,
)


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("pkg/a.py", "python"),
        ("a.pyi", "python"),
        ("a.c", "c"),
        ("a.cc", "cpp"),
        ("a.hpp", "cpp"),
        ("a.cs", "csharp"),
        ("a.fs", "fsharp"),
        ("a.mjs", "javascript"),
        ("a.jsx", "javascript"),
        ("a.ts", "typescript"),
        ("a.tsx", "typescript"),
        ("A.java", "java"),
        ("a.go", "go"),
        ("a.rs", "rust"),
        ("a.mm", "objective-cpp"),
        ("a.zsh", "shell"),
        ("a.R", "r"),
        ("a.adb", "ada"),
        ("Dockerfile", "dockerfile"),
        ("docker/Dockerfile.release", "dockerfile"),
        ("CMakeLists.txt", "cmake"),
    ],
)
def test_the_language_is_told_by_the_name(path, language):
    assert language_of(path) == language


@pytest.mark.parametrize(
    "path", ["a.json", "a.yaml", "a.csv", "LICENSE", "a.png", "a.so", "noname"]
)
def test_data_prose_and_binaries_have_no_language(path):
    assert languages_of(path) == ()


def test_a_header_may_be_c_or_cpp():
    assert languages_of("list.h") == ("c", "cpp")


@pytest.mark.parametrize(
    ("wanted", "language"), [(None, "c"), ("c", "c"), ("cpp", "cpp"), ("python", "c")]
)
def test_a_header_counts_as_the_wanted_language_or_else_as_c(wanted, language):
    assert language_of("list.h", wanted) == language


def test_a_matlab_file_is_found_only_where_matlab_is_wanted():
    assert (language_of("a.m"), language_of("a.m", "matlab")) == ("objective-c", "matlab")


def test_the_suffix_outranks_a_special_name_before_it():
    assert languages_of("BUILD.py") == ("python",)


def test_every_language_name_is_lower_case_without_odd_characters():
    assert all(name == name.lower() and "+" not in name and "#" not in name for name in LANGUAGES)


def test_newlines_and_byte_order_mark_are_kept():
    assert decode_source(b"\xef\xbb\xbfa\r\nb\rc\n") == "\ufeffa\r\nb\rc\n"


def test_reading_gives_the_text_and_where_it_is_from(tmp_path):
    (tmp_path / "x.py").write_bytes(b"n = 1\r\n")
    document = read_source_file(
        tmp_path / "x.py", path="p/x.py", repo="r", language="python", licence="MIT", source=2
    )
    assert (document.text, document.path, document.repo) == ("n = 1\r\n", "p/x.py", "r")
    assert (document.language, document.licence, document.source) == ("python", "MIT", 2)


def test_reading_what_is_not_utf8_is_an_error(tmp_path):
    (tmp_path / "x.py").write_bytes(b"# caf\xe9\n")
    with pytest.raises(UnicodeDecodeError):
        read_source_file(tmp_path / "x.py", path="x.py", repo="r", language="python")


def header_of(share, **keys):
    one = Document(
        **{"text": "x = 1\n", "path": "a/b.py", "repo": "me/r", "stars": 10, **keys},
        language="python",
    )
    return with_header(one, share)


def test_a_header_holds_repository_path_and_stars_before_the_code():
    one = header_of(1.0)
    assert rendered(one) == "<reponame>me/r<filename>a/b.py<gh_stars>1-10\nx = 1\n"
    assert one.text[slice(*one.bodies[0])] == without_header(one) == "x = 1\n"


def test_without_a_field_there_is_no_newline():
    assert header_of(0.0).text == "x = 1\n"
    assert header_of(0.0).marks == ()


def test_unknown_stars_are_left_out():
    assert rendered(header_of(1.0, stars=None)) == "<reponame>me/r<filename>a/b.py\nx = 1\n"


@pytest.mark.parametrize(
    ("stars", "bucket"),
    [(0, "0"), (1, "1-10"), (10, "1-10"), (11, "10-100"), (1000, "100-1000"), (1001, "1000+")],
)
def test_stars_are_given_in_buckets(stars, bucket):
    assert f"<gh_stars>{bucket}\n" in rendered(header_of(1.0, stars=stars))


def test_each_field_is_drawn_on_its_own_and_the_same_every_time():
    drawn = [header_of(0.2, path=f"{number}.py") for number in range(2000)]
    counts = Counter(mark.token for one in drawn for mark in one.marks)
    assert all(320 < counts[token] < 480 for token in ("<reponame>", "<filename>", "<gh_stars>"))
    both = sum({"<reponame>", "<filename>"} <= {mark.token for mark in one.marks} for one in drawn)
    assert 50 < both < 115
    assert header_of(0.2, path="7.py") == drawn[7]
