"""Greedy infilling: what the model is shown, and where each row stops."""

import shutil
from itertools import pairwise

import pytest
import torch

from finetune.errors import UserError
from finetune.generation.infill import Gap, infill, psm_prompt
from finetune.models.load import load_model
from finetune.models.scratch import make_model
from finetune.recipe.schema import ScratchModel
from finetune.tokenizer import CodeTokenizer

EOD, PREFIX, MIDDLE, SUFFIX = range(4)


@pytest.fixture(scope="module")
def folder(tiny_tokenizer, tmp_path_factory):
    copy = tmp_path_factory.mktemp("infill") / "base"
    shutil.copytree(tiny_tokenizer, copy)
    make_model(ScratchModel(layers=2, width=32, heads=2, positions=64, licence="mit"), copy)
    return copy


@pytest.fixture(scope="module")
def tokenizer(folder) -> CodeTokenizer:
    return CodeTokenizer(folder)


@pytest.fixture(scope="module")
def model(folder):
    """Random weights, enlarged so that the completion depends on the prompt."""
    loaded = load_model(folder).eval()
    with torch.no_grad():
        for name, parameter in loaded.named_parameters():
            if parameter.dim() == 2 and "wpe" not in name:
                parameter.mul_(4)
    return loaded


def ids(tokenizer, text):
    return [tokenizer.encode(character)[0] for character in text]


class Script:
    """Makes a model write a fixed text for each suffix of one letter, one letter per step.

    Rows change places in a batch, so what comes next is told from the last letter alone: no two
    texts share one. A last letter goes on for ever; `END` is the end of a document.
    """

    END = "\0"

    def __init__(self, model, tokenizer, texts):
        self.model, self.tokenizer = model, tokenizer
        self.first = {suffix: text[0] for suffix, text in texts.items()}
        self.next = {letter: letter for text in texts.values() for letter in text}
        self.next |= {a: b for text in texts.values() for a, b in pairwise(text)}
        self.steps = 0

    def __enter__(self):
        self.handle = self.model.register_forward_hook(self.override, with_kwargs=True)
        return self

    def __exit__(self, *_):
        self.handle.remove()

    def override(self, _module, _args, inputs, output):
        self.steps += 1
        for row, given in enumerate(inputs["input_ids"].tolist()):
            if MIDDLE in given:  # the prompt
                suffix = self.tokenizer.decode(given[given.index(SUFFIX) + 1 :])
                letter = self.first[suffix]
            else:
                letter = self.next[self.tokenizer.decode(given)]
            wanted = EOD if letter == self.END else ids(self.tokenizer, letter)[0]
            output.logits[row, -1] = 0.0
            output.logits[row, -1, wanted] = 1.0
        return output


def test_a_prompt_is_prefix_suffix_middle(tokenizer):
    a, b, c = ids(tokenizer, "abc")
    prompt = psm_prompt(Gap("ab", "c"), tokenizer, 64)
    assert prompt == [PREFIX, a, b, SUFFIX, c, MIDDLE]


def test_sentinel_names_in_the_context_are_text(tokenizer):
    prompt = psm_prompt(Gap("<fim_suffix>", "<fim_middle>"), tokenizer, 64)
    assert [id_ for id_ in prompt if id_ < 19] == [PREFIX, SUFFIX, MIDDLE]


def test_a_long_context_keeps_its_near_ends(tokenizer):
    prefix, suffix = ids(tokenizer, "qzxjkvwqzxjkvw"), ids(tokenizer, "QZXJKVWQZXJKVW")
    prompt = psm_prompt(Gap("qzxjkvwqzxjkvw", "QZXJKVWQZXJKVW"), tokenizer, 11)
    assert prompt == [PREFIX, *prefix[-6:], SUFFIX, *suffix[:2], MIDDLE]


def test_a_short_prefix_leaves_its_room_to_the_suffix(tokenizer):
    prefix, suffix = ids(tokenizer, "qz"), ids(tokenizer, "QZXJKVWQZXJKVW")
    prompt = psm_prompt(Gap("qz", "QZXJKVWQZXJKVW"), tokenizer, 11)
    assert prompt == [PREFIX, *prefix, SUFFIX, *suffix[:6], MIDDLE]


def test_a_short_suffix_leaves_its_room_to_the_prefix(tokenizer):
    prefix, suffix = ids(tokenizer, "qzxjkvwqzxjkvw"), ids(tokenizer, "Q")
    prompt = psm_prompt(Gap("qzxjkvwqzxjkvw", "Q"), tokenizer, 11)
    assert prompt == [PREFIX, *prefix[-7:], SUFFIX, *suffix, MIDDLE]


