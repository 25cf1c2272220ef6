"""Completions in a file: nothing is made twice, nothing is mixed, a kill loses little."""

import json
import os
import signal
import subprocess
import sys

import pytest

from finetune.errors import UserError
from finetune.generation.completion import Completion
from finetune.generation.record import complete_into, num_written
from finetune.generation.sampling import Sampling
from tests.generation.conftest import requests_of

SAMPLED = Sampling(temperature=0.8, top_p=0.9, max_new_tokens=6)
REQUESTS = requests_of(4, samples=2)


class Counting:
    """A back end that says what it was asked for; `breaks_at` completions in, it fails."""

    def __init__(self, model="m", breaks_at=None):
        self.identity = {"model": model}
        self.tokenizer = self.positions = None
        self.asked, self.breaks_at = [], breaks_at

    def complete(self, requests, sampling):
        for number, one in enumerate(requests):
            if number == self.breaks_at:
                raise KeyboardInterrupt
            self.asked.append(one.key)
            text = f"{one.id} {one.sample} \ud800é\n"
            yield Completion(
                task=one.task, id=one.id, sample=one.sample, text=text, finish="stop", tokens=3
            )


def whole(folder):
    return complete_into(folder / "whole.jsonl", Counting(), REQUESTS, SAMPLED)


def test_completions_come_in_the_order_of_the_requests(tmp_path):
    reverse = complete_into(tmp_path / "a.jsonl", Counting(), REQUESTS[::-1], SAMPLED)
    assert [one.key for one in reverse] == [one.key for one in REQUESTS[::-1]]
    assert reverse[::-1] == whole(tmp_path)


def test_a_second_call_makes_nothing_and_returns_the_same(tmp_path):
    backend = Counting()
    made = whole(tmp_path)
    assert complete_into(tmp_path / "whole.jsonl", backend, REQUESTS, SAMPLED) == made
    assert backend.asked == []


@pytest.mark.parametrize("breaks_at", range(8))
def test_after_a_break_only_the_rest_is_made(tmp_path, breaks_at):
    file, backend = tmp_path / "c.jsonl", Counting()
    with pytest.raises(KeyboardInterrupt):
        complete_into(file, Counting(breaks_at=breaks_at), REQUESTS, SAMPLED)
    assert num_written(file, REQUESTS) == breaks_at
    assert complete_into(file, backend, REQUESTS, SAMPLED) == whole(tmp_path)
    assert backend.asked == [one.key for one in REQUESTS[breaks_at:]]


def test_a_file_torn_anywhere_is_completed(tmp_path):
    made = whole(tmp_path)
    content = (tmp_path / "whole.jsonl").read_bytes()
    ends = [at for at, byte in enumerate(content) if byte == ord("\n")]
    for end in {*range(0, len(content), 23), *ends, *(end + 1 for end in ends)}:
        torn = tmp_path / "torn.jsonl"
        torn.write_bytes(content[:end])
        assert complete_into(torn, Counting(), REQUESTS, SAMPLED) == made
        assert torn.read_bytes() == content


def test_more_samples_are_added_to_those_there(tmp_path):
    file, backend = tmp_path / "c.jsonl", Counting()
    complete_into(file, Counting(), requests_of(3, samples=1), Sampling(max_new_tokens=6))
    more = Sampling(max_new_tokens=6, samples=3)
    complete_into(file, backend, requests_of(3, samples=3), more)
    assert len(backend.asked) == 6


def test_other_settings_are_refused_by_name(tmp_path):
    whole(tmp_path)
    other = Sampling(temperature=0.2, top_p=0.9, max_new_tokens=6)
    with pytest.raises(UserError, match=r"\(temperature 0\.8 there, 0\.2 here\)"):
        complete_into(tmp_path / "whole.jsonl", Counting(), REQUESTS, other)


def test_another_model_is_refused(tmp_path):
    whole(tmp_path)
    with pytest.raises(UserError, match="model 'm' there, 'tuned' here"):
        complete_into(tmp_path / "whole.jsonl", Counting("tuned"), REQUESTS, SAMPLED)


def test_another_prompt_for_the_same_problem_is_refused(tmp_path):
    whole(tmp_path)
    changed = requests_of(4, samples=2, stops=("\n",))
    with pytest.raises(UserError, match="t 0 with another prompt or other stop strings"):
        complete_into(tmp_path / "whole.jsonl", Counting(), changed, SAMPLED)


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (0, b"{}", ":1: states no settings"),
        (0, b"[]", ":1: is not a JSON object"),
        (3, b'{"task": ', ":4: is not a JSON object"),
        (3, b'{"task": "t"}', ":4: is no completion"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, number, line, message):
    whole(tmp_path)
    file = tmp_path / "whole.jsonl"
    lines = file.read_bytes().split(b"\n")
    lines[number] = line
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(UserError, match=message):
        complete_into(file, Counting(), REQUESTS, SAMPLED)


def test_a_file_that_another_process_writes_to_is_refused(tmp_path):
    file = tmp_path / "c.jsonl"

    class Nested(Counting):
        def complete(self, requests, sampling):
            complete_into(file, Counting(), REQUESTS, SAMPLED)

    with pytest.raises(UserError, match="another process is writing to it"):
        complete_into(file, Nested(), REQUESTS, SAMPLED)


KILLED = """
import os, signal, sys
from pathlib import Path
import tests.generation.conftest as made
from finetune.generation.engine import LocalModel
from finetune.generation.record import complete_into
from finetune.generation.sampling import Sampling
from finetune.tokenizer import CodeTokenizer

count = 0
def show(completion):
    global count
    count += 1
    if count == 5:
        os.kill(os.getpid(), signal.SIGKILL)

backend = LocalModel(
    model=made.make_model("gpt_bigcode"), tokenizer=CodeTokenizer(Path(sys.argv[2])), name="small",
    batch_size=3,
)
sampling = Sampling(temperature=0.8, top_p=0.9, max_new_tokens=6)
complete_into(Path(sys.argv[1]), backend, made.requests_of(4, samples=2), sampling, show)
"""


def test_a_killed_run_goes_on_and_writes_what_one_in_one_piece_writes(
    tmp_path, local, tiny_tokenizer
):
    file = tmp_path / "killed.jsonl"
    command = [sys.executable, "-c", KILLED, str(file), str(tiny_tokenizer)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    assert num_written(file, REQUESTS) == 5
    resumed = complete_into(file, local(batch_size=7), REQUESTS, SAMPLED)
    assert resumed == complete_into(tmp_path / "whole.jsonl", local(), REQUESTS, SAMPLED)
    head, *lines = map(json.loads, file.read_text().splitlines())
    assert head["settings"]["temperature"] == 0.8
    assert len(lines) == 8


def test_a_file_that_holds_no_completion_yet_takes_other_settings(tmp_path):
    file = tmp_path / "a.jsonl"
    with pytest.raises(KeyboardInterrupt):
        complete_into(file, Counting(breaks_at=0), REQUESTS, SAMPLED)
    made = complete_into(file, Counting(model="other"), REQUESTS, SAMPLED)
    assert len(made) == len(REQUESTS)
    with pytest.raises(UserError, match="was made with other settings"):
        complete_into(file, Counting(), REQUESTS, SAMPLED)
