"""Benchmarks on the card: never without problem set, count, settings and interval."""

import json
import re

import pytest
from huggingface_hub import ModelCard

from finetune.publishing import render_card
from finetune.publishing.number_lint import unsupported_numbers
from finetune.publishing.tables import shown

SETTINGS = {"temperature": 0.2, "top_p": 0.95, "stops": ["\nclass"], "cache": "/home/ann/cache"}


def side(score, low, high, **more):
    counts = {"problems": 164, "samples": 20}
    return {"pass@1": score, "interval": [low, high], **counts, "settings": SETTINGS, **more}


def humaneval(**changes):
    comparison = {"difference": 0.0178, "interval": [-0.011, 0.0461], "p_value": 0.0831}
    return {
        "metric": "pass@1",
        "base": side(0.25, 0.21, 0.31, **{"pass@10": 0.4123}),
        "tuned": side(0.2678, 0.2222, 0.3333, **{"pass@10": 0.4321}),
        "comparison": {**comparison, "wins": 12, "losses": 5},
        **changes,
    }


@pytest.fixture
def card(run, facts):
    """The card of a run whose scores have these keys besides."""

    def render(**scores):
        run.scores.write_text(json.dumps(json.loads(run.scores.read_text()) | scores))
        return render_card(run, facts)

    return render


def section(card, title):
    return re.search(rf"^### {title}\n(.*?)^##", card, re.MULTILINE | re.DOTALL)[1]


def test_a_score_stands_with_interval_problems_and_samples(card):
    text = section(card(tasks={"humaneval": humaneval()}), "Benchmarks")
    assert "| humaneval | base | pass@1 | 0.25 | 0.21, 0.31 | 164 | 20 |" in text
    assert "| humaneval | this model | pass@1 | 0.2678 | 0.2222, 0.3333 | 164 | 20 |" in text


def test_the_interval_of_one_measure_is_not_given_to_another(card):
    text = section(card(tasks={"humaneval": humaneval()}), "Benchmarks")
    assert "| humaneval | this model | pass@10 | 0.4321 | not measured | 164 | 20 |" in text


def test_only_numbers_are_measures(card):
    """Not who wrote and who judged, whose digests would look like keys."""
    more = {
        "outcomes": {"failed": 8},
        "written_by": {"backend": "transformers", "model": "0123456789abcdef"},
        "judged_by": ["bubblewrap"],
    }
    text = section(
        card(tasks={"humaneval": humaneval(tuned=side(0.5, 0.4, 0.6, **more))}), "Benchmarks"
    )
    assert "| humaneval | this model | pass@1 | 0.5 |" in text
    assert not any(word in text for word in ("outcomes", "written_by", "judged_by", "0123456789"))


def test_settings_stand_below_without_machine_paths(card):
    text = section(card(tasks={"humaneval": humaneval()}), "Benchmarks")
    assert '- humaneval, both: `{"temperature": 0.2, "top_p": 0.95, "stops": ["\\nclass"]' in text
    assert "/home/ann" not in text


def test_settings_that_differ_are_shown_apart(card):
    base = humaneval()["base"] | {"settings": {"temperature": 0.8}}
    text = section(card(tasks={"humaneval": humaneval(base=base)}), "Benchmarks")
    assert '- humaneval, base: `{"temperature": 0.8}`' in text
    assert '- humaneval, this model: `{"temperature": 0.2,' in text


def test_a_difference_within_chance_is_not_called_better(card):
    text = section(card(tasks={"humaneval": humaneval()}), "Benchmarks")
    row = "| humaneval | 0.0178 | -0.011, 0.0461 | 0.0831 | 12 | 5 | within chance |"
    assert row in text
    assert "better" not in text


def test_a_difference_beyond_chance_is_called_what_it_is(card):
    found = {"difference": -0.05, "interval": [-0.08, -0.02], "p_value": 0.002}
    text = section(card(tasks={"humaneval": humaneval(comparison=found)}), "Benchmarks")
    assert "| not measured | not measured | worse, beyond chance |" in text


def test_what_was_not_run_is_named_with_its_reason(card):
    omitted = {"what": "swift", "why": "no toolchain in /home/ann/bin"}
    text = section(
        card(
            tasks={"multipl_e": humaneval(not_run=[omitted])},
            tasks_not_run=[{"what": "mbpp", "why": "no jail"}],
        ),
        "Benchmarks",
    )
    assert "- mbpp: not run, no jail" in text
    assert "- swift of multipl_e: not run, no toolchain in &lt;local>" in text


def test_languages_of_a_problem_set_have_a_table(card):
    by_language = {"go": {"base": 0.1, "tuned": 0.21, "problems": 154}}
    text = section(card(tasks={"multipl_e": humaneval(by_language=by_language)}), "Benchmarks")
    assert "| multipl_e | go | 0.1 | 0.21 | 154 |" in text


