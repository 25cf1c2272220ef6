"""Which licences are let in, and the sentence for those that are not."""

import pytest

from finetune.corpus.licensing.policy import allowed, licence_reason, permissive, permitted
from finetune.errors import UserError


@pytest.mark.parametrize(
    ("licence", "let_in"),
    [
        ("MIT", True),
        ("Apache-2.0", True),
        ("BSD-3-Clause", True),
        ("ISC", True),
        ("GPL-3.0-only", False),
        ("MPL-2.0", False),
        ("CC-BY-NC-4.0", False),
        ("WTFPL", False),
        ("LicenseRef-unrecognised", False),
        (None, False),
        ("nonsense", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT AND (ISC OR GPL-3.0-only)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("gpl-2.0+ OR mit", True),
    ],
)
def test_permissive_reads_expressions(licence, let_in):
    assert allowed(licence, "permissive") is let_in


def test_the_list_holds_no_copyleft_and_only_normal_ids():
    from finetune.corpus.licensing.expressions import normalise

    assert {"MIT", "0BSD", "Zlib", "PSF-2.0", "Unlicense"} <= permissive()
    assert all(normalise(one) == one for one in permissive())
    assert not [one for one in permissive() if one.startswith(("GPL", "LGPL", "AGPL", "CC-BY"))]


def test_any_lets_in_what_states_nothing():
    assert allowed(None, "any")
    assert allowed("LicenseRef-proprietary", ["any"])


def test_a_list_lets_in_what_it_names_and_nothing_else():
    chosen = ("GPL-2.0+", "LicenseRef-Acme", "GPL-2.0-only WITH Classpath-exception-2.0")
    assert allowed("GPL-2.0-or-later", chosen)
    assert allowed("GPL-2.0-only WITH Classpath-exception-2.0", chosen)
    assert not allowed("GPL-2.0-only", chosen)
    assert not allowed("MIT", chosen)
    assert allowed("MIT", ("permissive", "HPND"))
    assert allowed("HPND", ("permissive", "HPND"))


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("permisive", "`permisive` is not the SPDX id of one licence"),
        (("Apache2-0",), "did you mean `Apache-2.0`"),
        (("MIT OR ISC",), "list each licence by itself"),
    ],
)
def test_a_mistake_in_the_policy_shows_at_once(policy, message):
    with pytest.raises(UserError, match=message):
        permitted(policy)


@pytest.mark.parametrize(
    ("licence", "reason"),
    [
        (None, "no licence is stated"),
        ("GPL-3.0-only", "licence GPL-3.0-only is not permitted"),
        ("LicenseRef-unrecognised", "a licence is stated that is not recognised"),
        ("LicenseRef-contradictory", "a licence file and package metadata contradict each other"),
        ("LicenseRef-proprietary", "marked as proprietary"),
    ],
)
def test_a_licence_that_may_not_enter_has_one_sentence(licence, reason):
    assert licence_reason(licence, "permissive") == reason


def test_a_licence_that_may_enter_has_no_reason_against_it():
    assert licence_reason("MIT", ("MIT",)) is None
