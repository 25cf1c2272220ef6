"""A release on the Hub: whole, verified, and sent once."""

import pytest

from finetune.publishing.artefacts import entries
from tests.hub.server import running_hub
from tests.publishing.pushed import REPO, TOKEN, command, make_run


@pytest.fixture
def hub():
    with running_hub() as server:
        server.store.tokens[TOKEN] = "ann"
        yield server


@pytest.fixture
def run_folder(tmp_path, model_folder, release):
    return make_run(tmp_path, release)


@pytest.fixture
def push(tmp_path, hub, run_folder):
    def push(*arguments, **more):
        return command(tmp_path, hub, "push", "r.yaml", *arguments, **more)

    return push


def contents(folder):
    return {name: (folder / name).read_bytes() for name in entries(folder)}


def test_a_push_makes_a_private_repository_of_exactly_these_files(push, hub, run_folder):
    ran = push()
    assert ran.code == 0, ran.err
    assert hub.store.holds(REPO) == contents(run_folder.release)
    assert hub.store.repos[REPO].private
