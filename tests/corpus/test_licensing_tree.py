"""The nearest folder that states a licence governs, and a file's own header comes before it."""

import json
import pickle

import pytest
from identify.vendor.licenses import LICENSES

from finetune.corpus.licensing.tree import MAX_BYTES, licence_of, licence_tree

TEXTS = dict(LICENSES)
MIT, GPL, APACHE = TEXTS["MIT"], TEXTS["GPL-3.0"], TEXTS["Apache-2.0"]
CUSTOM = "You may look at this software and do nothing else with it."


def tree_of(files, opened=None):
    """The tree of a repository that is a dict of path to text."""

    def read(path, size):
        if opened is not None:
            opened.append(path)
        return files[path].encode()[:size]

    return licence_tree(files, read)


def test_the_nearest_folder_governs():
    tree = tree_of({"LICENSE": MIT, "vendor/foo/LICENSE": GPL, "vendor/foo/src/a.c": "", "a.c": ""})
    assert tree.of("vendor/foo/src/a.c") == "GPL-3.0-only"
    assert tree.of("vendor/bar.c") == tree.of("a.c") == "MIT"
    assert tree.stated["vendor/foo"].file == "vendor/foo/LICENSE"


def test_nothing_but_licences_and_metadata_is_opened():
    opened = []
    files = {
        "LICENSE": MIT,
        "package.json": "{}",
        "a.py": "",
        "license.py": "",
        "LICENSE-3rdparty": "",
    }
    tree_of(files, opened)
    assert opened == ["LICENSE", "package.json"]


def test_a_repository_that_states_nothing_has_no_licence():
    assert tree_of({"a.py": "", "README.md": "MIT License"}).of("a.py") is None


def test_a_text_that_nobody_knows_keeps_the_folder_from_its_parents_licence():
    tree = tree_of({"LICENSE": MIT, "vendor/LICENSE.txt": CUSTOM})
    assert tree.of("vendor/a.c") == "LicenseRef-unrecognised"


