"""Installed packages are found by their metadata and never imported."""

import importlib
import json
import sys
from email.message import Message
from types import SimpleNamespace

import pytest

from finetune.corpus.locate import locate
from finetune.corpus.packages import licence_of
from finetune.errors import UserError
from finetune.recipe.schema import Source


def package(name, **keys):
    return Source(format="source_code", package=name, **keys)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty folder that Python installs packages in."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def install(site, distribution, files, metadata="License-Expression: MIT\n", **extra):
    """Files that fail when they are imported, with the metadata of their distribution."""
    for name in files:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("raise SystemExit('imported')\n")
    info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.4\nName: {distribution}\nVersion: 1.0\n"
    (info / "METADATA").write_text(head + metadata)
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files))
    for name, text in extra.items():
        (info / f"{name}.json").write_text(text)
    importlib.invalidate_caches()


def test_a_package_is_listed_without_being_imported(site):
    install(site, "quux", ["quux/__init__.py", "quux/sub/a.py"])
    files = locate(package("quux"))
    assert [one.path for one in files.files] == ["__init__.py", "sub/a.py"]
    assert (files.root, files.repo, files.licence) == (site / "quux", "quux", "MIT")
    assert "quux" not in sys.modules


def test_a_single_module_is_that_file_alone(site):
    install(site, "quux", ["quux.py"])
    (site / "other.py").write_text("")
    assert [one.file for one in locate(package("quux")).files] == [site / "quux.py"]
    assert "quux" not in sys.modules


def test_the_repository_is_the_distribution_even_under_another_name(site):
    install(site, "aaa-other", ["bar/__init__.py"])
    install(site, "Py-Quux", ["quux/__init__.py"], "License-Expression: ISC\n")
    files = locate(package("quux"))
    assert (files.repo, files.licence) == ("Py-Quux", "ISC")


def test_a_folder_that_hides_an_installed_package_does_not_get_its_licence(
    site, tmp_path, monkeypatch
):
    install(site, "quux", ["quux/__init__.py"])
    (tmp_path / "here" / "quux").mkdir(parents=True)
    (tmp_path / "here" / "quux" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "here"))
    files = locate(package("quux"))
    assert (files.root, files.licence) == (tmp_path / "here" / "quux", None)


def test_a_project_installed_in_place_is_found_through_its_url(site, tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "quux").mkdir(parents=True)
    (project / "quux" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(project))
    url = json.dumps({"url": project.as_uri(), "dir_info": {"editable": True}})
    install(site, "my-quux", [], direct_url=url)
    files = locate(package("quux"))
    assert (files.repo, files.licence) == ("my-quux", "MIT")


def test_a_package_in_an_environment_inside_an_editable_project_is_not_the_projects(site, tmp_path):
    url = json.dumps({"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    install(site, "project", [], "License-Expression: ISC\n", direct_url=url)
    (site / "stray").mkdir()
    (site / "stray" / "__init__.py").write_text("")
    importlib.invalidate_caches()
    assert locate(package("stray")).licence is None


def test_the_recipes_licence_stands_only_where_metadata_states_none(site):
    install(site, "stated", ["stated/__init__.py"])
    install(site, "silent", ["silent/__init__.py"], "Classifier: Topic :: Software\n")
    assert locate(package("stated", licence="Apache-2.0")).licence == "MIT"
    assert locate(package("silent", licence="Apache-2.0")).licence == "Apache-2.0"


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ([("License-Expression", "MIT OR Apache-2.0"), ("License", "BSD")], "MIT OR Apache-2.0"),
        (
            [("License", "BSD-3-Clause"), ("Classifier", "License :: x :: BSD License")],
            "BSD-3-Clause",
        ),
        ([("License", "MPL-2.0 AND MIT")], "MPL-2.0 AND MIT"),
        ([("License", "Apache 2.0 License")], "Apache-2.0"),
        ([("License", "Copyright 2020, long text")], None),
        ([("Classifier", "License :: OSI Approved :: MIT License")], "MIT"),
        ([("Classifier", "License :: OSI Approved :: BSD License")], None),
        (
            [
                ("Classifier", "License :: OSI Approved :: MIT License"),
                ("Classifier", "License :: OSI Approved :: Apache Software License"),
            ],
            None,
        ),
        ([], None),
    ],
)
def test_the_licence_is_taken_from_metadata_only_where_it_is_clear(fields, licence):
    metadata = Message()
    for key, value in fields:
        metadata[key] = value
    assert licence_of(SimpleNamespace(metadata=metadata)) == licence


def test_the_standard_library_comes_without_tests_and_installed_packages():
    files = locate(package("stdlib", language="python"))
    listed = {one.path for one in files.files}
    assert {"abc.py", "json/decoder.py"} <= listed
    folders = {part for path in listed for part in path.split("/")[:-1]}
    assert not folders & {"site-packages", "dist-packages", "test", "tests", "idle_test"}
    assert files.repo == f"cpython-{sys.version_info.major}.{sys.version_info.minor}"
    assert files.licence == "PSF-2.0"


def test_a_package_of_the_standard_library_is_pythons():
    files = locate(package("json", licence="MIT"))
    assert "decoder.py" in [one.path for one in files.files]
    assert (files.repo.split("-")[0], files.licence) == ("cpython", "PSF-2.0")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package_here", "is not installed for .*; install it there, or give the folder"),
        ("pytets", "did you mean `pytest`\\? Else install it there, or give the folder"),
        ("os.path", "is not the name of a top-level package"),
        ("sys", "is built into Python and has no source files"),
        ("plainfolder", "is a folder that happens to bear the name"),
    ],
)
def test_a_package_that_cannot_be_read_is_one_clear_sentence(site, name, message):
    (site / "plainfolder").mkdir()
    importlib.invalidate_caches()
    with pytest.raises(UserError, match=message) as caught:
        locate(package(name))
    assert str(caught.value).startswith(f"package: {name}: ")
