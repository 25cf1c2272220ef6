"""A server as back end: the same completions as here, patience, and messages that help."""

import socket

import pytest

from finetune.errors import Failed, UserError
from finetune.generation.completion import Request
from finetune.generation.http_json import Retrying
from finetune.generation.record import complete_into
from finetune.generation.sampling import Sampling
from finetune.generation.server import KEY_VARIABLE, CompletionServer
from tests.generation.completion_server import serving
from tests.generation.conftest import requests_of

GREEDY = Sampling(max_new_tokens=6)
SAMPLED = Sampling(temperature=0.8, top_p=0.9, max_new_tokens=6, seed=3)
QUICK = {"first_wait": 0.01, "longest_wait": 0.05}
KEY = "a-key-that-nobody-may-see"


@pytest.fixture
def server(local):
    with serving(local()) as served:
        yield served


@pytest.fixture
def backend(server, code_tokenizer, monkeypatch):
    """`backend(**how)`: the back end of that server, asked with ids."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(KEY_VARIABLE, raising=False)

    def made(**how):
        how = {"url": server.url, "model": "small", "tokenizer": code_tokenizer, **how}
        return CompletionServer(retrying=Retrying(attempts=3, **QUICK), **how)

    return made


def by_key(backend, requests, sampling):
    made = {one.key: one for one in backend.complete(requests, sampling)}
    assert len(made) == len(requests)
    return made


def texts(backend, requests, sampling):
    made = by_key(backend, requests, sampling)
    return {key: (one.text, one.finish) for key, one in made.items()}


@pytest.mark.parametrize("as_text", [False, True])
def test_greedy_completions_are_those_of_the_model_here(backend, local, code_tokenizer, as_text):
    requests = requests_of(7, stops=("x", "\n"))[1:]  # the first prompt is empty
    tokenizer = None if as_text else code_tokenizer
    asked = texts(backend(tokenizer=tokenizer), requests, GREEDY)
    assert asked == texts(local(), requests, GREEDY)
    assert {finish for _, finish in asked.values()} == {"stop", "length"}


def test_what_is_sent_is_the_published_interface(backend, server, code_tokenizer):
    request = Request(task="t", id="1", sample=0, prompt="def f", stops=("\n",))
    list(backend().complete([request], SAMPLED))
    ((path, body),) = server.asked
    assert path == "/v1/completions"
    assert body.pop("seed") in range(2**31)
    assert body == {
        "model": "small",
        "prompt": code_tokenizer.encode("def f"),
        "n": 1,
        "max_tokens": 6,
        "temperature": 0.8,
        "top_p": 0.9,
        "stop": ["\n"],
        "skip_special_tokens": False,
        "top_k": 1 << 20,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "repeat_penalty": 1.0,
    }


@pytest.mark.parametrize("tail", ["/v1", "/v1/", "/"])
def test_the_address_may_name_the_version_or_not(backend, server, tail):
    list(backend(url=server.url + tail).complete(requests_of(2)[1:], GREEDY))
    assert server.asked[0][0] == "/v1/completions"


def test_calls_at_once_and_their_order_decide_nothing(backend):
    requests = requests_of(5, samples=3)[3:]
    made = by_key(backend(at_once=1), requests, SAMPLED)
    assert by_key(backend(at_once=5), requests[::-1], SAMPLED) == made
    assert len({one.text for one in made.values()}) > 6


def test_several_samples_in_one_call_are_the_same_after_a_resumption(backend, server):
    requests = requests_of(2, samples=7)[7:]
    made = by_key(backend(per_call=3), requests, SAMPLED)
    assert sorted(body["n"] for _, body in server.asked) == [1, 3, 3]
    some = [requests[n] for n in (1, 5, 6)]
    again = by_key(backend(per_call=3), some, SAMPLED)
    assert again == {one.key: made[one.key] for one in some}


def test_a_busy_server_is_asked_again(backend, server):
    server.failures += [
        (429, {"Retry-After": "0"}, "slow down"),
        (503, {}, "starting"),
        None,
        "cut",
    ]
    requests = requests_of(3)[1:]
    assert len(by_key(backend(at_once=1), requests, GREEDY)) == 2
    assert len(server.asked) == 5


def test_a_server_that_stays_busy_ends_the_run_and_keeps_what_came(backend, server, tmp_path):
    file, requests = tmp_path / "c.jsonl", requests_of(4)[1:]
    server.failures += [None, *[(500, {}, "out of memory")] * 3]
    with pytest.raises(Failed, match=r"no answer after 3 attempts \(HTTP 500 out of memory\)"):
        complete_into(file, backend(at_once=1), requests, GREEDY)
    server.asked.clear()
    assert len(complete_into(file, backend(at_once=1), requests, GREEDY)) == 3
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ((401, {}, '{"error": "who?"}'), "wants a key: set FINETUNE_SERVER_KEY. It says: who?"),
        ((403, {}, ""), "does not accept the key in FINETUNE_SERVER_KEY. It says: nothing"),
        ((404, {}, "<html>"), "no such path or no such model"),
        ((422, {}, "[]"), "does not know a field"),
    ],
)
def test_a_refusal_says_how_to_mend_it(backend, server, failure, message):
    server.failures.append(failure)
    with pytest.raises(UserError, match=message):
        list(backend().complete(requests_of(2)[1:], GREEDY))
    assert len(server.asked) == 1, "asking again mends nothing"


def test_an_unknown_model_is_named_in_the_servers_words(backend):
    with pytest.raises(UserError, match="The model `large` does not exist"):
        list(backend(model="large").complete(requests_of(2)[1:], GREEDY))


def test_a_context_that_is_too_long_is_named_in_the_servers_words(backend):
    with pytest.raises(UserError, match=r"longer than its context.*maximum context length is 128"):
        list(backend().complete(requests_of(2)[1:], Sampling(max_new_tokens=128)))


def test_known_positions_shorten_what_is_asked_for(backend, server):
    request = Request(task="t", id="1", sample=0, prompt=tuple([20] * 125))
    (made,) = by_key(backend(positions=128), [request], Sampling(max_new_tokens=50)).values()
    assert (server.asked[0][1]["max_tokens"], made.tokens) == (3, 3)


def test_nothing_at_the_address_says_so(backend):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UserError, match="nothing answers at this address; start the server"):
        list(backend(url=url).complete(requests_of(2), GREEDY))


@pytest.mark.parametrize("content", ["<html>", "[]", '{"choices": 3}', '{"choices": [{}]}'])
def test_an_answer_of_another_form_is_refused(backend, server, content):
    server.failures.append((200, {}, content))
    with pytest.raises(Failed, match=r"no completion server|holds no text"):
        list(backend().complete(requests_of(2)[1:], GREEDY))


def test_the_key_goes_to_the_server_and_into_no_message(backend, server, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert KEY not in repr(backend()) + repr(backend().identity)
    server.failures.append((401, {}, f"wrong key: {KEY}" + "x" * 900))
    with pytest.raises(UserError) as refused:
        list(backend().complete(requests_of(2)[1:], GREEDY))
    assert server.keys == [f"Bearer {KEY}"]
    assert "***" in str(refused.value)
    assert KEY[:6] not in str(refused.value)


def test_without_a_key_none_is_sent(backend, server):
    list(backend().complete(requests_of(2)[1:], GREEDY))
    assert server.keys == [None]


@pytest.mark.parametrize(("status", "keys"), [(302, [None]), (303, [None]), (307, [])])
def test_the_key_follows_no_redirection(backend, server, local, monkeypatch, status, keys):
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with serving(local()) as other:
        server.failures.append((status, {"Location": f"{other.url}/v1/completions"}, ""))
        with pytest.raises(Failed, match=r"HTTP (405|307)"):
            list(backend().complete(requests_of(2)[1:], GREEDY))
        assert (other.asked, other.keys) == ([], keys)


def test_a_password_in_the_address_is_refused_and_not_shown():
    with pytest.raises(UserError, match=f"set {KEY_VARIABLE} instead") as refused:
        CompletionServer(url="http://me:hush@host:1", model="m")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("url", ["localhost:8000", "file:///etc/passwd", "http://", ""])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UserError, match="is no address of a server"):
        CompletionServer(url=url, model="m")


def test_lengths_that_count_the_prompt_need_the_tokenizer(backend):
    with pytest.raises(UserError, match="max_length: counts the prompt's tokens"):
        list(backend(tokenizer=None).complete(requests_of(2), Sampling(max_length=20)))


def test_a_server_that_takes_no_ids_is_asked_in_text(local, code_tokenizer):
    with serving(local()) as served:
        server = CompletionServer(
            url=served.url, model="small", tokenizer=code_tokenizer, positions=128, as_text=True
        )
        requests = requests_of(3)
        made = list(server.complete(requests, Sampling(max_length=40)))
    assert sorted(body["prompt"] for _, body in served.asked) == sorted(
        one.prompt for one in requests
    )
    rooms = {body["prompt"]: body["max_tokens"] for _, body in served.asked}
    assert rooms == {one.prompt: 40 - len(code_tokenizer.encode(one.prompt)) for one in requests}
    assert {one.id for one in made} == {"0", "1", "2"}


def test_gaps_are_not_asked_in_text(code_tokenizer):
    server = CompletionServer(
        url="http://localhost:1", model="m", tokenizer=code_tokenizer, as_text=True
    )
    gap = Request(task="t", id="gap", sample=0, prompt=(1, 2, 3))
    with pytest.raises(UserError, match="gap has a gap to fill, which takes ids of sentinels"):
        list(server.complete([gap], Sampling(max_new_tokens=4)))
