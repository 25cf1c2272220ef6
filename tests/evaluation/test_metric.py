"""The metrics of infilling, loaded by their paths as anyone would load them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import finetune.evaluation
from finetune.evaluation.metrics.edit_similarity.edit_similarity import distance

METRICS = Path(finetune.evaluation.__file__).parent / "metrics"

EXACT = [
    (["return x"], ["return x"], 1.0),
    (["  return x \n"], ["return x"], 1.0),
    (["return  x"], ["return x"], 0.0),
    (["Return x"], ["return x"], 0.0),
    ([""], ["return x"], 0.0),
    (["a", "b", "c", "x"], ["a", "b", "c", "d"], 0.75),
]
EDITS = [
    (["return x"], ["return x"], 1.0),
    (["  return x \n"], ["return x"], 1.0),
    (["return y"], ["return x"], 0.875),  # one of eight
    (["kitten"], ["sitting"], 1 - 3 / 7),
    (["ab"], ["ba"], 0.0),  # two substitutions, or an insertion and a deletion
    ([""], ["abc"], 0.0),
    (["abc"], [""], 0.0),
    ([""], [" "], 1.0),
    (["é🙂"], ["e🙂"], 0.5),  # characters, not bytes
    (["abcd", "x"], ["abcd", "y"], 0.5),
]
CASES = {"infilling_exact_match": EXACT, "edit_similarity": EDITS}

SCRIPT = """
import json, socket, sys

def refused(*_):
    raise OSError("no network in this test")

socket.socket.connect = refused
import evaluate

results = {}
for name, cases in json.load(sys.stdin).items():
    metric = evaluate.load(f"{sys.argv[1]}/{name}")
    results[name] = [metric.compute(predictions=p, references=r) for p, r, _ in cases]
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The metrics' answers from a process of its own, offline and with empty caches."""
    home = str(tmp_path_factory.mktemp("hub"))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": home}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(METRICS)],
        input=json.dumps(CASES),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", range(len(EXACT)))
def test_exact_match_by_hand(results, case):
    assert results["infilling_exact_match"][case] == {"exact_match": EXACT[case][2]}


@pytest.mark.parametrize("case", range(len(EDITS)))
def test_edit_similarity_by_hand(results, case):
    assert results["edit_similarity"][case] == {"edit_similarity": pytest.approx(EDITS[case][2])}


def by_table(first, second):
    """Levenshtein distance by its definition."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


@settings(max_examples=300, deadline=None)
@given(st.text("abc\n", max_size=90), st.text("abd\n", max_size=90))
def test_distance_is_that_of_the_table(first, second):
    assert distance(first, second) == by_table(first, second)
