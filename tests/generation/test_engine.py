"""The engine: what each row writes is its own affair, whatever stands beside it."""

import pytest
import torch

from finetune.errors import Failed, UserError
from finetune.generation.completion import Request
from finetune.generation.engine import LocalModel
from finetune.generation.rows import join, keep, read_prompts, step
from finetune.generation.sampling import Sampling
from tests.generation.conftest import FAMILIES, make_model, requests_of

GREEDY = Sampling(max_new_tokens=16)
SAMPLED = Sampling(temperature=0.8, top_p=0.9, max_new_tokens=16, seed=3)


def by_key(backend, requests, sampling):
    made = {one.key: one for one in backend.complete(requests, sampling)}
    assert len(made) == len(requests)
    return made


def generated(model, prompt, tokenizer, new):
    """What transformers itself writes behind one prompt, alone and without padding."""
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=new,
            eos_token_id=tokenizer.eod,
            pad_token_id=tokenizer.pad,
        )
    written = output[0, len(prompt) :].tolist()
    return written[: written.index(tokenizer.eod)] if tokenizer.eod in written else written


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_rows_are_what_generate_writes_for_each_alone(family, code_tokenizer):
    model, requests, greedy = make_model(family), requests_of(9), Sampling(max_new_tokens=9)
    peer = [
        generated(model, code_tokenizer.encode(one.prompt) or [0], code_tokenizer, 9)
        for one in requests
    ]
    assert len({tuple(ids) for ids in peer}) > 5, "else the model does not look at its prompt"
    for batch_size in (1, 4, 16):
        backend = LocalModel(model=model, tokenizer=code_tokenizer, name="", batch_size=batch_size)
        made = dict(backend.write(requests, greedy))
        assert [made[index].ids for index in range(9)] == peer


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_the_batch_decides_nothing(local, sampling):
    requests = requests_of(9, samples=2, stops=("x", "\n"))
    alone = by_key(local(batch_size=1), requests, sampling)
    for batch_size in (4, 16):
        assert by_key(local(batch_size=batch_size), requests, sampling) == alone
    assert {one.finish for one in alone.values()} == {"stop", "length"}


def test_order_and_company_decide_nothing(local):
    requests = requests_of(7, samples=3)
    made = by_key(local(), requests, SAMPLED)
    assert by_key(local(), requests[::-1], SAMPLED) == made
    some = requests[7:20]
    assert by_key(local(), some, SAMPLED) == {one.key: made[one.key] for one in some}


def test_samples_of_a_problem_differ_and_another_seed_gives_others(local):
    requests = requests_of(1, samples=6)
    made = by_key(local(), requests, SAMPLED)
    assert len({one.text for one in made.values()}) > 4
    other = by_key(local(), requests, Sampling(**{**vars(SAMPLED), "seed": 4}))
    assert all(other[key].text != made[key].text for key in made)


def test_the_same_prompt_in_another_task_draws_other_numbers(local):
    first, second = (
        Request(task=task, id="1", sample=0, prompt="def f(x):") for task in ("one", "two")
    )
    made = by_key(local(), [first, second], SAMPLED)
    assert made[first.key].text != made[second.key].text


def test_a_completion_ends_before_the_earliest_stop_of_its_own(local):
    (plain,) = by_key(
        local(), [Request(task="t", id="1", sample=0, prompt="def f")], GREEDY
    ).values()
    early, late = plain.text[2:4], plain.text[5:8]
    assert plain.text.find(early) == 2
    rows = {"none": (), "both": (late, early), "late": (late,), "another": ("\0\0",)}
    requests = [
        Request(task="t", id=name, sample=0, prompt="def f", stops=stops)
        for name, stops in rows.items()
    ]
    made = by_key(local(), requests, GREEDY)
    texts = {key[1]: (one.text, one.finish) for key, one in made.items()}
    assert texts["none"] == texts["another"] == (plain.text, "length")
    assert texts["both"] == (plain.text[:2], "stop")
    assert texts["late"] == (plain.text[: plain.text.find(late)], "stop")


def test_rows_that_ended_cost_no_further_step(local, small_gpt):
    """One row of sixteen tokens beside one that ends at once: sixteen steps, the last few alone."""
    widths = []
    handle = small_gpt.register_forward_pre_hook(
        lambda _module, _args, inputs: widths.append(len(inputs["input_ids"])), with_kwargs=True
    )
    try:
        (plain,) = by_key(
            local(), [Request(task="t", id="1", sample=0, prompt="q")], GREEDY
        ).values()
        widths.clear()
        requests = [
            Request(task="t", id="stops", sample=0, prompt="q", stops=(plain.text[0],)),
            Request(task="t", id="goes on", sample=0, prompt="q"),
        ]
        by_key(local(), requests, GREEDY)
    finally:
        handle.remove()
    assert widths == [1, *[1] * 15], "the prompt is read once for both, and one row goes on"


@pytest.mark.parametrize("family", ["gpt_bigcode", "starcoder2_window", "llama"])
def test_rows_join_whichever_is_wider_and_leave_in_any_order(family):
    """Logits behind the same tokens, read in company and read alone without padding or cache."""
    model, short, long = make_model(family), [20, 21, 22], list(range(30, 60))
    with torch.inference_mode():
        rows = step(model, read_prompts(model, [short, long[:2]], 4), [40, 41])
        rows = join(rows, read_prompts(model, [long, short], 4))
        rows = step(model, keep(rows, [2, 0, 3]), [50, 51, 52])
        rows = keep(rows, [1, 2])
        rows = join(read_prompts(model, [long], 4), rows)
        rows = step(model, rows, [53, 54, 55])
        for row, ids in enumerate(([*long, 53], [*short, 40, 51, 54], [*short, 52, 55])):
            alone = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
            torch.testing.assert_close(rows.logits_BV[row], alone, atol=2e-5, rtol=1e-4)
    rows = keep(rows, [1, 2])
    assert rows.mask_BT.tolist() == [[1] * 6, [0] + [1] * 5], "no padding that all have"


def test_a_prompt_without_room_is_said_to_have_none(local):
    requests = [
        Request(task="t", id="long", sample=0, prompt=tuple([20] * 30)),
        Request(task="t", id="fits", sample=0, prompt=tuple([20] * 29)),
    ]
    made = by_key(local(), requests, Sampling(max_length=30))
    assert (made["t", "long", 0].finish, made["t", "long", 0].text) == ("no_room", "")
    assert (made["t", "fits", 0].finish, made["t", "fits", 0].tokens) == ("length", 1)


def test_prompt_and_completion_stay_within_the_positions(local):
    request = Request(task="t", id="1", sample=0, prompt=tuple([20] * 120))
    (made,) = by_key(local(), [request], Sampling(max_new_tokens=50)).values()
    assert made.tokens == 8


def test_no_requests_are_no_completions(local):
    assert list(local().complete([], GREEDY)) == []


def test_logits_that_are_no_numbers_end_the_run(local, small_gpt):
    def broken(_module, _args, output):
        output.logits[:, -1, 7] = float("nan")
        return output

    handle = small_gpt.register_forward_hook(broken)
    try:
        with pytest.raises(Failed, match="not finite"):
            list(local().complete(requests_of(2), GREEDY))
    finally:
        handle.remove()


def test_a_batch_of_nothing_is_refused(local):
    with pytest.raises(UserError, match="batch_size: 0 is not 1 or more"):
        list(local(batch_size=0).complete(requests_of(1), GREEDY))
