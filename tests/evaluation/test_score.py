"""Base and tuned side by side: the numbers of scores.json and the gate."""

import math
import shutil

import pytest

from data_formats.document import Document
from finetune.corpus.untrained import Untrained
from finetune.evaluation import infilling
from finetune.evaluation.infilling import Filled, Gaps
from finetune.evaluation.line_problems import LineProblem
from finetune.evaluation.score import (
    HeldOut,
    ModelScores,
    held_out,
    score_model,
    scores_json,
)
from finetune.generation.folder_model import FolderModel
from finetune.generation.infill import Gap
from finetune.models.measure import Measured
from finetune.models.scratch import make_model
from finetune.recipe.schema import Evaluate, Gate, ScratchModel
from finetune.sequences import Encoder, tokenise
from finetune.tokenizer import CodeTokenizer

LAYOUTS = ("left_to_right", "psm", "spm")


def by_layout(nats, tokens, size):
    return {layout: Measured(nats, tokens, size) for layout in LAYOUTS}


PROBLEMS = [
    LineProblem(f"{index}.py", "python", Gap("a" * 300, "\n"), "return x") for index in range(16)
]
BOTH = Untrained(trained=frozenset({"c", "python"}))
NO_GAPS = Gaps(by_kind={}, not_run=[])


def lines(completions):
    return {"line": Filled(completions=completions, max_new_tokens=7)}


INPUTS = HeldOut(
    sets={"c": {}, "python": {}},
    gaps=Gaps(by_kind={"line": PROBLEMS}, not_run=[]),
    others=BOTH,
)
BASE = ModelScores(
    {"c": by_layout(20.0, 10, 100), "python": by_layout(70.0, 20, 100)},
    lines(["return x "] * 4 + ["return y"] * 12),
)
TUNED = ModelScores(
    {"c": by_layout(10.0, 10, 100), "python": by_layout(35.0, 20, 100)},
    lines([" return x"] * 8 + [""] * 8),
)
SECTION = Evaluate(max_new_tokens=7, gate={"psm": Gate(max_loss_rise=0.0)})


@pytest.fixture(scope="module")
def scores():
    return scores_json(BASE, TUNED, INPUTS, SECTION)


def test_losses_are_means_over_the_tokens_of_all_languages(scores):
    assert scores["losses"] == {
        "base": dict.fromkeys(LAYOUTS, 3.0),  # (20 + 70) / 30
        "tuned": dict.fromkeys(LAYOUTS, 1.5),
    }


def test_bits_per_byte_are_over_the_bytes_of_all_languages(scores):
    expected = round(90 / math.log(2) / 200, 6)
    assert scores["bits_per_byte"]["base"] == dict.fromkeys(LAYOUTS, expected)


def test_each_language_stands_for_itself(scores):
    assert scores["losses_by_language"] == {
        "c": {"base": dict.fromkeys(LAYOUTS, 2.0), "tuned": dict.fromkeys(LAYOUTS, 1.0)},
        "python": {"base": dict.fromkeys(LAYOUTS, 3.5), "tuned": dict.fromkeys(LAYOUTS, 1.75)},
    }


def test_measured_tokens_are_stated(scores):
    assert scores["measured_tokens"]["python"] == dict.fromkeys(LAYOUTS, 20)


def test_exact_match_counts_stripped_lines(scores):
    infilling = scores["infilling"]
    assert (infilling["base"]["exact_match"], infilling["tuned"]["exact_match"]) == (0.25, 0.5)
    assert infilling["base"]["problems"] == infilling["tuned"]["problems"] == 16


def test_infilling_states_its_settings(scores):
    settings = scores["infilling"]["tuned"]["settings"]
    assert (settings["layout"], settings["decoding"]) == ("psm", "greedy")
    assert settings["max_new_tokens"] == {"line": 7}


