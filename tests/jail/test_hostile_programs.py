"""No program gets out, is passed wrongly, outlives its time, or stops the evaluator."""

import json
import os
import secrets
import socket
from pathlib import Path

import pytest

from tests.jail import hostile
from tests.jail.conftest import SECRET, held_backend
from tests.jail.forgeries import FORGED

REACHING = {
    **hostile.ENVIRONMENT,
    **hostile.FILES,
    **hostile.NETWORK,
    **hostile.PROCESSES,
}
HARMLESS_IN_TERMINAL = set(map(chr, range(32, 127))) | {"\n", "\t"}


def programs(canary: Path, port: int, abstract: str) -> dict[str, str]:
    sources = {name: hostile.reaching(code) for name, code in REACHING.items()}
    sources |= hostile.RESOURCES | FORGED
    put_in = {
        "@CANARY@": str(canary),
        "@PORT@": str(port),
        "@ABSTRACT@": abstract,
        "@PID@": str(os.getpid()),
    }
    for mark, value in put_in.items():
        sources = {name: source.replace(mark, value) for name, source in sources.items()}
    return sources


def test_there_are_more_cases_than_sandboxeval_has():
    assert len(REACHING) + len(hostile.RESOURCES) + len(FORGED) >= 51 + 40


@pytest.fixture(
    scope="module",
    params=[
        ("bubblewrap", "own_judge"),
        ("nsjail", "nobodys_judge"),
        pytest.param(("bubblewrap", "nobodys_judge"), marks=pytest.mark.slow),
        pytest.param(("nsjail", "own_judge"), marks=pytest.mark.slow),
    ],
    ids=" for ".join,
)
def trial(request, open_folder):
    """Every hostile program, each followed by a good one, in the jails of one back end."""
    name, who = request.param
    judge, holding = request.getfixturevalue(who), held_backend(name)
    canary = open_folder / f"canary-{secrets.token_hex(4)}"
    canary.write_text(SECRET)
    canary.chmod(0o644)
    abstract = secrets.token_hex(8)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as local,
    ):
        local.bind(f"\0{abstract}")
        local.listen()
        for one in (server, local):
            one.setblocking(False)
        sources = programs(canary, server.getsockname()[1], abstract)
        file = open_folder / "programs.json"
        file.write_text(json.dumps(sources))
        told = judge.run(holding.name, str(file))
        assert (told["user"] == os.geteuid()) == (who == "own_judge")
        told["connections"] = [one for one in (server, local) if accepted(one)]
    return told


def accepted(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_no_hostile_program_passes(trial):
    """Most are right only where their attack worked; the others are wrong in any case."""
    assert [name for name, one in trial["hostile"].items() if one["outcome"] == "passed"] == []


def test_nothing_of_the_host_is_printed(trial):
    texts = {name: one["output"] + one["reason"] for name, one in trial["hostile"].items()}
    assert [name for name, text in texts.items() if SECRET in text or "REACHED" in text] == []


def test_the_host_is_not_connected_to(trial):
    assert trial["connections"] == []


def test_every_hostile_program_is_judged(trial):
    """A verdict `broken` would say that the jail failed, not the program."""
    broken = {n: one["reason"] for n, one in trial["hostile"].items() if one["outcome"] == "broken"}
    assert broken == {}


def test_good_programs_between_them_pass(trial):
    assert [one for one in trial["good"] if one["outcome"] != "passed"] == []


def test_endless_programs_are_told_as_such(trial):
    endless = ["endless loop", "endless sleep", "endless answer", "fork bomb", "ignore signals"]
    outcomes = {name: trial["hostile"][name]["outcome"] for name in endless}
    assert outcomes == dict.fromkeys(endless, "timed out")


def test_no_program_outlives_its_time(trial):
    late = {n: one["seconds"] for n, one in trial["hostile"].items() if one["seconds"] > 3 + 3}
    assert late == {}
    assert trial["left"] == []


def test_output_cannot_steer_a_terminal(trial):
    told = trial["hostile"]["terminal escapes"]
    shown = told["output"] + told["reason"]
    assert "red" in shown
    assert "ValueError" in shown
    assert set(shown) <= HARMLESS_IN_TERMINAL | {"\N{REPLACEMENT CHARACTER}"}
