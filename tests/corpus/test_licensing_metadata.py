"""Expressions as packages write them, and the files in which they do."""

import json

import pytest

from finetune.corpus.licensing.expressions import joined, licences_in, normalise
from finetune.corpus.licensing.metadata import is_metadata, stated_in

POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0"><licenses>
<license><name>The Apache Software License, Version 2.0</name></license>
<license><name>GPLv2</name></license></licenses></project>
"""
BOMB = '<!DOCTYPE a [<!ENTITY b "MIT">]>' + POM.replace("GPLv2", "&b;")


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("bsd-3-clause", "BSD-3-Clause"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("gpl-3.0", "GPL-3.0-only"),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("(mit and isc) or 0bsd", "(MIT AND ISC) OR 0BSD"),
        ("GPL-2.0-only WITH Classpath-exception-2.0",) * 2,
        ("LicenseRef-Acme",) * 2,
        ("MIT\n", "MIT"),
        ("BSD", None),
        ("MIT OR", None),
        ("( MIT AND", None),
        ("( )", None),
        ("MIT ( ) OR )", None),
        ("MIT WITH", None),
        ("MIT WITH LicenseRef-Commons-Clause", None),
        ("MIT WITH ISC", None),
        ("LLVM-exception", None),
        ("MIT, BSD", None),
        ("", None),
        ("Other/Proprietary License", None),
    ],
)
def test_expressions_are_brought_to_spdx_form(written, normal):
    assert normalise(written) == normal


def test_what_applies_together_keeps_its_choices_apart():
    assert joined(["MIT OR ISC", "0BSD", "MIT OR ISC"]) == "(MIT OR ISC) AND 0BSD"
    assert joined(["MIT", "LicenseRef-unrecognised"]) == "LicenseRef-unrecognised"
    assert joined([]) is None


def test_licences_in_an_expression_keep_their_exceptions():
    found = licences_in("MIT OR Apache-2.0 WITH LLVM-exception")
    assert found == {"MIT", "Apache-2.0 WITH LLVM-exception"}


@pytest.mark.parametrize(
    ("name", "content", "licence"),
    [
        ("pyproject.toml", '[project]\nlicense = "MIT"\n', "MIT"),
        ("pyproject.toml", '[project]\nlicense = {text = "Apache 2.0"}\n', "Apache-2.0"),
        ("pyproject.toml", '[project]\nlicense = {file = "LICENSE"}\n', None),
        ("pyproject.toml", '[project]\nclassifiers = ["License :: OSI Approved :: MIT License"]\n',
         "MIT"),
        ("pyproject.toml", '[tool.poetry]\nlicense = "ISC"\n', "ISC"),
        ("pyproject.toml", "[tool.ruff]\nline-length = 100\n", None),
        ("pyproject.toml", "[project\n", None),
        ("setup.cfg", "[metadata]\nlicense = BSD-3-Clause\n", "BSD-3-Clause"),
        ("setup.cfg", "[metadata]\nlicense = BSD\nclassifiers =\n"
         "    License :: OSI Approved :: BSD License\n", "LicenseRef-unrecognised"),
        ("setup.cfg", "license = MIT\n", None),
        ("setup.py", "import x\nsetuptools.setup(name='a', license='MIT')\n", "MIT"),
        ("setup.py", "setup(license=open('LICENSE').read())\n", None),
        ("setup.py", "raise SystemExit('executed')\nsetup(license='ISC')\n", "ISC"),
        ("setup.py", "print 'Python 2'\n", None),
        ("PKG-INFO", "Name: a\nLicense: Apache License 2.0\n\nLicense: GPL\n", "Apache-2.0"),
        ("METADATA", "License-Expression: MIT AND ISC\nLicense: x\n", "MIT AND ISC"),
        ("METADATA", "Name: a\n", None),
        ("package.json", json.dumps({"license": "(MIT OR GPL-3.0)"}), "MIT OR GPL-3.0-only"),
        ("package.json", json.dumps({"licenses": [{"type": "MIT"}, {"type": "ISC"}]}),
         "MIT OR ISC"),
        ("package.json", json.dumps({"license": "UNLICENSED"}), "LicenseRef-proprietary"),
        ("package.json", json.dumps({"license": "SEE LICENSE IN LICENSE.md"}), None),
        ("package.json", "[" * 100_000, None),
        ("composer.json", json.dumps({"license": ["LGPL-2.1-only", "proprietary"]}),
         "LGPL-2.1-only OR LicenseRef-proprietary"),
        ("Cargo.toml", '[package]\nlicense = "MIT/Apache-2.0"\n', "MIT OR Apache-2.0"),
        ("Cargo.toml", "[package]\nlicense.workspace = true\n", None),
        ("Cargo.toml", '[workspace.package]\nlicense = "Zlib"\n', "Zlib"),
        ("pom.xml", POM, "Apache-2.0 OR GPL-2.0-only"),
        ("pom.xml", BOMB, None),
        ("pom.xml", "<project>", None),
        ("a.gemspec", "Gem::Specification.new do |s|\n  s.license = 'MIT'\nend\n", "MIT"),
        ("a.gemspec", "  s.licenses = ['MIT', 'GPL-2.0']\n", "LicenseRef-unrecognised"),
    ],
)  # fmt: skip
def test_metadata_files_state_licences(name, content, licence):
    assert is_metadata(name)
    assert stated_in(name, content.encode()) == licence


def test_other_files_are_no_metadata():
    assert not any(map(is_metadata, ["setup.txt", "main.py", "package-lock.json"]))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.gemspec", b"\n" * 900_000),
        ("setup.cfg", b"[metadata]\nlicense=" + b"a\n" * 450_000),
        ("setup.cfg", b"[metadata]\nlicense=MIT\n" + b" a\n" * 300_000),
    ],
)
def test_a_large_file_of_no_sense_is_read(name, content):
    assert stated_in(name, content) in (None, "LicenseRef-unrecognised")


def test_a_value_of_several_lines_in_setup_cfg_is_read():
    content = b"[options]\nlicense = GPL\n[metadata]\n# c\nLicense: MIT\nclassifiers =\n  A\n  B\n"
    assert stated_in("setup.cfg", content) == "MIT"


def test_a_literal_that_cannot_be_made_states_nothing():
    assert stated_in("setup.py", b"setup(name='x', license={[]})\n") is None
