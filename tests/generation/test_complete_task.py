"""From problems to completions in a file, as evaluation asks for them."""

import pytest

from finetune.generation.complete_task import complete_task
from finetune.generation.completion import Completion
from finetune.generation.progress import make_progress
from finetune.generation.sampling import Sampling
from finetune.generation.server import CompletionServer
from finetune.tasks import Problem
from tests.generation.completion_server import serving

SAMPLED = Sampling(temperature=0.8, top_p=0.9, max_new_tokens=6, samples=2)
PLAIN, GAP = (
    Problem(
        task="own",
        id=id_,
        origin=f"own/{id_}",
        language="python",
        prompt="def f(x):\n",
        solution="",
        tests="f(1)",
        stops=("\n",),
        suffix=suffix,
    )
    for id_, suffix in (("plain", None), ("gap", "    return x\n"))
)


@pytest.mark.parametrize("layout", ["psm", "spm"])
def test_texts_and_gaps_are_completed_and_kept(tmp_path, local, layout, capsys):
    file = tmp_path / "own.jsonl"
    made = complete_task(file, "own", [PLAIN, GAP], local(), SAMPLED, layout)
    keys = [("own", id_, sample) for id_ in ("plain", "gap") for sample in (0, 1)]
    assert [one.key for one in made] == keys
    assert len({one.text for one in made}) > 2
    capsys.readouterr()
    assert complete_task(file, "own", [PLAIN, GAP], local(), SAMPLED, layout) == made
    assert capsys.readouterr().err == "own: 4 of 4 completions were there already\n"


def test_a_server_fills_gaps_by_ids_and_greedily_writes_the_same(
    tmp_path, local, code_tokenizer, monkeypatch
):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    greedy = Sampling(max_new_tokens=6)
    with serving(local()) as served:
        server = CompletionServer(
            url=served.url, model="small", tokenizer=code_tokenizer, positions=128
        )
        asked = complete_task(tmp_path / "a.jsonl", "own", [PLAIN, GAP], server, greedy)
    here = complete_task(tmp_path / "b.jsonl", "own", [PLAIN, GAP], local(), greedy)
    assert [(one.text, one.finish) for one in asked] == [(one.text, one.finish) for one in here]


def test_without_a_terminal_a_line_comes_now_and_then(capsys):
    show = make_progress("mine", 20, done=4)
    for number in range(16):
        show(Completion(task="t", id=str(number), sample=0, text="", finish="stop", tokens=3))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "mine: 4 of 20 completions were there already"
    assert lines[1] == "mine: completion 6/20  6 tokens"
    assert lines[-1] == "mine: completion 20/20  48 tokens"
    assert len(lines) == 9
