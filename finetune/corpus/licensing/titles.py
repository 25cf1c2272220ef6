"""Licences that are told by their title: the copyleft and the restricted ones.

Expressions over `texts.words`: lower case, no punctuation, `Version 2.0` written `v2`.
"""

import re

_GNU = {
    "AGPL-3.0-only": "gnu affero general public license v3",
    "GPL-1.0-only": "gnu general public license v1",
    "GPL-2.0-only": "gnu general public license v2",
    "GPL-3.0-only": "gnu general public license v3",
    "LGPL-2.0-only": "gnu library general public license v2",
    "LGPL-2.1-only": "gnu lesser general public license v2.1",
    "LGPL-3.0-only": "gnu lesser general public license v3",
    "GFDL-1.1-only": "gnu free documentation license v1.1",
    "GFDL-1.2-only": "gnu free documentation license v1.2",
    "GFDL-1.3-only": "gnu free documentation license v1.3",
}
_OTHERS = {
    "APSL-2.0": "apple public source license v(?:er)?(?: )?2",
    "BUSL-1.1": "business source license v?1.1",
    "CDDL-1.0": "common development and distribution license (?:cddl )?v1",
    "CDDL-1.1": "common development and distribution license (?:cddl )?v1.1",
    "CECILL-2.1": "cecill free software license agreement v?(?:ersion )?2.1",
    "CPL-1.0": "common public license v1",
    "EPL-1.0": "eclipse public license v1",
    "EPL-2.0": "eclipse public license v2",
    "EUPL-1.1": "european union public license (?:eupl )?v1.1",
    "EUPL-1.2": "european union public license (?:eupl )?v1.2",
    "Elastic-2.0": "elastic license (?:2.0|v2)",
    "LPPL-1.3c": "latex project public license (?:lppl )?v1.3c",
    "MPL-1.1": "mozilla public license v1.1",
    "MPL-2.0": "mozilla public license v2",
    "MS-RL": "microsoft reciprocal license",
    "OFL-1.1": "sil open font license v1.1",
    "OSL-3.0": "open software license (?:osl )?v3",
    "ODbL-1.0": "open database license (?:odbl )?v1",
    "PolyForm-Noncommercial-1.0.0": "polyform noncommercial license 1.0.0",
    "PolyForm-Small-Business-1.0.0": "polyform small business license 1.0.0",
    "SSPL-1.0": "server side public license v1",
}
_CREATIVE_COMMONS = {
    "BY": "attribution",
    "BY-SA": "attribution share ?alike",
    "BY-ND": "attribution no ?deriv(?:ative)?s?(?: works)?",
    "BY-NC": "attribution non ?commercial",
    "BY-NC-SA": "attribution non ?commercial share ?alike",
    "BY-NC-ND": "attribution non ?commercial no ?deriv(?:ative)?s?(?: works)?",
}


def _creative_commons() -> dict[str, str]:
    versions = ("1.0", "2.0", "2.5", "3.0", "4.0")
    return {
        f"CC-{elements}-{version}": f"{title} (?:v?{version}|v{version[0]})"
        for elements, title in _CREATIVE_COMMONS.items()
        for version in versions
    }


TITLES = {
    licence: re.compile(r"\b" + title.replace(".", r"\.") + r"(?![.\w])")
    for licence, title in (_GNU | _OTHERS | _creative_commons()).items()
}
"""SPDX id -> the title that a file of the licence begins with."""
