"""Every number of a card stands in a file of the run."""

import json
from dataclasses import replace

import pytest

from finetune.errors import UserError
from finetune.publishing import build_release, render_card
from finetune.publishing.number_lint import NUMBER, known_numbers, unsupported_numbers


@pytest.mark.parametrize("artefact", ["merged", "adapter"])
def test_the_numbers_of_a_card_are_held_up(run, facts, artefact):
    facts = replace(facts, artefact=artefact)
    card = render_card(run, facts)
    assert len(NUMBER.findall(card)) > 60, "else this test looks at nothing"
    assert unsupported_numbers(card, run, facts) == []


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("| 2.3457 | 1.3457 |", "| 2.3457 | 1.3157 |", "1.3157"),
        ("value: 1.3457", "value: 1.35", None),  # rounded further, and still true
        ("value: 1.3457", "value: 1.36", "1.36"),
        ("value: 1.3457", "value: 1.4", "1.4"),  # one place could be anything
        ("2.98e-07", "2.99e-07", "2.99e-07"),
        ("| holdout | python | 1 | 1000 |", "| holdout | python | 1 | 1001 |", "1001"),
        ("Python (2 files)", "Python (77 files)", "77"),
        ("## Limitations\n", "## Limitations\n\nIt is 37.5% better.\n", "37.5"),
        ("li2023starcoder,", "li2023starcoder, 1999", "1999"),
        ("> 4. Use conditions.", "> 47. Use conditions.", "47"),
        ("(5.1)", "(5.17)", "5.17"),
    ],
)
def test_a_planted_number_is_found_and_a_rounded_one_is_not(run, facts, old, new, wrong):
    card = render_card(run, facts)
    assert old in card
    found = unsupported_numbers(card.replace(old, new, 1), run, facts)
    if wrong is None:
        assert found == []
    else:
        assert len(found) == 1
        assert f": {wrong}: in no file of the run" in found[0]


def test_digits_of_names_and_versions_are_no_numbers():
    text = "starcoder2-3b Apache-2.0 v1 0.23.6 model-00001-of-00002 a@1 2.13.0+cpu 8xA100 1B 1/f"
    assert NUMBER.findall(text) == []
    assert NUMBER.findall("a 1,024, -3; (0.5) 2.98e-07. 95% | 7 |") == [
        *("1,024", "-3", "0.5", "2.98e-07", "95", "7")
    ]


def test_a_score_that_changed_after_the_card_was_made_is_found(run, facts):
    card = render_card(run, facts)
    run.scores.write_text(run.scores.read_text().replace("1.34567", "1.55555"))
    assert [one.rpartition(" ")[0] for one in unsupported_numbers(card, run, facts)] != []


def test_a_card_with_a_number_of_nowhere_is_no_release(run, facts, monkeypatch):
    render = lambda *_: render_card(run, facts) + "\nIt scores 99.87.\n"  # noqa: E731
    monkeypatch.setattr("finetune.publishing.release.render_card", render)
    with pytest.raises(UserError, match=r"README\.md: line \d+: 99\.87: in no file of the run"):
        build_release(run, facts)


def test_the_publishers_own_words_are_the_publishers(run, facts):
    facts = replace(facts, summary="Knows 4711 functions.")
    assert unsupported_numbers(render_card(run, facts), run, facts) == []


def state(run, output):
    stages = json.loads(run.stages.read_text())
    stages["train"] = {**stages.get("train", {}), "output": output}
    run.stages.write_text(json.dumps(stages))


@pytest.mark.parametrize("digest", ["1234567e12345678", "12345678e1234567"])
def test_a_digest_that_reads_like_a_number_is_none(run, facts, digest):
    state(run, digest)
    assert float(digest) not in known_numbers(run)
    assert unsupported_numbers(f"made of `{digest}`\n", run, facts) == []


def test_a_seed_of_sixteen_digits_is_a_number(run, facts):
    state(run, 1234567890123456)
    assert unsupported_numbers("seed: 1234567890123456\n", run, facts) == []
    (found,) = unsupported_numbers("seed: 1234567890123457\n", run, facts)
    assert "1234567890123457" in found


def test_a_number_without_bounds_is_held_up_by_nothing(run, facts):
    (found,) = unsupported_numbers("a loss of 1e400\n", run, facts)
    assert "1e400" in found