def test_infilling_is_shown_by_the_kind_of_gap(card):
    body = {"exact_match": 0.051, "edit_similarity": 0.44, "problems": 50}
    kinds = {"function_body": {"base": body, "tuned": body}}
    one = {"exact_match": 0.2, "edit_similarity": 0.6, "problems": 100}
    text = section(card(infilling={"base": one, "tuned": one, "kinds": kinds}), "Infilling")
    assert "| Edit similarity | 0.6 | 0.6 |" in text
    assert "| function body: Share filled in exactly | 0.051 | 0.051 |" in text
    assert "| function body: Gaps | 50 | 50 |" in text


def test_kinds_of_gaps_are_compared_and_told_where_not_run(card):
    found = {"difference": 0.09, "interval": [0.02, 0.15], "p_value": 0.01, "wins": 9, "losses": 1}
    kinds = {"line": {"base": {}, "tuned": {}, "comparison": found}}
    omitted = {"what": "infilling, function body, cobol: 2 files", "why": "no parser"}
    text = section(card(infilling={"kinds": kinds}, infilling_not_run=[omitted]), "Benchmarks")
    assert "| infilling, line | 0.09 | 0.02, 0.15 | 0.01 | 9 | 1 | better, beyond chance |" in text
    assert "- infilling, function body, cobol: 2 files: not run, no parser" in text


def test_what_was_forgotten_has_a_table_with_its_files(card):
    losses = {"go": {"base": {"psm": 2.5}, "tuned": {"psm": 2.75}}}
    brought = {"source": "ours", "documents": {"go": 4}, "drops": {"the same text twice": 2}}
    text = card(
        trained_languages=["python"],
        losses_by_language=losses,
        bits_per_byte_by_language={"go": {"base": {"psm": 1.25}, "tuned": {"psm": 1.5}}},
        forgetting=[brought],
    )
    psm = "fill-in-the-middle, prefix first (PSM)"
    assert f"| go | Loss in nats per token, {psm} | 2.5 | 2.75 |" in text
    assert f"| go | Bits per byte, {psm} | 1.25 | 1.5 |" in text
    assert "- ours: go (4); left out: the same text twice (2)" in text


def test_languages_that_were_not_trained_on_are_named(card):
    assert "Measured without being trained on: python." in card(trained_languages=["go"])
    assert "Measured without being trained on" not in card(trained_languages=["python"])


def test_the_hub_is_told_count_samples_interval_and_settings(card):
    text = card(tasks={"humaneval": humaneval()})
    (_, result) = ModelCard(text).data.to_dict()["model-index"][0]["results"]
    assert result["dataset"] == {"type": "humaneval", "name": "humaneval (164 problems)"}
    first, second = result["metrics"]
    assert (first["type"], first["value"]) == ("pass@1", 0.2678)
    settings = {**SETTINGS, "cache": "<local>/cache"}
    how = {"problems": 164, "samples": 20, "settings": settings}
    assert first["args"] == {**how, "interval_95": [0.2222, 0.3333]}
    assert (second["type"], second["value"]) == ("pass@10", 0.4321)
    assert second["args"] == how


def test_the_hubs_own_reader_takes_the_results(card):
    results = ModelCard(card(tasks={"humaneval": humaneval()})).data.eval_results
    found = {(one.dataset_type, one.metric_type): one for one in results}
    assert found["humaneval", "pass@1"].metric_args["problems"] == 164


def test_every_decimal_of_the_benchmarks_is_in_the_scores(card, run):
    text = section(card(tasks={"humaneval": humaneval()}), "Benchmarks")
    stated = set(re.findall(r"-?\d+\.\d+", run.scores.read_text()))
    found = re.findall(r"-?\d+\.\d+", text)
    assert len(found) > 10, "else this test looks at nothing"
    assert set(found) <= {shown(float(number)) for number in stated} | stated


def test_a_run_without_benchmarks_says_so(card):
    text = card()
    assert "- Benchmarks such as HumanEval: not measured." in text
    assert section(text, "Benchmarks").strip().startswith("Not measured.")
    assert "- Benchmarks such as" not in card(tasks={"humaneval": humaneval()})


def test_every_number_of_a_card_with_benchmarks_is_held_up_by_a_file(card, run, facts):
    infilling = {**side(0.1234, 0.1, 0.15), "exact_match": 0.1234, "kinds": {}}
    text = card(
        tasks={"humaneval": humaneval(by_language={"c": {"base": 0.5, "tuned": 0.25}})},
        tasks_not_run=[{"what": "mbpp", "why": "needs 3 files"}],
        infilling={"base": infilling, "tuned": infilling},
        gate={"passed": False, "reasons": ["psm loss rose by 0.2, more than 0.05"]},
    )
    assert "0.0178" in text
    assert unsupported_numbers(text, run, facts) == []
