"""The local Hub answers the stock client as the real one does."""

import json
import subprocess
import sys

import pytest

from tests.hub.server import running_hub
from tests.publishing.pushed import TOKEN, client_environment

REPO = "ann/model"
SCRIPT = """
import json, sys
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

api, told = HfApi(), {}
told["name"] = api.whoami()["name"]
api.create_repo("ann/model", private=True)
def add(name, text):
    return [CommitOperationAdd(name, text)]
def commit(name, text, **more):
    return api.create_commit("ann/model", add(name, text), commit_message="x", **more)
first = commit("a.txt", b"one")
told["pull"] = commit("a.txt", b"two", create_pr=True).pr_url.rpartition("/")[2]
refs = api.list_repo_refs("ann/model", include_pull_requests=True)
told["pulls"] = [one.ref for one in refs.pull_requests]
told["main"] = refs.branches[0].target_commit == first.oid
info = api.get_paths_info("ann/model", ["a.txt", "none.txt"])
told["paths"] = [(one.path, one.size) for one in info]
api.create_branch("ann/model", branch="b")
commit("w.safetensors", b"weights", revision="b")
told["branch"] = sorted(api.list_repo_files("ann/model", revision="b"))
api.create_tag("ann/model", tag="v1", revision="b")
got = api.hf_hub_download("ann/model", "w.safetensors", revision="v1")
told["tag"] = open(got, "rb").read().decode()
def status(call, **more):
    try:
        call(**more)
    except HfHubHTTPError as error:
        return error.response.status_code
told["behind"] = status(lambda: commit("a.txt", b"three", parent_commit="0" * 40))
told["again"] = status(lambda: api.create_tag("ann/model", tag="v1"))
told["hidden"] = status(lambda: HfApi(token=False).model_info("ann/model"))
told["strange"] = status(lambda: HfApi(token="hf_strange").model_info("ann/model"))
told["none"] = status(lambda: api.model_info("ann/none"))
told["theirs"] = status(lambda: api.create_repo("bob/model"))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the client was told, and the server afterwards."""
    folder = tmp_path_factory.mktemp("client")
    with running_hub() as hub:
        hub.store.tokens[TOKEN] = "ann"
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=folder,
            env=client_environment(folder, hub),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout), hub


def test_the_account_is_that_of_the_token(told):
    assert told[0]["name"] == "ann"


def test_a_pull_request_is_a_ref_of_its_own_and_leaves_main(told):
    said, hub = told
    assert (said["pull"], said["pulls"], said["main"]) == ("1", ["refs/pr/1"], True)
    assert hub.store.holds(REPO)["a.txt"] == b"one"
    assert hub.store.holds(REPO, "refs/pr/1")["a.txt"] == b"two"


def test_paths_that_are_not_there_are_left_out(told):
    assert told[0]["paths"] == [["a.txt", 3]]


def test_branches_and_tags_name_commits_whose_large_files_come_from_another_origin(told):
    said, hub = told
    assert said["branch"] == [".gitattributes", "a.txt", "w.safetensors"]
    assert said["tag"] == "weights"
    assert hub.calls.num("download") == 1
    assert hub.url.partition(":")[2].split(":")[0] != hub.storage.partition(":")[2].split(":")[0]


def test_what_is_refused_has_the_hubs_own_status(told):
    keys = ("behind", "again", "hidden", "strange", "none", "theirs")
    assert [told[0][key] for key in keys] == [412, 409, 401, 401, 404, 403]
