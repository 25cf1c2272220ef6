"""What a file's head states: identifiers, notices, whole texts; and what states nothing."""

import pytest

from finetune.corpus.licensing.headers import head_comment, header_licence

GPL = """\
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU {kind}General Public License as published by
 * the Free Software Foundation; {version}.
"""
APACHE = """\
# Copyright 2020 Ann Author
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
import os
"""
ISC = """\
// Copyright (c) 2020 Ann Author
//
// Permission to use, copy, modify, and/or distribute this software for any
// purpose with or without fee is hereby granted, provided that the above
// copyright notice and this permission notice appear in all copies.
//
// THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES
// WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
// MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY
// SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
// WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION
// OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN
// CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
package main
"""


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        ("/* SPDX-License-Identifier: MIT */\n", "MIT"),
        ("// SPDX-License-Identifier: GPL-2.0+\n", "GPL-2.0-or-later"),
        ("# SPDX-License-Identifier: mit or apache-2.0\n", "MIT OR Apache-2.0"),
        ("<!-- SPDX-License-Identifier: CC0-1.0 -->\n", "CC0-1.0"),
        ("-- SPDX-License-Identifier: BSD-3-Clause\n", "BSD-3-Clause"),
        ("# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: ISC\n", "MIT AND ISC"),
        ("#!/bin/sh\n# SPDX-License-Identifier: 0BSD\n", "0BSD"),
        ('"""Doc.\n\nSPDX-License-Identifier: ISC\n"""\n', "ISC"),
        ("# SPDX-License-Identifier: LicenseRef-Acme\n", "LicenseRef-Acme"),
        ("# SPDX-License-Identifier: something else\n", "LicenseRef-unrecognised"),
        ("# SPDX-License-Identifier:\n", "LicenseRef-unrecognised"),
    ],
)
def test_an_identifier_decides(head, licence):
    assert header_licence(head + "x = 1\n") == licence


@pytest.mark.parametrize(
    ("kind", "version", "licence"),
    [
        ("", "either version 2 of the License, or (at your option) any later version",
         "GPL-2.0-or-later"),
        ("", "version 2 of the License", "GPL-2.0-only"),
        ("", "version 3", "GPL-3.0-only"),
        ("Lesser ", "either version 2.1, or (at your option) any later version",
         "LGPL-2.1-or-later"),
        ("Affero ", "either version 3 of the License, or any later version", "AGPL-3.0-or-later"),
        ("", "no version is named", "GPL-1.0-or-later"),
    ],
)  # fmt: skip
def test_a_gnu_notice_says_whether_later_versions_will_do(kind, version, licence):
    head = "/*\n" + GPL.format(kind=kind, version=version) + " */\nint x;\n"
    assert header_licence(head) == licence


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        (APACHE, "Apache-2.0"),
        (ISC, "ISC"),
        ("// Part of the LLVM Project, under the Apache License v2.0 with LLVM Exceptions.\n",
         "Apache-2.0 WITH LLVM-exception"),
        ("/* This Source Code Form is subject to the terms of the Mozilla Public\n"
         " * License, v. 2.0. */\n", "MPL-2.0"),
        ("# Distributed under the terms of the Modified BSD License.\n", "BSD-3-Clause"),
        ("// Licensed under the MIT license.\n", "MIT"),
        ("/**\n * @license MIT\n */\n", "MIT"),
        ("// Distributed under the Boost Software License, Version 1.0.\n", "BSL-1.0"),
        ("# Text from https://creativecommons.org/licenses/by-nc/4.0/\n", "CC-BY-NC-4.0"),
        ('"""Tools."""\n__license__ = "Apache 2.0"\n', "Apache-2.0"),
        ("# MIT licensed.\n# Released under the LGPL.\n", "LGPL-2.0-or-later"),
    ],
)  # fmt: skip
def test_a_well_known_notice_is_understood(head, licence):
    assert header_licence(head) == licence


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        ("# Copyright Acme. Proprietary and confidential.\n", "LicenseRef-proprietary"),
        ("// Unauthorized copying of this file, via any medium, is strictly prohibited.\n",
         "LicenseRef-proprietary"),
        ("# Licensed under the Acme Internal License.\n", "LicenseRef-unrecognised"),
        ("# Free for academic use only.\n", "LicenseRef-unrecognised"),
        ('__license__ = "Acme"\n', "LicenseRef-unrecognised"),
        ("# Licensed under the MIT License, not for commercial products.\n",
         "LicenseRef-unrecognised"),
        (ISC.replace("any\n// purpose", "any\n// peaceful purpose"), "LicenseRef-unrecognised"),
        ("# Redistribution and use in source form need our consent.\n", "LicenseRef-unrecognised"),
    ],
)  # fmt: skip
def test_a_statement_that_nobody_knows_does_not_leave_the_file_to_its_repository(head, licence):
    assert header_licence(head + "x = 1\n") == licence


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1\n",
        "# Copyright 2020 Ann Author. All rights reserved.\n",
        "// Use of this source code is governed by a BSD-style\n"
        "// license that can be found in the LICENSE file.\n",
        "# This file is licensed under the terms in the LICENSE file.\n",
        "# Distributed under the same license as the project.\n",
        "# Licensed under the BSD License, see LICENSE for details.\n",
        'HEADER = """\n# SPDX-License-Identifier: GPL-3.0-only\n"""\n',
        "import os\n# SPDX-License-Identifier: GPL-3.0-only\n",
        "def gpl():\n    'under the GNU General Public License'\n",
    ],
)
def test_pointers_vague_names_and_strings_in_code_state_nothing(text):
    assert header_licence(text) is None


def test_the_head_ends_where_code_begins():
    text = "\ufeff<?php\n/* one\n two */\n\n// three\ncode();\n// four\n"
    assert head_comment(text) == "/* one\n two */\n// three"


@pytest.mark.parametrize(
    "line",
    [
        "# license:" + " " * 15_000 + "x" * 70,
        "# licensed under" + " " * 15_000 + "x",
        "# licensed under" + "\t\n#" * 5_000 + "x",
        "# license: " + "x " * 7_000,
    ],
)
def test_a_head_of_many_blanks_is_read(line):
    assert header_licence(f"{line}\ncode()\n") is None


def test_more_licences_than_can_be_read_are_not_none():
    names = ["MIT", "ISC", "0BSD", "Zlib", "BSL-1.0"]
    lines = [
        f"# SPDX-License-Identifier: {one} AND {two} AND LicenseRef-{number}\n"
        for number, one in enumerate(names * 4)
        for two in names
    ]
    assert header_licence("".join(lines)) == "LicenseRef-unrecognised"
