"""SPDX licence expressions, and the looser ways in which packages write them."""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from finetune.corpus.packages import LICENCE_OF_PHRASE

if TYPE_CHECKING:
    from license_expression import Licensing

UNRECOGNISED = "LicenseRef-unrecognised"
"""A licence is stated, and nobody here can say which."""
CONTRADICTORY = "LicenseRef-contradictory"
"""A folder's licence file and its metadata, or two of its metadata files, say different things."""
PROPRIETARY = "LicenseRef-proprietary"
"""All rights are reserved in so many words."""

MAX_CHARACTERS = 1000
"""A longer expression is not parsed."""

_PHRASES = LICENCE_OF_PHRASE | {
    "all rights reserved": PROPRIETARY,
    "apache 2": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache license, version 2": "Apache-2.0",
    "apache license v2": "Apache-2.0",
    "apache license v2.0": "Apache-2.0",
    "apache software license, version 2.0": "Apache-2.0",
    "apache software license version 2.0": "Apache-2.0",
    "the apache license, version 2.0": "Apache-2.0",
    "the apache software license, version 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache2.0": "Apache-2.0",
    "asl 2.0": "Apache-2.0",
    "boost software license 1.0": "BSL-1.0",
    "boost software license - version 1.0": "BSL-1.0",
    "boost software license, version 1.0": "BSL-1.0",
    "2-clause bsd": "BSD-2-Clause",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "simplified bsd license": "BSD-2-Clause",
    "3-clause bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd 3 clause": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "bsd3": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "modified bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "revised bsd license": "BSD-3-Clause",
    "common development and distribution license 1.0": "CDDL-1.0",
    "eclipse public license 1.0": "EPL-1.0",
    "eclipse public license - v 1.0": "EPL-1.0",
    "eclipse public license 2.0": "EPL-2.0",
    "eclipse public license - v 2.0": "EPL-2.0",
    "eclipse public license v2.0": "EPL-2.0",
    "expat": "MIT",
    "expat license": "MIT",
    "mit licence": "MIT",
    "the mit license (mit)": "MIT",
    "mozilla public license 2.0": "MPL-2.0",
    "mozilla public license, version 2.0": "MPL-2.0",
    "mpl 2.0": "MPL-2.0",
    "mpl2": "MPL-2.0",
    "agpl v3": "AGPL-3.0-only",
    "agplv3": "AGPL-3.0-only",
    "agplv3+": "AGPL-3.0-or-later",
    "gpl v2": "GPL-2.0-only",
    "gplv2": "GPL-2.0-only",
    "gplv2+": "GPL-2.0-or-later",
    "gpl v3": "GPL-3.0-only",
    "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "gnu general public license v3": "GPL-3.0-only",
    "gnu gplv3": "GPL-3.0-only",
    "lgplv2.1": "LGPL-2.1-only",
    "lgplv3": "LGPL-3.0-only",
    "lgplv3+": "LGPL-3.0-or-later",
    "proprietary": PROPRIETARY,
    "psf": "PSF-2.0",
    "psf license": "PSF-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "unlicensed": PROPRIETARY,
    "zlib license": "Zlib",
    "zope public license": "ZPL-2.1",
    "zpl 2.1": "ZPL-2.1",
}


@lru_cache(maxsize=4096)
def normalise(expression: str) -> str | None:
    """`expression` as SPDX writes it, or None where it names no licence that SPDX knows.

    `bsd-3-clause`, `GPL-2.0+`, `MIT/Apache-2.0` and phrases such as `Apache License, Version 2.0`
    are understood; a vague one, such as `BSD`, is not. `LicenseRef-...` stays as it is.
    """
    plain = " ".join(expression.split())
    phrase = _PHRASES.get(plain.lower())
    if phrase or not plain or len(plain) > MAX_CHARACTERS:
        return phrase
    return _parsed(re.sub(r"(?<=[\w+.)]) ?/ ?(?=[\w(])", " OR ", plain))


def joined(licences: Iterable[str]) -> str | None:
    """One expression for licences that apply together; one that nobody can read decides alone.

    None where there are none.
    """
    distinct = list(dict.fromkeys(licences))
    for one in (PROPRIETARY, UNRECOGNISED, CONTRADICTORY):
        if one in distinct:
            return one
    if not distinct:
        return None
    return normalise(" AND ".join(f"({one})" for one in distinct)) or UNRECOGNISED  # too many


def licences_in(expression: str) -> frozenset[str]:
    """The licences that a normalised expression names, each with its `WITH` exception if any."""
    tree = spdx().parse(expression)
    return frozenset(one.render() for one in spdx().license_symbols(tree, decompose=False))


@cache
def spdx() -> "Licensing":
    """The parser of expressions, with the ids of SPDX's list."""
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def _parsed(expression: str) -> str | None:
    from license_expression import ExpressionError

    try:
        tree = spdx().parse(expression)
    except (ExpressionError, TypeError, IndexError, AssertionError):
        return None  # the last three are boolean.py's, over some expressions that are none
    symbols = spdx().license_symbols(tree, decompose=False) if tree is not None else []
    return str(tree.render()) if symbols and all(map(_is_licence, symbols)) else None


def _is_licence(symbol: Any) -> bool:
    """Whether a symbol is a known licence, its `WITH` one of SPDX's exceptions.

    SPDX's exceptions only permit more; anything else behind `WITH` could be a restriction.
    """
    base = getattr(symbol, "license_symbol", symbol)
    added = getattr(symbol, "exception_symbol", None)
    listed = base.key in spdx().known_symbols and not spdx().known_symbols[base.key].is_exception
    if not listed and not re.fullmatch(r"LicenseRef-[\w.-]+", base.key):
        return False
    return added is None or (
        added.key in spdx().known_symbols and spdx().known_symbols[added.key].is_exception
    )
