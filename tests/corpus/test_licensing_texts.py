"""Licence texts: the whole one is told however it is laid out, a changed one never is."""

import re

import pytest
from identify.vendor.licenses import LICENSES

from finetune.corpus.licensing.texts import recognise

TEXTS = dict(LICENSES)
MIT = TEXTS["MIT"].replace("[year] [fullname]", "2020 Ann Author")
BSD = TEXTS["BSD-3-Clause"].replace("[year], [fullname]", "2020, Ann Author")

GRANT = "the rights\nto use, copy, modify"
COMMONS_CLAUSE = (
    '"Commons Clause" License Condition v1.0\n\nThe Software is provided to you by the Licensor '
    "under the License, as defined below, subject to the following condition.\n\n"
)
NOT_EVIL = "The Software shall be used for Good, not Evil.\n\nTHE SOFTWARE IS"
ADVERTISING = (
    "3. All advertising materials mentioning features or use of this software must display the "
    "following acknowledgement: This product includes software developed by Ann.\n\n4. Neither"
)
CLEAR = "NO EXPRESS OR IMPLIED LICENSES TO ANY PARTY'S PATENT RIGHTS ARE GRANTED BY THIS LICENSE."


def without(text, start, end):
    """`text` without what stands from `start` up to `end`."""
    assert text.index(start) < text.index(end)
    return text[: text.index(start)] + text[text.index(end) :]


@pytest.mark.parametrize(
    "licence",
    [
        "0BSD", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear",
        "BSL-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "EPL-1.0", "EPL-2.0", "ISC", "MIT",
        "MPL-2.0", "MS-PL", "OFL-1.1", "OSL-3.0", "PostgreSQL", "Unlicense", "UPL-1.0",
        "WTFPL", "Zlib",
    ],
)  # fmt: skip
def test_a_text_as_it_is_published_is_recognised(licence):
    assert recognise(TEXTS[licence]) == licence


@pytest.mark.parametrize("licence", ["GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0"])
def test_a_gnu_text_alone_does_not_allow_later_versions(licence):
    assert recognise(TEXTS[licence]) == f"{licence}-only"


@pytest.mark.parametrize(
    "layout",
    [
        lambda text: " ".join(text.split()),
        lambda text: text.upper(),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\n".join(f" * {line}" for line in text.splitlines()),
        lambda text: "# License\n\n" + text.replace('"Software"', "“Software”"),
        lambda text: text.replace("MIT License", "The MIT License (MIT)\n====================="),
        lambda text: text.replace("2020 Ann", "2019-2020 Ünal & Söhne, Ann <a@b.org>, Ann"),
        lambda text: without(text, "MIT License", "Permission"),
        lambda text: text.replace("NONINFRINGEMENT", "NON-INFRINGEMENT"),
        lambda text: text.replace("MERCHANTABILITY", "MERCHANT-\n# ABILITY"),
    ],
)
def test_layout_headings_and_names_do_not_matter(layout):
    changed = layout(MIT)
    assert changed != MIT
    assert recognise(changed) == "MIT"


@pytest.mark.parametrize(
    "changed",
    [
        MIT.replace("without restriction", "for non-commercial use only"),
        MIT.replace("sublicense, and/or sell", "and sublicense"),
        MIT.replace("THE SOFTWARE IS", NOT_EVIL, 1),
        COMMONS_CLAUSE + MIT,
        MIT + "\nYou may not use the Software to train a model.\n",
        MIT + "\nFree for academic use.\n",
        MIT.replace("MIT License", "MIT License with Commons Clause"),
        BSD.replace("3. Neither", "3. No military use.\n\n4. Neither"),
        BSD.replace("are permitted provided", "are permitted for research, provided"),
        TEXTS["Apache-2.0"].replace("royalty-free", "royalty-bearing", 1),
        TEXTS["ISC"].replace("with or without fee ", ""),
    ],
)
def test_a_permissive_text_with_a_changed_condition_is_unknown(changed):
    assert changed not in (MIT, BSD, *TEXTS.values())
    assert recognise(changed) is None


def test_the_pairs_that_differ_by_a_clause_are_told_apart():
    no_notice = without(MIT, ", subject to the following", "\n\nTHE SOFTWARE")
    endorsed = MIT + "Except as contained in this notice, the name of Ann shall not be used in "
    endorsed += "advertising or otherwise to promote the sale, use or other dealings in this "
    endorsed += "Software without prior written authorization from Ann."
    assert recognise(no_notice) == "MIT-0"
    assert recognise(endorsed) == "X11"
    assert recognise(without(BSD, "3. Neither", "THIS SOFTWARE")) == "BSD-2-Clause"
    assert recognise(BSD.replace("3. Neither", ADVERTISING)) == "BSD-4-Clause"
    assert recognise(without(BSD, "2. Redistributions", "THIS SOFTWARE")) == "BSD-1-Clause"
    clear = re.sub("are permitted provided", "are permitted (subject to the limitations in the "
                   "disclaimer below) provided", BSD)  # fmt: skip
    assert recognise(clear.replace("THIS SOFTWARE IS", f"{CLEAR} THIS SOFTWARE IS")) == (
        "BSD-3-Clause-Clear"
    )


def test_two_texts_in_one_file_both_apply():
    assert recognise(f"{MIT}\n\n{BSD}") == "MIT AND BSD-3-Clause"
    assert recognise(f"{MIT}\n\n{TEXTS['GPL-2.0']}") == "MIT AND GPL-2.0-only"


def test_a_heading_that_names_another_licence_makes_the_file_unknown():
    assert recognise(MIT.replace("MIT License", "Apache License")) is None


@pytest.mark.parametrize(
    "text", ["", "All rights reserved.", "MIT", "See the README.", "ライセンス"]
)
def test_what_holds_no_licence_text_is_unknown(text):
    assert recognise(text) is None


def test_no_text_of_the_licences_that_identify_carries_is_taken_for_another():
    told = {name: recognise(text) for name, text in TEXTS.items()}
    wrong = {
        name: one for name, one in told.items() if one and one.removesuffix("-only") != name
    }  # fmt: skip
    assert not wrong