@pytest.mark.parametrize("budget", range(4, 40))
def test_a_prompt_never_exceeds_its_budget(tokenizer, budget):
    assert len(psm_prompt(Gap("q" * 30, "Z" * 30), tokenizer, budget)) == budget


GAPS = [
    Gap("def f(x):\n    "[: i % 14] + "v" * i, "\n" * (i % 3) + "return" * (i % 4))
    for i in range(9)
]
"""Prompts of many lengths, none the longest that fits."""


@pytest.fixture(scope="module")
def one_by_one(model, tokenizer):
    return infill(model, tokenizer, GAPS, stops=("\n",), max_new_tokens=12, batch_size=1)


def test_completions_differ_between_gaps(one_by_one):
    assert len(set(one_by_one)) > 2


@pytest.mark.parametrize("batch_size", [2, 4, 9])
def test_completions_do_not_depend_on_the_batch_size(model, tokenizer, one_by_one, batch_size):
    made = infill(model, tokenizer, GAPS, stops=("\n",), max_new_tokens=12, batch_size=batch_size)
    assert made == one_by_one


def test_completions_do_not_depend_on_the_order(model, tokenizer, one_by_one):
    made = infill(model, tokenizer, GAPS[::-1], stops=("\n",), max_new_tokens=12, batch_size=4)
    assert made[::-1] == one_by_one


def test_a_completion_is_what_a_plain_greedy_loop_writes(model, tokenizer, one_by_one):
    prompt = psm_prompt(GAPS[5], tokenizer, 64 - 12)
    written = []
    with torch.inference_mode():
        for _ in range(12):
            logits = model(input_ids=torch.tensor([prompt + written]), use_cache=False).logits
            written.append(int(logits[0, -1].argmax()))
    assert EOD not in written
    assert one_by_one[5] == tokenizer.decode(written).split("\n")[0]


def test_each_row_stops_at_its_own_newline_or_end(model, tokenizer):
    texts = {"A": "xy\nz", "B": "u\0", "C": "c", "D": "\n", "E": "\0"}
    gaps = [Gap("q", suffix) for suffix in texts]
    with Script(model, tokenizer, texts):
        made = infill(model, tokenizer, gaps, stops=("\n",), max_new_tokens=6, batch_size=4)
    assert made == ["xy", "u", "cccccc", "", ""]


def test_writing_stops_once_every_row_has_stopped(model, tokenizer):
    texts = {"A": "xy\nz", "B": "u\0"}
    with Script(model, tokenizer, texts) as script:
        infill(
            model,
            tokenizer,
            [Gap("q", "A"), Gap("q", "B")],
            stops=("\n",),
            max_new_tokens=20,
            batch_size=4,
        )
    assert script.steps == 3


def test_a_token_of_a_newline_and_more_ends_the_line_too(model, tokenizer):
    letter = ids(tokenizer, "x")[0]
    indented = next(i for i in range(19, 300) if tokenizer.decode([i]).startswith("\n "))
    steps = []

    def override(_module, _args, _inputs, output):
        output.logits[:, -1] = 0.0
        output.logits[:, -1, indented if steps else letter] = 1.0
        steps.append(1)
        return output

    handle = model.register_forward_hook(override, with_kwargs=True)
    try:
        made = infill(
            model, tokenizer, [Gap("a", "b")], stops=("\n",), max_new_tokens=6, batch_size=4
        )
    finally:
        handle.remove()
    assert (made, len(steps)) == (["x"], 2)


def test_no_gaps_give_no_completions(model, tokenizer):
    assert infill(model, tokenizer, [], stops=("\n",), max_new_tokens=6, batch_size=4) == []


@pytest.mark.parametrize("max_new_tokens", [61, 64, 100])
def test_a_completion_that_leaves_no_room_for_a_prompt_is_refused(model, tokenizer, max_new_tokens):
    with pytest.raises(UserError, match=r"evaluate\.max_new_tokens: \d+ leave no room"):
        infill(
            model,
            tokenizer,
            [Gap("a", "b")],
            stops=("\n",),
            max_new_tokens=max_new_tokens,
            batch_size=4,
        )


def test_prompt_and_completion_may_fill_every_position(model, tokenizer):
    texts = {"Z" * 14: "x"}  # a quarter of the 57 ids beside the sentinels
    with Script(model, tokenizer, texts):
        made = infill(
            model,
            tokenizer,
            [Gap("q" * 90, "Z" * 90)],
            stops=("\n",),
            max_new_tokens=4,
            batch_size=4,
        )
    assert made == ["xxxx"]
