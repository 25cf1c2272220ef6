"""One Hub and one client process for the many pushes of this folder, with nothing on the Hub."""

import pytest

from tests.hub.server import running_hub
from tests.hub.store import Store
from tests.publishing.pushed import TOKEN, forked_commands


@pytest.fixture(scope="module")
def server():
    with running_hub() as server:
        yield server


@pytest.fixture(scope="module")
def call(server, tmp_path_factory):
    with forked_commands(tmp_path_factory.mktemp("client"), server) as call:
        yield call


@pytest.fixture
def hub(server):
    """The Hub, empty."""
    server.store = Store(tokens={TOKEN: "ann"})
    server.calls.reset()
    return server


@pytest.fixture
def push(tmp_path, hub, pushable, call):
    """`push()`: the command, in a fork of a process that has imported everything."""
    return lambda *arguments: call(tmp_path, "push", "r.yaml", *arguments)
