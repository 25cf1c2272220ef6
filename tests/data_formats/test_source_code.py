"""Languages by name, and files read as they stand."""

import doctest
from pathlib import Path

import pytest

import data_formats
from data_formats.source_code import (
    LANGUAGES,
    decode_source,
    language_of,
    languages_of,
    read_source_file,
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


def test_the_readme_example_runs(tmp_path, monkeypatch):
    (tmp_path / "shapes").mkdir()
    source = "def area(side):\n    return side * side\n"
    (tmp_path / "shapes" / "square.py").write_text(source)
    readme = Path(data_formats.__file__).with_name("README.md").read_text()
    assert source in readme
    monkeypatch.chdir(tmp_path)
    text = readme.replace("\n```\n", "\n\n")  # a fence would count as output
    example = doctest.DocTestParser().get_doctest(text, {}, "README", None, 0)
    assert doctest.DocTestRunner().run(example) == (0, 7)
