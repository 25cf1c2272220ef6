"""A repository as one text in StarCoder2's layout, and back."""

import pytest

from data_formats.document import rendered
from data_formats.repository import RepositoryFile, repository_documents, repository_files

FILES = [
    RepositoryFile("a.py", "import b\n", "python"),
    RepositoryFile("b/c.h", "#define X\r\n", "c"),
    RepositoryFile("empty.py", "", "python"),
]


def only(files=FILES, **options):
    (document,) = repository_documents(files, repo="ann/lib", **options)
    return document


def test_the_layout_is_name_then_every_file_behind_its_path():
    assert rendered(only()) == (
        "<repo_name>ann/lib<file_sep>a.py\nimport b\n"
        "<file_sep>b/c.h\n#define X\r\n<file_sep>empty.py\n"
    )


def test_without_names_the_code_stands_alone():
    document = only(names=False)
    assert rendered(document) == "<file_sep>import b\n<file_sep>#define X\r\n<file_sep>"
    assert document.bodies == ((0, 9), (9, 20), (20, 20))
    assert repository_files(document) == [("", file.text) for file in FILES]


def test_bodies_are_the_code_and_never_a_name():
    document = only()
    bodies = [document.text[start:end] for start, end in document.bodies]
    assert bodies == [file.text for file in FILES]
    names = "ann/lib" + "a.py\n" + "b/c.h\n" + "empty.py\n"
    assert len(document.text) == len(names) + sum(map(len, bodies))


def test_the_files_are_found_again():
    assert repository_files(only()) == [(file.path, file.text) for file in FILES]


def test_the_files_are_found_again_whatever_they_are_called_and_hold():
    odd = [
        RepositoryFile("new\nline\n.py", "\n", "python"),
        RepositoryFile("<file_sep>.py", "<file_sep>a.py\n<repo_name>", "python"),
    ]
    assert repository_files(only(odd)) == [(file.path, file.text) for file in odd]


def test_the_files_are_found_again_after_a_redaction():
    start = only().bodies[0][0]
    document = only().edited([(start + 7, start + 8, "<NAME>")])
    assert repository_files(document)[:2] == [
        ("a.py", "import <NAME>\n"),
        ("b/c.h", "#define X\r\n"),
    ]


def test_another_layout_is_refused():
    document = only()
    with pytest.raises(ValueError, match=r"ann/lib: \.: not in the layout <repo_name> <file_sep>"):
        repository_files(document.__class__(text="x", path=".", repo="ann/lib", language="c"))


def test_a_document_says_where_it_is_from():
    document = only(revision="1" * 40, licence="MIT", source=2)
    assert (document.path, document.repo, document.revision) == (".", "ann/lib", "1" * 40)
    assert (document.licence, document.source) == ("MIT", 2)


@pytest.mark.parametrize(
    ("sizes", "language"),
    [({"c": 3, "python": 4}, "python"), ({"python": 3, "c": 3}, "c"), ({"java": 0}, "java")],
)
def test_the_language_is_that_of_most_characters(sizes, language):
    files = [RepositoryFile(name, "x" * size, name) for name, size in sizes.items()]
    assert only(files).language == language


def test_a_large_repository_is_split_between_files_each_part_with_the_name():
    """ann/lib: 7; a\\n and 4: 6; so two files are 19 characters."""
    files = [RepositoryFile(name, "1234", "python") for name in "abcde"]
    parts = list(repository_documents(files, repo="ann/lib", max_characters=19))
    assert [rendered(one) for one in parts] == [
        "<repo_name>ann/lib<file_sep>a\n1234<file_sep>b\n1234",
        "<repo_name>ann/lib<file_sep>c\n1234<file_sep>d\n1234",
        "<repo_name>ann/lib<file_sep>e\n1234",
    ]
    assert [len(one.text) for one in parts] == [19, 19, 13]


def test_one_character_less_and_every_file_stands_alone():
    files = [RepositoryFile(name, "1234", "python") for name in "abc"]
    parts = repository_documents(files, repo="ann/lib", max_characters=18)
    assert [len(one.text) for one in parts] == [13, 13, 13]


def test_a_file_longer_than_a_document_stands_alone_and_whole():
    files = [RepositoryFile("b", "x" * 99, "c"), FILES[0]]
    parts = list(repository_documents(files, repo="r", max_characters=20))
    assert [[path for path, _ in repository_files(one)] for one in parts] == [
        ["b"],
        ["a.py"],
    ]
    assert repository_files(parts[0])[0][1] == "x" * 99


def test_no_files_make_no_document():
    assert list(repository_documents([], repo="r")) == []