@pytest.mark.parametrize(
    ("files", "licence"),
    [
        ({"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE}, "Apache-2.0 OR MIT"),
        ({"LICENSE.MIT": MIT, "LICENSE.APACHE2": CUSTOM}, "LicenseRef-unrecognised"),
        ({"LICENSE": "Under either of LICENSE.MIT and LICENSE.APACHE, as you wish.",
          "LICENSE.MIT": MIT, "LICENSE.APACHE": APACHE,
          "Cargo.toml": '[package]\nlicense = "MIT OR Apache-2.0"'}, "Apache-2.0 OR MIT"),
        ({"LICENSE": "Under both, always.", "LICENSE.MIT": MIT, "LICENSE.APACHE": APACHE},
         "LicenseRef-unrecognised"),
        ({"LICENSE": MIT, "COPYING": GPL}, "GPL-3.0-only AND MIT"),
        ({"COPYING": GPL, "COPYING.LESSER": TEXTS["LGPL-3.0"]}, "LGPL-3.0-only"),
        ({"LICENSE.md": MIT}, "MIT"),
        ({"UNLICENSE": TEXTS["Unlicense"]}, "Unlicense"),
        ({"MIT-LICENSE.txt": MIT}, "MIT"),
        ({"LICENSES/MIT.txt": MIT}, "MIT"),
        ({"LICENSES/MIT.txt": MIT, "LICENSES/GPL-3.0-only.txt": GPL}, None),
        ({"LICENSE": MIT + "\n" * MAX_BYTES}, "LicenseRef-unrecognised"),
    ],
)  # fmt: skip
def test_licence_files_side_by_side(files, licence):
    assert tree_of(files).of("src/a.c") == licence


@pytest.mark.parametrize(
    ("text", "metadata", "licence"),
    [
        (MIT, "MIT", "MIT"),
        (MIT, "Custom", "MIT"),
        (MIT, "MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        (f"{MIT}\n{TEXTS['ISC']}", "MIT", "MIT AND ISC"),
        (GPL, "GPL-3.0-or-later", "GPL-3.0-or-later"),
        (GPL, "MIT", "LicenseRef-contradictory"),
        (CUSTOM, "MIT", "LicenseRef-unrecognised"),
        (None, "MIT", "MIT"),
    ],
)
def test_a_licence_file_and_metadata_must_not_contradict_each_other(text, metadata, licence):
    files = {"package.json": f'{{"license": "{metadata}"}}'}
    files |= {"LICENSE": text} if text else {}
    assert tree_of(files).of("a.js") == licence


def test_an_installed_packages_metadata_speaks_for_the_folder_beside_it():
    info = {"a-1.dist-info/METADATA": "License-Expression: MIT\n", "a/x.py": ""}
    info["a-1.dist-info/licenses/LICENSE"] = MIT
    assert tree_of(info).of("a/x.py") == "MIT"
    info["b-1.dist-info/METADATA"] = "License-Expression: ISC\n"
    assert tree_of(info).of("a/x.py") is None


def test_reuse_annotations_come_before_folders_and_the_last_one_counts():
    toml = """
    version = 1
    [[annotations]]
    path = ["docs/**", "a.c"]
    SPDX-License-Identifier = "CC0-1.0"
    [[annotations]]
    path = "docs/*.c"
    SPDX-License-Identifier = ["MIT", "ISC"]
    """
    tree = tree_of({"LICENSE": GPL, "REUSE.toml": toml})
    assert tree.of("docs/x/y.c") == tree.of("a.c") == "CC0-1.0"
    assert tree.of("docs/y.c") == "MIT AND ISC"
    assert tree.of("b.c") == "GPL-3.0-only"


def test_stars_of_dep5_span_folders():
    dep5 = (
        "Format: x\n\nFiles: *\nCopyright: me\nLicense: MIT\n\nFiles: a/*.c\n b.c\nLicense: ISC\n"
    )
    tree = tree_of({".reuse/dep5": dep5})
    assert tree.of("x/y.py") == "MIT"
    assert tree.of("a/b/c.c") == tree.of("b.c") == "ISC"


def test_an_unreadable_licence_file_is_not_recognised():
    def read(path, size):
        raise PermissionError(path)

    assert licence_tree(["LICENSE"], read).of("a.c") == "LicenseRef-unrecognised"


def test_a_header_comes_before_folders_and_folders_before_the_recipe():
    tree = tree_of({"a/LICENSE": MIT})
    gpl = "// SPDX-License-Identifier: GPL-3.0-only\n"
    assert licence_of(gpl, "a/x.c", tree, "ISC") == "GPL-3.0-only"
    assert licence_of("int x;", "a/x.c", tree, "ISC") == "MIT"
    assert licence_of("int x;", "x.c", tree, "ISC") == "ISC"
    assert licence_of("int x;", "x.c", tree, None) is None


def test_the_recipe_speaks_where_the_root_is_unclear_and_not_for_folders_below():
    tree = tree_of({"LICENSE": CUSTOM, "vendor/LICENSE": CUSTOM})
    assert licence_of("", "a.c", tree, "LicenseRef-Acme") == "LicenseRef-Acme"
    assert licence_of("", "a.c", tree, None) == "LicenseRef-unrecognised"
    assert licence_of("", "vendor/a.c", tree, "MIT") == "LicenseRef-unrecognised"


def test_a_tree_travels_to_other_processes():
    tree = tree_of({"LICENSE": MIT, "REUSE.toml": ""})
    assert pickle.loads(pickle.dumps(tree)) == tree


def annotations(*patterns):
    made = 'version = 1\n[[annotations]]\nSPDX-License-Identifier = "ISC"\npath = {}\n'
    return made.format(json.dumps(list(patterns)))


def test_a_pattern_with_a_range_that_is_none_ends_nothing():
    tree = tree_of({"LICENSE": MIT, "REUSE.toml": annotations("[z-a].py", "b.py")})
    assert (tree.of("a.py"), tree.of("b.py")) == ("MIT", "ISC")


@pytest.mark.parametrize("text", ["a=" + "[" * 5000, "a=" + "9" * 5000])
def test_annotations_that_cannot_be_parsed_state_nothing(text):
    assert tree_of({"LICENSE": MIT, "REUSE.toml": text}).of("a.py") == "MIT"


def test_more_patterns_than_can_be_tried_leave_nothing_recognised():
    many = annotations(*(f"f{number}.py" for number in range(2001)))
    assert tree_of({"LICENSE": MIT, "REUSE.toml": many}).of("a.py") == "LicenseRef-unrecognised"
