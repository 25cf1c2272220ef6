"""The exact-match metric, loaded by its path as anyone would load it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import finetune.evaluation

METRIC = Path(finetune.evaluation.__file__).parent / "metrics" / "infilling_exact_match"

CASES = [
    (["return x"], ["return x"], 1.0),
    (["  return x \n"], ["return x"], 1.0),
    (["return  x"], ["return x"], 0.0),
    (["Return x"], ["return x"], 0.0),
    ([""], ["return x"], 0.0),
    (["a", "b", "c", "x"], ["a", "b", "c", "d"], 0.75),
]

SCRIPT = """
import json, socket, sys

def refused(*_):
    raise OSError("no network in this test")

socket.socket.connect = refused
import evaluate

metric = evaluate.load(sys.argv[1])
cases = json.load(sys.stdin)
print(json.dumps([metric.compute(predictions=p, references=r) for p, r, _ in cases]))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The metric's answers from a process of its own, offline and with empty caches."""
    home = str(tmp_path_factory.mktemp("hub"))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": home}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(METRIC)],
        input=json.dumps(CASES),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", range(len(CASES)))
def test_exact_match_by_hand(results, case):
    assert results[case] == {"exact_match": CASES[case][2]}
