"""What must not reach the Hub, and where a token must not be."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from finetune.errors import UserError
from finetune.publishing import build_release
from finetune.report import write_report
from tests.conftest import ROOT
from tests.hub.faults import CUT, NONE, Fault
from tests.publishing.pushed import REPO, TOKEN, client_environment

PLANTED = "ghp_" + "a1B2" * 9


def plant(release):
    """Everything at once that a release must not hold; returns what has to be named."""
    (release / ".env").write_text(f"SECRET={PLANTED}")
    (release / "optimizer.pt").write_bytes(b"PK\x03\x04 optimizer")
    (release / "training_args.bin").write_bytes(b"\x80\x04 hub_token")
    (release / "generation_config.json").write_text(json.dumps({"token": PLANTED}))
    (release / "special_tokens_map.json").symlink_to("/etc/passwd")
    (release / "additional_chat_templates").symlink_to("/etc")
    (release / "checkpoint-5").mkdir()
    (release / "checkpoint-5" / "model.safetensors").write_bytes(b"x")
    (release / "config.json").write_text(json.dumps({"_name_or_path": "/home/ann/base"}))
    save_file({"w": np.array([1.0, np.nan], np.float32)}, release / "model.safetensors")
    (release / "model-00001-of-00002.safetensors").write_bytes(b"PK\x03\x04 archive/data.pkl")
    tokenizer = json.loads((release / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [{"content": PLANTED}]
    (release / "tokenizer.json").write_text(json.dumps(tokenizer))
    os.mkfifo(release / "added_tokens.json")
    return [
        ".env: not on the list",
        "optimizer.pt: not on the list",
        "training_args.bin: not on the list",
        "checkpoint-5/model.safetensors: not on the list",
        "special_tokens_map.json: a symlink",
        "additional_chat_templates: a symlink",
        "added_tokens.json: not a plain file",
        "generation_config.json: holds what looks like a secret",
        "tokenizer.json: holds what looks like a secret",
        "model-00001-of-00002.safetensors: not a readable safetensors file",
        "config.json: absolute path /home/ann/base under `_name_or_path`",
        "model.safetensors: w: 1 numbers are NaN or infinite",
    ]


@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["push", "dry run"])
def test_a_release_that_was_tampered_with_is_named_file_by_file_and_nothing_sent(
    push, hub, pushable, options
):
    findings = plant(pushable.release)
    ran = push(*options)
    assert ran.code == 2
    assert [one for one in findings if one not in ran.err] == []
    assert PLANTED not in ran.err + ran.out
    assert hub.calls.seen == []
    assert not (pushable.path / ".push").exists()


def test_of_a_run_folder_that_was_tampered_with_nothing_is_released(run, facts):
    """First what does not belong there, and once that is gone, what is wrong with the rest."""
    findings = plant(run.merged)
    listed = [one for one in findings if "not on" in one or "a symlink" in one or "plain" in one]
    with pytest.raises(UserError) as caught:
        build_release(run, facts)
    assert [one for one in listed if one not in str(caught.value)] == []
    for one in listed:
        path = run.merged / one.partition(":")[0]
        path.unlink()
    with pytest.raises(UserError) as caught:
        build_release(run, facts)
    assert [
        one
        for one in findings
        if one not in listed and "_name_or_path" not in one and one not in str(caught.value)
    ] == []
    assert PLANTED not in str(caught.value)
    assert not run.release.exists()


def test_an_adapter_release_takes_no_merged_weights(push, hub, pushable):
    """`adapter_config.json` makes it an adapter, whose list is another."""
    (pushable.release / "adapter_config.json").write_text("{}")
    ran = push()
    assert ran.code == 2
    assert "model.safetensors: not on the list of files of a adapter release" in ran.err
    assert hub.calls.seen == []


def test_the_token_goes_to_the_hub_and_nowhere_else(push, hub, pushable):
    push()
    given = {route: headers.get("authorization") for route, headers in hub.calls.headers}
    assert given["commit"] == f"Bearer {TOKEN}"
    assert (given["put"], given["download"]) == (None, None), "that is another origin"


def files_with(text, *folders):
    return [
        str(path)
        for folder in folders
        for path in Path(folder).rglob("*")
        if path.is_file() and not path.is_symlink() and text.encode() in path.read_bytes()
    ]


def test_the_token_is_in_no_file_and_no_output(push, hub, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    hub.calls.reset(
        Fault("commit", 503, nth=2, error=f"bad token {TOKEN}"), Fault("put", CUT, times=1)
    )
    ran = push("--traceback", HF_DEBUG="1")
    assert ran.code == 1
    assert "bad token <token>" in ran.err
    assert "Traceback" in ran.err
    hub.calls.reset()
    again = push(HF_DEBUG="1")
    assert again.code == 0
    for text in (TOKEN, "signature=secret"):
        assert text not in ran.out + ran.err + again.out + again.err
    assert files_with(TOKEN, tmp_path) == []


def test_the_token_of_the_environment_is_in_no_file_of_a_release_or_report(run, facts, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    folder = build_release(run, facts)
    write_report(run)
    assert {"provenance.json", "README.md"} <= {file.name for file in folder.iterdir()}
    assert run.report.stat().st_size > 1000
    assert files_with(TOKEN, run.path) == []


def test_the_token_is_in_no_command_line(tmp_path, hub, pushable):
    """Looked at while the push waits for the Hub, in every process that it started."""
    seen, halt = [], threading.Event()
    hub.calls.reset(Fault("commit", NONE, before=lambda: (halt.set(), time.sleep(1))))
    (tmp_path / "waits").write_text("")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "hub" / "impatient.py"), "push", "r.yaml"],
        cwd=tmp_path,
        env=client_environment(tmp_path, hub),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert halt.wait(60)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            seen.append((entry / "cmdline").read_bytes() + (entry / "comm").read_bytes())
        except OSError:  # it ended meanwhile
            continue
    assert process.wait(60) == 0
    assert any(b"impatient.py" in line for line in seen), "else this test looks at nothing"
    assert not [line for line in seen if TOKEN.encode() in line]


def test_a_copy_that_a_killed_push_left_is_removed_by_the_next(push, hub, pushable):
    left = pushable.path / ".push"
    left.mkdir()
    (left / "old.safetensors").write_bytes(b"x")
    assert push().code == 0
    assert not left.exists()
    assert "old.safetensors" not in hub.store.holds(REPO)