def test_the_gate_s_verdict_and_the_jail_are_stated(scores):
    assert scores["gate"] == {"passed": True, "reasons": []}
    assert "no generated code was executed" in scores["jail"]


def test_without_problems_there_is_no_infilling():
    inputs = HeldOut(sets=INPUTS.sets, gaps=NO_GAPS, others=BOTH)
    scores = scores_json(
        ModelScores(BASE.losses, {}), ModelScores(TUNED.losses, {}), inputs, SECTION
    )
    assert scores["infilling"] is None


DOCUMENTS = [
    Document(
        text=f"def f_{index}(x):\n    return x * {index}\n",
        path=f"{index}.{language}",
        repo="r",
        language=language,
    )
    for index in range(4)
    for language in ("c", "python")
]


def corpus_of(folder):
    return tokenise(DOCUMENTS, Encoder(CodeTokenizer(folder)))


def test_held_out_inputs_are_sets_by_language_and_layout_and_lines(tiny_tokenizer):
    section = Evaluate(infilling_problems=5)
    inputs = held_out(corpus_of(tiny_tokenizer), DOCUMENTS, section, 64, BOTH)
    assert {name: tuple(sets) for name, sets in inputs.sets.items()} == {
        "c": LAYOUTS,
        "python": LAYOUTS,
    }
    assert {kind: len(own) for kind, own in inputs.gaps.by_kind.items()} == {
        "line": 5,
        "function_body": 4,  # Python's: what is called C here is none
        "span": 5,
    }
    assert inputs.gaps.not_run == [
        {"what": "infilling, lines", "why": "the held-out files have no gap of this kind"}
    ]


def test_without_sentinels_only_left_to_right_is_measured(tiny_tokenizer, tmp_path):
    copy = tmp_path / "tokenizer"
    shutil.copytree(tiny_tokenizer, copy)
    file = copy / "tokenizer.json"
    file.write_text(file.read_text().replace("<fim_middle>", "<other_middle>"))
    inputs = held_out(corpus_of(copy), DOCUMENTS, Evaluate(), 64, BOTH)
    assert {tuple(sets) for sets in inputs.sets.values()} == {("left_to_right",)}
    assert inputs.gaps.by_kind == {}
    assert inputs.gaps.not_run == [
        {"what": "infilling", "why": "the tokenizer has no fill-in-the-middle sentinels"}
    ]


def test_a_model_s_scores_have_every_set_and_line(tiny_tokenizer, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(tiny_tokenizer, folder)
    make_model(ScratchModel(layers=1, width=16, heads=1, positions=64, licence="mit"), folder)
    section = Evaluate(infilling_problems=3, max_new_tokens=4)
    inputs = held_out(corpus_of(folder), DOCUMENTS, section, 64, BOTH)
    scores = score_model(FolderModel(folder=folder), inputs, section)
    assert {kind: len(own.completions) for kind, own in scores.filled.items()} == {
        "line": 3,
        "function_body": 3,
        "span": 3,
    }
    for sets in scores.losses.values():
        for measured in sets.values():
            assert measured.loss == pytest.approx(math.log(300), rel=0.02)  # it knows nothing yet


def test_gaps_are_filled_in_batches_of_the_recipe_s_size(tiny_tokenizer, tmp_path, monkeypatch):
    folder = tmp_path / "base"
    shutil.copytree(tiny_tokenizer, folder)
    make_model(ScratchModel(layers=1, width=16, heads=1, positions=64, licence="mit"), folder)
    section = Evaluate(infilling_problems=3, max_new_tokens=4, batch_size=3)
    inputs = held_out(corpus_of(folder), DOCUMENTS, section, 64, BOTH)
    sizes, real = set(), infilling.infill

    def infill(*arguments, batch_size, **more):
        sizes.add(batch_size)
        return real(*arguments, batch_size=batch_size, **more)

    monkeypatch.setattr(infilling, "infill", infill)
    score_model(FolderModel(folder=folder), inputs, section)
    assert sizes == {3}
